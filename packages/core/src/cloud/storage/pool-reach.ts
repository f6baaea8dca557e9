import { type TObject, Type } from 'typebox';
import {
  announce,
  change,
  describeChain,
  type Endpoint,
  equals,
  type Id,
  isCloudError,
  lookUp,
  type RowOf,
  readPermission,
  timestamp,
} from '../../kernel/index.ts';
import type { CloudServices } from '../services.ts';
import { cluster, host, hostReach } from '../topology/contract.ts';
import { hostPoolReached, hostPoolUnreached } from './points.ts';
import { pool } from './pool.ts';

type PoolRow = RowOf<typeof pool>;
type HostRow = RowOf<typeof host>;
type Unreached = NonNullable<HostRow['unreachedPools']>[number];

/** What the last look at a host has found. */
interface Seen {
  /** Pools. */
  readonly reached: ReadonlySet<string>;
  /** By pool that it is to reach: looks in a row that did not get there. */
  readonly misses: ReadonlyMap<string, number>;
}

/** As many as of a pool, so that one that is away shows first for what it is. */
const MISSES_MAX = 3;
const REASON_MAX = 256;
const NAMED_MAX = 4;

/**
 * Whether each host reaches the pools that it shares with others, while these are well: a pool is looked at through one of its hosts, or by this server, and tells
 * nothing of the way from the others. By what somebody on the host can connect to; of hosts where nobody is, and of pools that name no place, nothing is known.
 */
export class PoolReach {
  readonly #services: CloudServices;
  /** By host, the one that was looked at longest ago first. */
  readonly #seen = new Map<string, Seen>();

  constructor(services: CloudServices) {
    this.#services = services;
  }

  /** `pools` are those that the host is to reach, as far as they are well. */
  async look(hostId: string, pools: readonly PoolRow[], signal: AbortSignal): Promise<void> {
    try {
      await this.#look(hostId, pools.filter(isWatched), signal);
    } catch (error) {
      if (!signal.aborted)
        this.#services.environment.logger.warn({ hostId, error: describeChain(error) }, 'look at what a host reaches failed');
    }
  }

  /** Known by the last look at the host; undefined where it is not known. */
  reaches(row: Pick<HostRow, 'id' | 'unreachedPools'>, poolId: string): boolean | undefined {
    if (row.unreachedPools?.some((each) => each.poolId === poolId)) return false;
    return this.#seen.get(row.id)?.reached.has(poolId) === true ? true : undefined;
  }

