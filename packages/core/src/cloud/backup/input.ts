import { Type } from 'typebox';
import type { Id } from '../../kernel/index.ts';

/** An id of a kind that its field is not called after: so clients know it, and take names for it. */
const idOf = <K extends string>(kind: K, description: string) =>
  Type.Optional(Type.Unsafe<Id<K>>({ type: 'string', format: 'uuid', 'x-ref': { kind }, description }));

export const storeInput = idOf('backupStore', 'Default: the first store that was registered and takes backups.');
export const planInput = idOf('backupPlan', 'The plan that it is counted with.');
