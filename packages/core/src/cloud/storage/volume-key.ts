import { CloudError, forgetSealed, type KernelServices, type RowOf, type Statement } from '../../kernel/index.ts';
import { given } from '../naming.ts';
import type { StorageContext } from './removal.ts';
import type { volume } from './volume.ts';

type Keyed = Pick<RowOf<typeof volume>, 'encryptionKey'>;
/** Of whoever accepts a request. */
export type Seal = (value: string) => Promise<{ readonly reference: string; readonly statement: Statement }>;

const KEY_BYTES = 32;

/** The key that a new volume gets, sealed: what its row says of it, and the statement that belongs into the same transaction. */
export interface NewKey {
  readonly row: { readonly encrypted?: true; readonly encryptionKey?: string };
  readonly statements: readonly Statement[];
}

const NO_KEY: NewKey = { row: {}, statements: [] };

async function sealed(seal: Seal, value: string): Promise<NewKey> {
  const { reference, statement } = await seal(value);
  return { row: { encrypted: true, encryptionKey: reference }, statements: [statement] };
}

/** Random, where one is wanted. */
export async function newKey({ environment }: Pick<KernelServices, 'environment'>, seal: Seal, isWanted: boolean): Promise<NewKey> {
  return isWanted ? sealed(seal, Buffer.from(environment.random.bytes(KEY_BYTES)).toString('base64')) : NO_KEY;
}

/** Of a clone: that of its source, sealed by itself, so that either is forgotten alone. */
export async function sameKey({ secrets }: Pick<KernelServices, 'secrets'>, seal: Seal, { encryptionKey }: Keyed): Promise<NewKey> {
  return encryptionKey === undefined ? NO_KEY : sealed(seal, await secrets.open(encryptionKey));
}

/** The key itself, for a driver; undefined of a volume that is not encrypted. */
export async function openedKey(
  { secrets }: Pick<KernelServices, 'secrets'>,
  encryptionKey: string | undefined,
): Promise<{ readonly key?: string }> {
  return given({ key: encryptionKey === undefined ? undefined : await secrets.open(encryptionKey) });
}

/** Without its key nothing of a volume can be read any more. */
export const forgetKey = ({ encryptionKey }: Keyed): readonly Statement[] =>
  encryptionKey === undefined ? [] : [forgetSealed(encryptionKey)];

/** For what reads and writes what pools hold. @throws CloudError unsupported */
export function refuseEncrypted({ name, encrypted }: Pick<RowOf<typeof volume>, 'name' | 'encrypted'>, pointer: string, why: string): void {
  if (encrypted) throw new CloudError('unsupported', `Volume ${name} is encrypted, and ${why}.`, given({ pointer: pointer || undefined }));
}

/** What is in it can be read for others than its machine. @throws CloudError unsupported */
export async function needContents(
  { pools }: Pick<StorageContext, 'pools'>,
  row: Pick<RowOf<typeof volume>, 'name' | 'poolId' | 'encrypted'>,
  pointer: string,
): Promise<void> {
  const pool = await pools.open(row.poolId);
  if (!pool.canCopyEncrypted) refuseEncrypted(row, pointer, 'in its pool that is read by its machine alone');
  pool.needContents(row.encrypted);
}

/** @throws CloudError unsupported */
export async function refuseUnencrypted({ pools }: Pick<StorageContext, 'pools'>, poolId: string, pointer: string): Promise<void> {
  try {
    (await pools.open(poolId)).needEncryption();
  } catch (cause) {
    if (!(cause instanceof CloudError)) throw cause;
    throw new CloudError(cause.code, cause.publicMessage, { pointer, params: { poolId }, cause });
  }
}
