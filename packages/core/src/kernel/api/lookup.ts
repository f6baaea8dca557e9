import { isVisible, type Principal, readPermission, visibleRows } from '../access.ts';
import { inWords } from '../article.ts';
import { CloudError } from '../errors.ts';
import { isUuid } from '../id.ts';
import type { AnyKind, RowBase } from '../kind.ts';
import type { Reader } from '../reader.ts';
import type { Condition } from '../store.ts';

export interface Found {
  readonly row: RowBase;
  /** As it is stored. */
  readonly text: string;
  /** Of what is told beside the row, and changes without it: the end of the entity tag. */
  readonly tag?: string;
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
    throw await absent(reader, kind, idOrName, principal);
  return { row, text: text as string };
}

/**
 * Names are those of the project that is worked in: what others share has no say in what a name means here. Who asks for it by its name is told its id.
 */
async function absent(reader: Reader, kind: AnyKind, idOrName: string, principal: Principal): Promise<CloudError> {
  const none = `No ${inWords(kind.name)} ${idOrName}`;
  const shared = isUuid(idOrName) || kind.shareable === undefined ? [] : await sharedIds(reader, kind, idOrName, principal);
  if (shared.length === 0) return new CloudError('not_found', `${none}.`);
  const told = shared.length === 1 ? shared[0] : 'params.shared has those of this name';
  return new CloudError('not_found', `${none} in this project. What others share with it goes by its id: ${told}.`, { params: { shared } });
}

const SHARED_MAX = 10;

async function sharedIds(reader: Reader, kind: AnyKind, name: string, principal: Principal): Promise<readonly string[]> {
  const visible = visibleRows(kind, principal);
  if (visible === undefined) return [];
  const texts = await reader.texts(kind, { and: [visible, { field: 'name', op: '=', value: name }] }, { limit: SHARED_MAX });
  return texts.map((text) => (JSON.parse(text) as RowBase).id);
}

async function byName(reader: Reader, kind: AnyKind, name: string, principal: Principal): Promise<string | undefined> {
  const named: Condition = { field: 'name', op: '=', value: name };
  const visible = visibleRows(kind, principal, readPermission(kind), { ownOnly: true });
  const where = visible === undefined ? named : { and: [visible, named] };
  return (await reader.texts(kind, where, { limit: 1 }))[0];
}
