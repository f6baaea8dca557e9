import { type TObject, type TSchema, Type } from 'typebox';
import { type AcceptRequest, type Action, defineAction } from './action.ts';
import { CloudError } from './errors.ts';
import { instant } from './instant.ts';
import type { JsonObject } from './json.ts';
import { type AnyKind, type RowOf, resourceName } from './kind.ts';
import { shapeOf } from './query/graph.ts';
import { quotaGrowth, quotaReleased } from './quota/index.ts';
import { change } from './rows.ts';
import { NOTHING_TO_UNDO, saga } from './saga/definition.ts';
import type { Statement } from './store.ts';

interface UpdateParams {
  readonly kind: string;
  readonly id: string;
  readonly set: JsonObject;
  readonly generation?: number;
  /** What the row grows by, taken when it was accepted. */
  readonly quota?: readonly Statement[];
}

/** The write of plain field changes, one for all kinds. */
const updateSaga = saga<null, UpdateParams>('resource.update', 1)
  .write('set', {
    do: ({ params }) => [
      change(
        { name: params.kind } as AnyKind,
        params.id as never,
        params.set as never,
        params.generation === undefined ? {} : { generation: params.generation },
      ),
      ...quotaReleased(params.quota),
    ],
    undo: NOTHING_TO_UNDO,
  })
  .build();

/**
 * The `update` action of a kind: its name and the fields given, each optional; `null` clears an optional one.
 * @param check refuses what the schema cannot, by throwing a CloudError
 */
export function updateAction(
  kind: AnyKind,
  fields: readonly string[],
  check: (request: AcceptRequest<AnyKind, unknown> & { readonly row: RowOf<AnyKind> }) => void | Promise<void> = () => undefined,
): Action {
  const properties = kind.schema.properties as Record<string, TSchema>;
  for (const field of fields) if (!(field in properties)) throw new Error(`kind ${kind.name} has no field ${field}`);
  const changeable = Object.fromEntries(fields.map((field) => [field, Type.Optional(clearable(field, kind))]));
  return defineAction({
    kind,
    verb: 'update',
    description: `Changes ${['name', ...fields].join(', ')} of the ${kind.name}.`,
    target: 'resource',
    input: Type.Object({ name: Type.Optional(resourceName()), ...changeable }) as TObject,
    accept: async (request) => {
      const { row, input } = request;
      if (Object.keys(input).length === 0) throw new CloudError('invalid_input', 'Nothing to change was given.', { pointer: '' });
      await check(request);
      const quota = quotaGrowth(kind, row, input);
      const params: UpdateParams = { kind: kind.name, id: row.id, set: asStored(kind, input as JsonObject) };
      return { params: quota.length === 0 ? params : { ...params, quota }, statements: quota };
    },
    saga: updateSaga,
    context: () => null,
    unwound: ({ quota }) => quotaReleased(quota),
  });
}

/** Times may be given in any zone. */
function asStored(kind: AnyKind, input: JsonObject): JsonObject {
  const properties = kind.schema.properties as Record<string, TSchema | undefined>;
  const isTime = (field: string) => shapeOf(properties[field] ?? {}).type === 'time';
  const stored = ([field, value]: [string, unknown]) => [
    field,
    typeof value === 'string' && isTime(field) ? instant(value, `/${field}`) : value,
  ];
  return Object.fromEntries(Object.entries(input).map(stored)) as JsonObject;
}

function clearable(field: string, kind: AnyKind): TSchema {
  const required: readonly string[] = kind.schema.required ?? [];
  const schema = (kind.schema.properties as Record<string, TSchema>)[field] ?? Type.Unknown();
  return required.includes(field) ? schema : Type.Union([schema, Type.Null()]);
}
