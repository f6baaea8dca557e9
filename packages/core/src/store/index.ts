export { CommitQueue } from './commit-queue.ts';
export { changeCode, changeType, wholeRevisions } from './feed.ts';
export { makeFile, type NewFile } from './file.ts';
export { Listeners } from './listeners.ts';
export { type KeyedRow, type MigratedBatch, type MigrationHost, type Progress, prepareStore } from './migrate.ts';
export { changeOf, checkCount, type Failure, insertedRow, type Outcome, type Stamp, stale, tooLong, updatedRow } from './row.ts';
export { Catalog, checkPath, type FieldType, type IndexShape, MAINTAINED, ROW, type Row, TableShape } from './table.ts';
