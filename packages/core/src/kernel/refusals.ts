import type { Action } from './action.ts';
import { inWords } from './article.ts';
import { TRASHED } from './cascade/plan.ts';
import type { Refusal } from './commits.ts';
import { CloudError } from './errors.ts';
import type { JsonObject } from './json.ts';
import type { AnyKind, RowOf } from './kind.ts';
import { quotaExceeded } from './quota/index.ts';
import { both, equals, type Reader } from './reader.ts';
import { tableOf } from './registry.ts';
import { INDEXED_BYTES_MAX, type Statement } from './store.ts';

/** Another row of the kind has the same value in a unique key; `lies` says that it is in the trash. */
export function taken(kind: string, fields: readonly string[] = [], lies = false): CloudError {
  const own = fields.filter((name) => name !== 'projectId' && name !== 'accountId');
  // What a caller would change is said of the thing itself, as a rule, and not what it belongs to.
  const field = own.findLast((name) => !name.endsWith('Id')) ?? own[0] ?? 'id';
  const within = own.filter((name) => name !== field).map((name) => inWords(name.replace(/Id$/, '')));
  const where = within.length === 0 ? '' : ` of this ${within.join(' and ')}`;
  if (!lies)
    return new CloudError('name_taken', `Another live ${inWords(kind)}${where} has this ${inWords(field)}.`, {
      pointer: `/${field}`,
      params: { field, kind },
    });
  return new CloudError(
    'name_taken',
    `Another ${inWords(kind)}${where} has this ${inWords(field)}, and lies in the trash: recover or expunge it.`,
    { pointer: `/${field}`, params: { field, kind, state: TRASHED } },
  );
}

/** It is longer than what is searched by may be. */
export function tooLong([field = '']: readonly string[] = []): CloudError {
  return new CloudError('invalid_input', `It is searched by its ${field}, which is too long for that.`, {
    pointer: `/${field}`,
    params: { field, bytesMax: INDEXED_BYTES_MAX },
  });
}

/** What a failed guard of an acceptance means. */
export function acceptanceFailed(action: Action, failure: Refusal, statement: Statement | undefined): CloudError {
  if (failure.quota !== undefined) return quotaExceeded(failure.quota);
  const what = statement === undefined ? 'the store' : 'table' in statement ? statement.table : statement.counter;
  if (failure.reason === 'exists') return taken(what, failure.fields);
  if (failure.reason === 'exceeded') return new CloudError('no_capacity', 'There is no room for it.', { params: { reasons: [what] } });
  return new CloudError('conflict', `${action.name} was refused: ${what} changed meanwhile.`, { detail: failure.reason });
}

/** Which of them has it decides what can be done about it. */
export async function takenBy(
  reader: Reader,
  kind: AnyKind,
  { fields = [] }: Refusal,
  { row }: { readonly row: JsonObject },
): Promise<CloudError> {
  const same = fields.flatMap((field) => {
    const value = row[field];
    return typeof value === 'string' || typeof value === 'number' ? [equals(field, value)] : [];
  });
  const [other] = same.length === 0 || same.length < fields.length ? [] : await reader.list(kind, both(...same), { limit: 1 });
  return taken(kind.name, fields, other?.state === TRASHED);
}

/** An update to what another row has would only fail when it runs. The guards of its commit decide between those that were accepted. @throws CloudError name_taken */
export async function refuseTaken(reader: Reader, kind: AnyKind, row: RowOf<AnyKind>, input: unknown): Promise<void> {
  const before = row as unknown as Record<string, unknown>;
  const after = { ...before, ...(input as Record<string, unknown>) };
  for (const fields of tableOf(kind).unique ?? []) {
    const values = fields.map((field) => after[field]).filter((value) => typeof value === 'string' || typeof value === 'number');
    if (values.length < fields.length || fields.every((field) => after[field] === before[field])) continue;
    const same = both(...fields.map((field, index) => equals(field, values[index] ?? '')));
    const [other] = await reader.list(kind, same, { limit: 1 });
    if (other !== undefined) throw taken(kind.name, fields, other.state === TRASHED);
  }
}
