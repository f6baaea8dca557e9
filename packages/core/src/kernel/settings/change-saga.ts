import { canonical } from '../canonical.ts';
import type { Id } from '../id.ts';
import type { Json } from '../json.ts';
import { both, equals, type Reader } from '../reader.ts';
import { change, create } from '../rows.ts';
import { NOTHING_TO_UNDO, saga } from '../saga/definition.ts';
import type { Statement } from '../store.ts';
import { GLOBAL } from './definition.ts';
import { type SettingValue, settingChange, settingValue } from './kinds.ts';

/** Where a setting has a value. */
export interface SettingPlace {
  readonly key: string;
  readonly level: string;
  readonly place: string;
  readonly resourceKind?: string;
  readonly resourceId?: string;
}

export interface ChangeParams {
  readonly at: SettingPlace;
  readonly resourceName?: string;
  /** Absent: it inherits again. */
  readonly to?: Json;
  readonly actor: string;
  /** Of the row, if there is none yet. */
  readonly valueId: Id<'settingValue'>;
  readonly changeId: Id<'settingChange'>;
}

export interface ChangeContext {
  readonly reader: Reader;
}

/** What changes one value is in one queue, so that each finds what those before it have left. */
export const keyOf = ({ key, place }: SettingPlace): string => `setting/${key}/${place}`;

export async function present(reader: Reader, { key, place }: SettingPlace): Promise<SettingValue | undefined> {
  return (await reader.list(settingValue, both(equals('key', key), equals('place', place)), { limit: 1 }))[0];
}

/** One value, and what is told of it afterwards, in one transaction. What already is as asked for is no change. */
export const changeSetting = saga<ChangeContext, ChangeParams>('setting.change', 1)
  .effect('look', {
    do: async ({ ctx, params }) => {
      const row = await present(ctx.reader, params.at);
      return row === undefined ? null : { id: row.id, generation: row.generation, value: row.value };
    },
    undo: NOTHING_TO_UNDO,
  })
  .write('change', {
    do: ({ params, out: { look }, operationId }) => statementsOf(params, look, operationId),
    undo: NOTHING_TO_UNDO,
  })
  .build();

type Look = Pick<SettingValue, 'id' | 'generation' | 'value'> | null;

function statementsOf(
  { at, to, actor, valueId, changeId, resourceName }: ChangeParams,
  look: Look,
  operationId: string,
): readonly Statement[] {
  const from = look?.value;
  if (canonical(from) === canonical(to)) return [];
  const told = create(settingChange, {
    ...{ id: changeId, name: changeId, ...at, actor, operationId },
    ...(resourceName === undefined ? {} : { resourceName }),
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
  });
  return [...guards(at), written(at, valueId, to, look), told];
}

function written(at: SettingPlace, valueId: Id<'settingValue'>, to: Json | undefined, look: Look): Statement {
  if (look === null) return create(settingValue, { ...at, id: valueId, name: valueId, value: to as Json });
  const expect = { generation: look.generation };
  if (to !== undefined) return change(settingValue, look.id, { value: to }, expect);
  return {
    op: 'update',
    table: settingValue.name,
    key: look.id,
    set: { state: 'deleted', deletedAt: true },
    expect: { ...expect, deletedAt: null },
  };
}

/** The resource is still there. */
const guards = ({ level, resourceKind, resourceId }: SettingPlace): readonly Statement[] =>
  level === GLOBAL || resourceKind === undefined || resourceId === undefined
    ? []
    : [{ op: 'expect', table: resourceKind, key: resourceId, expect: { deletedAt: null } }];
