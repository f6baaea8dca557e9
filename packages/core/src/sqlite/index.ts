export { StoreError } from '../kernel/store-error.ts';
export type { Outcome } from '../store/row.ts';
export { type EngineOptions, SqliteEngine } from './engine.ts';
export { inlineSqlite } from './inline.ts';
export { restoreSqlite } from './restore.ts';
export { openSqlite, type SqliteOptions } from './store.ts';
