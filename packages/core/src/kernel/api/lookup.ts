import type { Principal } from '../action.ts';
import { CloudError } from '../errors.ts';
import { isUuid } from '../id.ts';
import type { AnyKind, RowBase } from '../kind.ts';
import type { Store } from '../store.ts';
import { ownRows } from './list.ts';

export interface Found {
  readonly row: RowBase;
  /** As it is stored. */
  readonly text: string;
}

/**
 * The row that an id, or the name of a live one, stands for. Rows of other projects are as absent.
 * @throws CloudError `not_found`
 */
export async function lookUp(
  store: Store,
  kind: AnyKind,
  idOrName: string,
  principal: Principal,
  options: { readonly deleted: boolean } = { deleted: false },
): Promise<Found> {
  const text = isUuid(idOrName) ? await store.read(kind.name, idOrName) : await byName(store, kind, idOrName, principal);
  const row = text === undefined ? undefined : (JSON.parse(text) as RowBase);
  const visible =
    row !== undefined &&
    (row.projectId === undefined || row.projectId === principal.projectId) &&
    (options.deleted || row.deletedAt === undefined);
  if (!visible) throw new CloudError('not_found', `No ${kind.name} ${idOrName}.`);
  return { row, text: text as string };
}

async function byName(store: Store, kind: AnyKind, name: string, principal: Principal): Promise<string | undefined> {
  const and = [...ownRows(kind, principal), { field: 'name', op: '=', value: name } as const];
  return (await store.list({ table: kind.name, where: { and }, limit: 1 }))[0];
}
