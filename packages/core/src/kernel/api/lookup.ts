import { isVisible, type Principal, readPermission, visibleRows } from '../access.ts';
import { CloudError } from '../errors.ts';
import { isUuid } from '../id.ts';
import type { AnyKind, RowBase } from '../kind.ts';
import type { Reader } from '../reader.ts';
import type { Condition } from '../store.ts';

export interface Found {
  readonly row: RowBase;
  /** As it is stored. */
  readonly text: string;
}

/**
 * The row that an id, or the name of a live one, stands for. What the caller may not see is as absent.
 * @throws CloudError `not_found`
 */
export async function lookUp(
  reader: Reader,
  kind: AnyKind,
  idOrName: string,
  principal: Principal,
  options: { readonly deleted: boolean } = { deleted: false },
): Promise<Found> {
  const text = isUuid(idOrName) ? await reader.text(kind, idOrName) : await byName(reader, kind, idOrName, principal);
  const row = text === undefined ? undefined : (JSON.parse(text) as RowBase);
  const isThere = row !== undefined && (options.deleted || row.deletedAt === undefined);
  if (!isThere || !(await isVisible(kind, row, principal, readPermission(kind), reader)))
    throw new CloudError('not_found', `No ${kind.name} ${idOrName}.`);
  return { row, text: text as string };
}

async function byName(reader: Reader, kind: AnyKind, name: string, principal: Principal): Promise<string | undefined> {
  const named: Condition = { field: 'name', op: '=', value: name };
  const visible = visibleRows(kind, principal, readPermission(kind), { ownOnly: true });
  const where = visible === undefined ? named : { and: [visible, named] };
  return (await reader.texts(kind, where, { limit: 1 }))[0];
}
