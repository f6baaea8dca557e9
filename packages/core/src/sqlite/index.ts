export { StoreError } from '../kernel/store-error.ts';
export { type EngineOptions, type Outcome, SqliteEngine } from './engine.ts';
export { inlineSqlite } from './inline.ts';
export { restoreSqlite } from './restore.ts';
export { openSqlite, type SqliteOptions } from './store.ts';