  async #look(hostId: string, shared: readonly PoolRow[], signal: AbortSignal): Promise<void> {
    const { reader, kernel } = this.#services;
    const { hooks } = kernel().registry;
    const places = await this.#placesOf(shared);
    const all = [...new Set([...places.values()].flat())];
    const told =
      all.length === 0 ? undefined : (await hooks.collect(hostReach, { hostId, places: all, signal })).find((each) => each !== undefined);
    if (told === 'away') return;
    const row = await reader.find(host, hostId);
    if (row === undefined || row.deletedAt !== undefined) return;
    const before = row.unreachedPools ?? [];
    const missed = this.#seen.get(hostId)?.misses;
    const [reached, misses] = [new Set<string>(), new Map<string, number>()];
    const now: Unreached[] = [];
    for (const { id } of shared) {
      const seen = told === undefined ? undefined : reasonOf(places.get(id) ?? [], told);
      const known = before.find(({ poolId }) => poolId === id);
      if (seen === '') reached.add(id);
      if (seen === undefined || seen === '') continue;
      const count = (missed?.get(id) ?? 0) + 1;
      misses.set(id, count);
      if (known !== undefined) now.push({ ...known, reason: seen });
      else if (count >= MISSES_MAX) now.push({ poolId: id, reason: seen, since: timestamp(this.#services.environment.clock) });
    }
    this.#seen.delete(hostId);
    this.#seen.set(hostId, { reached, misses });
    await this.#forgetGone();
    await this.#show(row, before, now, reached);
  }

  /** Those that are there are looked at again and again: one that is not is soon the first. */
  async #forgetGone(): Promise<void> {
    const [oldest = ''] = this.#seen.keys();
    const row = await this.#services.reader.find(host, oldest);
    if (row === undefined || row.deletedAt !== undefined) this.#seen.delete(oldest);
  }

  async #placesOf(rows: readonly PoolRow[]): Promise<ReadonlyMap<string, readonly string[]>> {
    const places = new Map<string, readonly string[]>();
    for (const { id } of rows)
      try {
        places.set(id, (await this.#services.pools.open(id)).endpoints);
      } catch (error) {
        // What cannot be opened is told of with the pool.
        if (!isCloudError(error)) throw error;
      }
    return places;
  }

  /** As long as nothing else has changed the row: else the next look decides. */
  async #show(row: HostRow, before: readonly Unreached[], now: Unreached[], reached: ReadonlySet<string>): Promise<void> {
    const wordsOf = (all: readonly Unreached[]) => all.map(({ poolId, reason }) => `${poolId} ${reason}`).join();
    if (wordsOf(before) === wordsOf(now)) return;
    const { kernel, ids } = this.#services;
    const hostId = row.id as Id<'host'>;
    const has = (all: readonly Unreached[], id: string) => all.some(({ poolId }) => poolId === id);
    await kernel().observe([
      change(host, hostId, { unreachedPools: now.length === 0 ? null : now }, { generation: row.generation }),
      ...now
        .filter(({ poolId }) => !has(before, poolId))
        .map(({ poolId, reason }) => announce(hostPoolUnreached, ids.mint('notice'), { hostId, poolId, reason })),
      ...before
        .filter(({ poolId }) => reached.has(poolId))
        .map(({ poolId }) => announce(hostPoolReached, ids.mint('notice'), { hostId, poolId })),
    ]);
  }
}

const isWatched = ({ scope, state }: PoolRow): boolean => scope !== 'host' && (state === 'available' || state === 'disabled');

/** Empty where one of the places answers; undefined of a pool without any. */
function reasonOf(places: readonly string[], told: Readonly<Record<string, string>>): string | undefined {
  const answers = places.flatMap((place) => (told[place] === undefined ? [] : [[place, told[place]] as const]));
  if (answers.length === 0) return undefined;
  if (answers.some(([, why]) => why === '')) return '';
  const named = answers.slice(0, NAMED_MAX).map(([place, why]) => `${place}: ${why}`);
  return named.join(', ').slice(0, REASON_MAX);
}

/** By what the last looks have found: nothing is looked at. */
export const poolHosts = ({ reader }: Pick<CloudServices, 'reader'>, reach: PoolReach): Endpoint => ({
  type: 'value',
  method: 'GET',
  path: '/pools/{id}/hosts',
  summary: 'Which of the hosts that are to reach a pool do, by what their agents can connect to.',
  permission: readPermission(pool),
  scope: 'cloud',
  answer: Type.Object({
    reached: Type.Integer({ description: 'How many do.' }),
    unreached: Type.Integer({ description: 'How many do not.' }),
    unknown: Type.Integer({
      description: 'Of how many it is not known: they have no agent, the pool is away itself, or its driver names no place to connect to.',
    }),
    hosts: Type.Array(
      Type.Object({
        hostId: Type.String({ format: 'uuid' }),
        name: Type.String(),
        isReached: Type.Optional(Type.Boolean({ description: 'Absent where it is not known.' })),
        reason: Type.Optional(Type.String({ description: 'Why not.' })),
        since: Type.Optional(Type.String({ format: 'date-time', description: 'Since when it has not been.' })),
      }),
    ),
  }) as TObject,
  handle: async ({ principal, params }) => {
    const row = (await lookUp(reader, pool, params.id ?? '', principal)).row as PoolRow;
    const hosts = (await hostsOf(reader, row)).map((each) => {
      const isReached = row.scope === 'host' ? ofOwnHost(row) : reach.reaches(each, row.id);
      const why = each.unreachedPools?.find(({ poolId }) => poolId === row.id);
      return {
        hostId: each.id,
        name: each.name,
        ...(isReached === undefined ? {} : { isReached }),
        ...(why === undefined ? {} : { reason: why.reason, since: why.since }),
      };
    });
    const count = (is: boolean | undefined) => hosts.filter(({ isReached }) => isReached === is).length;
    return { reached: count(true), unreached: count(false), unknown: count(undefined), hosts };
  },
});

/** It is looked at through its host alone. */
const ofOwnHost = ({ status }: PoolRow): boolean => status === 'connected';

async function hostsOf(reader: CloudServices['reader'], row: PoolRow): Promise<readonly HostRow[]> {
  if (row.hostId !== undefined && row.scope === 'host') return [await reader.get(host, row.hostId)];
  const clusterIds =
    row.scope === 'cluster'
      ? [String(row.clusterId)]
      : (await reader.list(cluster, equals('zoneId', String(row.zoneId)))).map(({ id }) => id);
  const rows = (await Promise.all(clusterIds.map((id) => reader.list(host, equals('clusterId', id))))).flat();
  return rows.sort((a, b) => (a.name < b.name ? -1 : 1));
}
