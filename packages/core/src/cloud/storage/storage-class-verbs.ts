import { Type } from 'typebox';
import {
  CloudError,
  change,
  create,
  defineAction,
  equals,
  type Reader,
  type RowOf,
  resourceName,
  updateAction,
} from '../../kernel/index.ts';
import { given, nameOr } from '../naming.ts';
import { type RowParams, rowCreate, rowDeletion, rowTakenBack } from '../row-only.ts';
import { pool } from './pool.ts';
import { type ClassRow, type KnownFacts, PROMISES, type Promised, shortfallOf, storageClass } from './storage-class.ts';

const { description, replicas, replicasMin, failureDomains, deviceClass, encrypted, iopsPerSecond, bytesPerSecond } =
  storageClass.schema.properties;
const promises = { description, replicas, replicasMin, failureDomains, deviceClass, encrypted, iopsPerSecond, bytesPerSecond };

/** The class of a name; a name without a row promises nothing. */
export const classNamed = async (reader: Reader, name: string): Promise<ClassRow | undefined> =>
  (await reader.list(storageClass, equals('name', name))).find(({ state }) => state === 'available');

const poolsOf = (reader: Reader, name: string) => reader.list(pool, equals('storageClass', name));

/** @throws CloudError conflict that names a pool that does not keep it; by default at the promise */
export function refuseShortfall(
  promised: Promised,
  pools: readonly (Pick<RowOf<typeof pool>, 'name'> & KnownFacts)[],
  pointer?: string,
): void {
  for (const row of pools) {
    const shortfall = shortfallOf(promised, row);
    if (shortfall !== undefined)
      throw new CloudError('conflict', `Pool ${row.name} ${shortfall.text}.`, {
        pointer: pointer ?? `/${shortfall.field}`,
        params: { pool: row.name },
      });
  }
}

type Wanted = { readonly [F in (typeof PROMISES)[number]]?: ClassRow[F] | null };

/** What is promised of pools; null promises nothing. */
const promisedBy = (name: string, wanted: Wanted): Promised => ({
  name,
  ...Object.fromEntries(PROMISES.flatMap((field) => (wanted[field] == null ? [] : [[field, wanted[field]]]))),
});

/** @throws CloudError invalid_input */
function refuseUpsideDown(
  input: Partial<Record<'iopsPerSecond' | 'bytesPerSecond', { readonly base: number; readonly max?: number } | null>>,
  promised: Promised,
) {
  if (promised.replicas !== undefined && promised.replicasMin !== undefined && promised.replicasMin > promised.replicas)
    throw new CloudError('invalid_input', 'No write can have more copies than there are.', { pointer: '/replicasMin' });
  for (const field of ['iopsPerSecond', 'bytesPerSecond'] as const) {
    const rule = input[field];
    if (rule?.max !== undefined && rule.max < rule.base)
      throw new CloudError('invalid_input', 'The maximum is below what every volume has.', { pointer: `/${field}/max` });
  }
}

interface CreateParams extends RowParams {
  readonly poolIds: readonly RowOf<typeof pool>['id'][];
}

const classCreate = defineAction({
  kind: storageClass,
  verb: 'create',
  description: 'Says what storage of a name promises. Pools that carry the name have to keep it.',
  target: 'collection',
  input: Type.Object({ name: Type.Optional(resourceName()), ...promises }),
  accept: async ({ id, input, reader }) => {
    const name = nameOr(input.name, storageClass, id);
    const promised = promisedBy(name, input);
    refuseUpsideDown(input, promised);
    const pools = await poolsOf(reader, name);
    refuseShortfall(promised, pools);
    const { name: _, ...rest } = input;
    const params: CreateParams = { kind: storageClass.name, id, poolIds: pools.map((row) => row.id) };
    return {
      params,
      statements: [
        create(storageClass, { id, name, ...given(rest) }),
        ...pools.map((row) => change(pool, row.id, { classId: id }, { storageClass: name })),
      ],
    };
  },
  saga: rowCreate,
  context: () => null,
  unwound: (params) => [
    ...rowTakenBack(params),
    ...(params as CreateParams).poolIds.map((poolId) => change(pool, poolId, { classId: null })),
  ],
});

const classUpdate = updateAction(storageClass, Object.keys(promises), async ({ row, input, reader }) => {
  const asked = input as Partial<ClassRow>;
  if (asked.name !== undefined) throw new CloudError('invalid_input', 'A class keeps its name: requests go by it.', { pointer: '/name' });
  const promised = promisedBy(row.name, { ...(row as ClassRow), ...asked });
  refuseUpsideDown(asked, promised);
  refuseShortfall(promised, await poolsOf(reader, row.name));
});

export const classActions = [classCreate, classUpdate];
/** Its pools keep it: it is deleted after them, or after they were given another class. */
export const classDeletion = rowDeletion(storageClass, ['available']);
