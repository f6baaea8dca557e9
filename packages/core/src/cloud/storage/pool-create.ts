import { Type } from 'typebox';
import {
  CloudError,
  create,
  defineAction,
  expectState,
  forgetSealed,
  type Id,
  type Reader,
  type RowOf,
  resourceName,
  revert,
  type Statement,
  saga,
  transition,
} from '../../kernel/index.ts';
import type { StorageFactory } from '../../strategy/index.ts';
import { given, nameOr } from '../naming.ts';
import { cluster, host, zone } from '../topology/contract.ts';
import { pool } from './pool.ts';
import { cappedBy } from './pool-capacity.ts';
import { forgetPoolLimit, type PoolContext, poolLimit } from './pool-context.ts';
import { releasePool } from './pool-delete.ts';
import { factsOf, shown, told } from './pool-health.ts';
import { likePlace, type PoolPlace, twinAmong } from './pool-place.ts';
import { type PoolReturnContext, refuseEarlyRegistration } from './pool-return.ts';
import { checkedSettings, poolSecrets } from './pool-settings.ts';
import { hostOfPool } from './removal.ts';
import { poolNearlyFullShare } from './settings.ts';
import { storageClass } from './storage-class.ts';
import { classNamed, refuseShortfall } from './storage-class-verbs.ts';

interface CreatePoolParams {
  readonly classId?: Id<'storageClass'>;
  readonly poolId: Id<'pool'>;
  readonly overcommit: number;
  /** Reference to what is sealed. */
  readonly secrets?: string;
}

export const POOL_DEFAULTS = { storageClass: 'standard', overcommit: 1 } as const;

const createPool = saga<PoolContext, CreatePoolParams>('pool.create', 1)
  .effect('ensure', {
    do: async ({ ctx, params, call }) => {
      const opened = await ctx.pools.open(params.poolId);
      await opened.ensure(call);
      const facts = await opened.facts(call);
      if (params.classId !== undefined) {
        const { name } = await ctx.reader.get(pool, params.poolId);
        const { replicas, replicasMin, failureDomain, deviceClass } = facts ?? {};
        const known = given({ name, replicas, replicasMin, failureDomain, deviceClass, encrypts: opened.canEncrypt });
        refuseShortfall(await ctx.reader.get(storageClass, params.classId), [known], '/storageClass');
      }
      const { usedShare, ...size } = await opened.capacity(call);
      return { ...size, ...told(factsOf(facts, { usedShare }, ctx.settings.global(poolNearlyFullShare)), opened.canEncrypt) };
    },
    undo: async ({ ctx, params, call, owe }) => {
      const hostId = await hostOfPool(ctx.reader, params.poolId);
      if (hostId !== undefined && !(await ctx.hosts.reachable(hostId)))
        return owe({ task: 'pool.release', place: hostId, target: { poolId: params.poolId } });
      await releasePool(ctx, params.poolId, call);
    },
  })
  .write('available', {
    do: ({ params: { poolId, overcommit }, out: { ensure } }) => [
      transition(pool, poolId, {
        from: 'creating',
        to: 'available',
        set: { ...ensure, isCapped: cappedBy(ensure.totalBytes, overcommit), status: 'connected' },
      }),
      poolLimit(poolId, ensure.totalBytes, overcommit),
    ],
    undo: ({ params: { poolId, overcommit } }) => [
      revert(pool, poolId, {
        from: 'available',
        to: 'creating',
        set: { totalBytes: null, freeBytes: null, isCapped: null, ...shown(undefined), status: 'disconnected' },
      }),
      poolLimit(poolId, 0, overcommit),
    ],
  })
  .build();

const { properties } = pool.schema;
const place = Type.Optional(Type.String({ format: 'uuid' }));

