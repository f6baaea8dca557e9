export type { FileAttributes, NfsTime } from './attributes.ts';
export { NfsError, NfsProtocolError, NfsRefusedError, type NfsStatus, NfsUnansweredError } from './errors.ts';
export { type DirectoryEntry, type ExportPlace, type Handle, NfsExport, type Space, type WriteVerifier } from './export.ts';
export type { CallOptions, Credential } from './rpc.ts';
