import { CloudError, expectState, type Id, type Reader, type RowOf, type Statement } from '../../kernel/index.ts';
import { given } from '../naming.ts';
import { pool } from './pool.ts';
import { type ClassRow, storageClass } from './storage-class.ts';

type PoolRow = RowOf<typeof pool>;

/** The classes whose new volumes are encrypted, by id, with their names. They are few. */
export type DemandingClasses = ReadonlyMap<string, string>;

const demands = ({ state, encrypted }: ClassRow): boolean => state === 'available' && encrypted === true;

export const demandingClasses = async (reader: Reader): Promise<DemandingClasses> =>
  new Map((await reader.list(storageClass)).filter(demands).map(({ id, name }) => [id, name]));

/** Why a volume that is to be encrypted, or is not to be, has no place in a pool; of one of which nothing is said the pool's class decides. */
export function misfitOf(
  { encrypts }: { readonly encrypts?: boolean | undefined },
  demandedBy: string | undefined,
  encrypted: boolean | undefined,
): string | undefined {
  if (encrypted === false && demandedBy !== undefined) return `is of class ${demandedBy}, which takes encrypted volumes only`;
  return (encrypted === true || demandedBy !== undefined) && encrypts === false ? 'cannot encrypt volumes' : undefined;
}

/** At the field that asks for one that is not encrypted, or for the class. */
export const encryptedOnly = (name: string, pointer: string | undefined): CloudError =>
  new CloudError('conflict', `Storage class ${name} takes encrypted volumes only.`, given({ pointer, params: { storageClass: name } }));

/** What becomes of a new volume in a pool. */
export interface Protection {
  readonly isEncrypted: boolean;
  /** The class that has it encrypted though nobody asked for that. */
  readonly byClass?: string;
  /** That the class of the pool still wants what it wanted when this was decided. */
  readonly guards: readonly Statement[];
}

/** Whether a volume that is made in the pool is encrypted: as it is said, or else as its class demands. @throws CloudError conflict */
export async function protectionIn(
  reader: Reader,
  { id, classId }: Pick<PoolRow, 'id' | 'classId'>,
  encrypted: boolean | undefined,
  pointer?: string,
): Promise<Protection> {
  const row = classId === undefined ? undefined : await reader.find(storageClass, classId);
  const isDemanded = row !== undefined && demands(row);
  if (isDemanded && encrypted === false) throw encryptedOnly(row.name, pointer);
  const guards = [
    expectState(pool, id as Id<'pool'>, ['available'], { classId: classId ?? null }),
    ...(row === undefined ? [] : [expectState(storageClass, row.id, [row.state], { generation: row.generation })]),
  ];
  return { isEncrypted: encrypted ?? isDemanded, guards, ...(isDemanded && encrypted === undefined ? { byClass: row.name } : {}) };
}
