import { CloudError, equals, isCloudError, type Reader, type RowOf } from '../../kernel/index.ts';
import { given } from '../naming.ts';
import type { Placed } from '../placement/contract.ts';
import { encryptedOnly, notTaking, type Protection, pool, protectionIn, storageClass } from '../storage/contract.ts';

/** A disk that a machine is to be made with: the root disk first. */
interface WantedDisk {
  readonly storageClass?: string;
  readonly encrypted?: boolean;
}

/** Where the request has a field of the disk in a slot. */
export const diskField = (slot: number, field: keyof WantedDisk): string =>
  slot === 0 ? `/rootVolume/${field}` : `/volumes/${slot - 1}/${field}`;

/** @throws CloudError conflict where a disk is not to be encrypted, in a class that takes nothing else */
export async function refuseUnprotected(reader: Reader, wanted: readonly WantedDisk[]): Promise<void> {
  for (const [slot, { storageClass: name, encrypted }] of wanted.entries()) {
    if (name === undefined || encrypted !== false) continue;
    const [row] = await reader.list(storageClass, equals('name', name), { limit: 1 });
    if (row?.state === 'available' && row.encrypted === true) throw encryptedOnly(name, diskField(slot, 'encrypted'));
  }
}

/** What is said of a machine that no host has room for: the field, where it is one of a disk that no pool at all will do for. */
export async function disksAtFault(reader: Reader, wanted: readonly WantedDisk[], error: unknown): Promise<unknown> {
  if (!isCloudError(error) || error.code !== 'no_capacity') return error;
  const { params = {}, unless } = error;
  for (const [slot, { storageClass: name, encrypted }] of wanted.entries()) {
    if (name === undefined && encrypted !== true) continue;
    const pools = (await reader.list(pool, name === undefined ? equals('state', 'available') : equals('storageClass', name))).filter(
      (row) => notTaking(row) === undefined,
    );
    if (pools.length > 0 && encrypted === true && pools.every((row) => row.encrypts === false))
      return new CloudError('unsupported', 'No pool that it may be in can encrypt volumes.', {
        pointer: diskField(slot, 'encrypted'),
        params,
        ...given({ unless }),
      });
    if (pools.length === 0 && name !== undefined)
      return new CloudError('no_capacity', `No pool of class ${name} takes it.`, {
        pointer: diskField(slot, 'storageClass'),
        params,
        ...given({ unless }),
      });
  }
  return error;
}

/** Which of the disks are encrypted where they are placed. @throws CloudError conflict */
export const protections = (reader: Reader, wanted: readonly WantedDisk[], { poolIds }: Placed): Promise<readonly Protection[]> =>
  Promise.all(
    wanted.map(async ({ encrypted }, slot) => {
      const row: RowOf<typeof pool> = await reader.get(pool, poolIds[slot] ?? '');
      return protectionIn(reader, row, encrypted, diskField(slot, 'encrypted'));
    }),
  );

/** Of the disks that are encrypted though nobody asked for that, by the field of each: its class. */
export function byClasses(made: readonly Protection[]): Readonly<Record<string, string>> | undefined {
  const found = made.flatMap(({ byClass }, slot) => (byClass === undefined ? [] : [[diskField(slot, 'encrypted'), byClass] as const]));
  return found.length === 0 ? undefined : Object.fromEntries(found);
}
