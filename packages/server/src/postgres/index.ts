export { restorePostgres } from './restore.ts';
export { openPostgres } from './store.ts';
export { type PostgresOptions, targetOf } from './target.ts';