export const poolCreate = (context: PoolContext & PoolReturnContext) =>
  defineAction({
    kind: pool,
    verb: 'create',
    description: 'Registers a pool. The driver says which of `hostId`, `clusterId`, `zoneId` it belongs to, and which settings it needs.',
    target: 'collection',
    input: Type.Object({
      name: Type.Optional(resourceName()),
      driver: Type.Optional(
        Type.String({ description: 'Name of the storage strategy. Default: the first one installed whose pools belong there.' }),
      ),
      hostId: place,
      clusterId: place,
      zoneId: place,
      settings: Type.Optional(properties.settings),
      secrets: Type.Optional(poolSecrets()),
      storageClass: Type.Optional(properties.storageClass),
      overcommit: Type.Optional(properties.overcommit),
    }),
    accept: async ({ id, input, reader, seal }) => {
      const factory = factoryFor(context, input);
      const driver = factory.name;
      const { settings, secrets } = checkedSettings(factory, input);
      const { fields, guard } = await standing(reader, factory, input);
      const at = { ...fields, driver, settings };
      const alike = await likePlace(reader, factory, at);
      refuseTwin(alike, at);
      await refuseEarlyRegistration(context, at, alike);
      const overcommit = input.overcommit ?? POOL_DEFAULTS.overcommit;
      const className = input.storageClass ?? POOL_DEFAULTS.storageClass;
      const promised = await classNamed(reader, className);
      const ofClass = given({ classId: promised?.id });
      const sealed = secrets === undefined ? undefined : await seal(secrets);
      const reference = given({ secrets: sealed?.reference });
      const row = {
        ...fields,
        ...reference,
        ...ofClass,
        id,
        name: nameOr(input.name, pool, id),
        driver,
        settings,
        scope: factory.scope,
        storageClass: className,
        overcommit,
        status: 'disconnected' as const,
      };
      return {
        params: { poolId: id, overcommit, ...reference, ...ofClass },
        statements: [
          guard,
          ...(promised === undefined ? [] : [expectState(storageClass, promised.id, ['available'])]),
          ...(sealed === undefined ? [] : [sealed.statement]),
          create(pool, row),
          poolLimit(id, 0, overcommit),
        ],
      };
    },
    saga: createPool,
    context: () => context,
    unwound: ({ poolId, secrets }) => [
      transition(pool, poolId, { from: 'creating', to: 'deleted' }),
      forgetPoolLimit(poolId),
      ...(secrets === undefined ? [] : [forgetSealed(secrets)]),
    ],
  });

/** Two pools in one place would each promise all of it. @throws CloudError name_taken */
function refuseTwin(alike: readonly RowOf<typeof pool>[], at: PoolPlace): void {
  const twin = twinAmong(alike, at);
  if (twin !== undefined)
    throw new CloudError('name_taken', `Pool ${twin.name} is at the same place.`, {
      pointer: '/settings',
      params: { field: 'settings', poolId: twin.id },
    });
}

type Standing = Omit<PoolPlace, 'driver' | 'settings'>;
const FIELD_OF = { host: 'hostId', cluster: 'clusterId', zone: 'zoneId' } as const;
type Places = { readonly [field in (typeof FIELD_OF)[keyof typeof FIELD_OF]]?: string };

/** The driver that was asked for, or the first one installed whose pools belong where this one is to be. @throws CloudError unsupported */
function factoryFor({ drivers, pools }: PoolContext, { driver, ...at }: Places & { readonly driver?: string }): StorageFactory {
  if (driver !== undefined) return pools.factory(driver);
  const factories = drivers().map((name) => pools.factory(name));
  return factories.find(({ scope }) => at[FIELD_OF[scope]] !== undefined) ?? factories[0] ?? pools.factory('');
}

/** Where the pool belongs by its driver's scope, and that this is in use. @throws CloudError invalid_input, not_found, conflict */
async function standing(
  reader: Reader,
  { name, scope }: StorageFactory,
  input: Places,
): Promise<{ readonly fields: Standing; readonly guard: Statement }> {
  for (const [other, field] of Object.entries(FIELD_OF))
    if (other !== scope && input[field] !== undefined)
      throw new CloudError('invalid_input', `Pools of ${name} belong to a ${scope}, not to a ${other}.`, { pointer: `/${field}` });
  const field = FIELD_OF[scope];
  const id = input[field];
  if (id === undefined)
    throw new CloudError('invalid_input', `Pools of ${name} belong to a ${scope}: give ${field}.`, { pointer: `/${field}` });
  if (scope === 'host') {
    const row = await reader.get(host, id, '/hostId');
    if (!row.roles.includes('storage'))
      throw new CloudError('conflict', `Host ${row.name} is for machines alone: its roles are without storage.`, { pointer: '/hostId' });
    return { fields: { hostId: row.id }, guard: expectState(host, row.id, ['enabled', 'disabled', 'maintenance']) };
  }
  if (scope === 'cluster') {
    const row = await reader.get(cluster, id, '/clusterId');
    return { fields: { clusterId: row.id }, guard: expectState(cluster, row.id, ['available']) };
  }
  const row = await reader.get(zone, id, '/zoneId');
  return { fields: { zoneId: row.id }, guard: expectState(zone, row.id, ['available']) };
}
