import { type TObject, Type } from 'typebox';
import {
  type Endpoint,
  isVisible,
  lookUp,
  type Principal,
  type Reader,
  type RowOf,
  readPermission,
  timestampOf,
} from '../../kernel/index.ts';
import { instance } from '../compute/contract.ts';
import type { CloudServices } from '../services.ts';
import { host } from '../topology/contract.ts';
import { pool } from './pool.ts';
import { advanced, allowedMs, DAY_MS, type Outage, type Probed, seconds, WINDOW_DAYS } from './pool-availability.ts';
import { poolTarget } from './settings.ts';
import { outageList, volume } from './volume.ts';

type VolumeRow = RowOf<typeof volume>;
type PoolRow = RowOf<typeof pool>;
type PastPools = NonNullable<VolumeRow['pastPools']>;

const PAST_POOLS_MAX = 100;
/** Of which the machines are asked for at once: a query holds a value for each. */
const HOSTS_AT_ONCE = 200;

/** What is told of a pool's outages to who may not see pools: its reasons name hosts and addresses. */
const POOL_AWAY = 'Its pool could not be had.';
const CUT_OFF = 'The host of its machine does not reach its pool.';
const MISSING = 'Its pool does not have it.';

/** With the pool that it has left. */
export const pastPoolsWith = ({ pastPools = [] }: Pick<VolumeRow, 'pastPools'>, left: PastPools[number], nowMs: number): PastPools =>
  [...pastPools.filter(({ until }) => Date.parse(until) > nowMs - WINDOW_DAYS * DAY_MS), left].slice(-PAST_POOLS_MAX);

/** The machines whose hosts do not reach the pool, though it is well, and since when. */
export async function machinesCutOff(
  { reader, slices }: Pick<CloudServices, 'reader' | 'slices'>,
  at: PoolRow,
): Promise<ReadonlyMap<string, number>> {
  if (at.scope === 'host') return new Map();
  const hosts = new Map<string | undefined, number>();
  // Mostly there is none, of however many.
  for (const { id, unreachedPools = [] } of await slices.list(reader, host, { field: 'unreachedPools', op: 'not null' }))
    for (const { poolId, since } of unreachedPools) if (poolId === at.id) hosts.set(id, Date.parse(since));
  const hostIds = [...hosts.keys()] as string[];
  const cutOff = new Map<string, number>();
  for (let from = 0; from < hostIds.length; from += HOSTS_AT_ONCE) {
    const where = { field: 'hostId', op: 'in', value: hostIds.slice(from, from + HOSTS_AT_ONCE) } as const;
    for (const { id, hostId } of await slices.list(reader, instance, where)) cutOff.set(id, hosts.get(hostId) ?? 0);
  }
  return cutOff;
}

/** What a look at its pool changes of the outages that are a volume's own; undefined where nothing does. `cutOffMs`: since when its host does not reach the pool. */
export function ownOutages(
  { outages = [] }: Pick<VolumeRow, 'outages'>,
  { nowMs, status, cutOffMs }: Pick<Probed, 'nowMs'> & { readonly status: VolumeRow['status']; readonly cutOffMs: number | undefined },
): { readonly outages: Outage[] | null } | undefined {
  const isCutOff = status === 'present' && cutOffMs !== undefined;
  const probed = { nowMs, ...(isCutOff && { sinceMs: cutOffMs }), reason: status === 'missing' ? MISSING : isCutOff ? CUT_OFF : undefined };
  const { now, isSame } = advanced(outages, probed);
  return isSame ? undefined : { outages: now.length === 0 ? null : now };
}

/** In the trash, and on its way out, it is not looked for: an outage that was open then has ended there. Undefined where none was. */
export function endedOutages({
  state,
  outages = [],
  trash,
  updatedAt,
}: Pick<VolumeRow, 'state' | 'outages' | 'trash' | 'updatedAt'>): { readonly outages: Outage[] } | undefined {
  if (state !== 'trashed' && state !== 'deleting') return undefined;
  // By itself a row that is being deleted does not change any more.
  const { now, isSame } = advanced(outages, { nowMs: Date.parse(trash?.at ?? updatedAt), reason: undefined });
  return isSame ? undefined : { outages: now };
}

interface Stay {
  readonly poolId: string;
  readonly fromMs: number;
  readonly toMs: number;
}

/** Where it was, since then. */
function staysOf({ poolId, pastPools = [] }: VolumeRow, sinceMs: number, nowMs: number): readonly Stay[] {
  const past = pastPools.map((each) => ({ poolId: each.poolId, toMs: Date.parse(each.until) })).filter(({ toMs }) => toMs > sinceMs);
  return [...past, { poolId, toMs: nowMs }].map((each, index) => ({ ...each, fromMs: past[index - 1]?.toMs ?? sinceMs }));
}

interface Lost {
  readonly fromMs: number;
  readonly toMs: number;
  /** While it was asked. */
  readonly lasts: boolean;
  readonly reason: string;
}

/** The part of them in that time, of which `nowMs` may be the end. */
const within = (outages: readonly Outage[], { fromMs, toMs }: Omit<Stay, 'poolId'>, nowMs: number): readonly Lost[] =>
  outages
    .map(({ from, to, reason }) => ({
      fromMs: Math.max(fromMs, Date.parse(from)),
      toMs: Math.min(toMs, to === undefined ? nowMs : Date.parse(to)),
      lasts: to === undefined && toMs === nowMs,
      reason,
    }))
    .filter((each) => each.toMs > each.fromMs);

/** Together; what two of them have in common counts once. */
function lostMs(earliestFirst: readonly Lost[]): number {
  let [sumMs, endMs] = [0, 0];
  for (const { fromMs, toMs } of earliestFirst) {
    sumMs += Math.max(0, toMs - Math.max(fromMs, endMs));
    endMs = Math.max(endMs, toMs);
  }
  return sumMs;
}

async function lostWithPools(reader: Reader, principal: Principal, stays: readonly Stay[], nowMs: number): Promise<readonly Lost[]> {
  const lost: Lost[] = [];
  for (const stay of stays) {
    const row = await reader.find(pool, stay.poolId);
    const found = within(row?.outages ?? [], stay, nowMs);
    if (row === undefined || found.length === 0) continue;
    const may = readPermission(pool);
    const isSeen = principal.allows(may) && (await isVisible(pool, row, principal, may, reader));
    lost.push(...found.map((each) => (isSeen ? each : { ...each, reason: POOL_AWAY })));
  }
  return lost;
}

/** By what the looks at pools and hosts have found: nothing is looked at. */
export const volumeAvailability = ({
  reader,
  environment,
  settings,
}: Pick<CloudServices, 'reader' | 'environment' | 'settings'>): Endpoint => ({
  type: 'value',
  method: 'GET',
  path: '/volumes/{id}/availability',
  summary:
    'How much of the last days a volume could be had: by the outages of the pools that it was in, while it was there, the times in which the host of its machine did not reach its pool, and those in which that did not have it.',
  permission: readPermission(volume),
  scope: 'project',
  query: Type.Object({
    days: Type.Optional(Type.Integer({ minimum: 1, maximum: WINDOW_DAYS, description: `How many. Default: ${WINDOW_DAYS}.` })),
  }),
  answer: Type.Object({
    since: Type.String({ format: 'date-time', description: 'Since when that is told: the beginning of the days, or of the volume.' }),
    availableShare: Type.Number({ minimum: 0, maximum: 1, description: 'Of the time since then.' }),
    target: Type.Number({
      minimum: 0,
      maximum: 1,
      description: 'What it is to be over the days, by the setting pools.availabilityTarget.',
    }),
    isBelowTarget: Type.Boolean({ description: 'Whether more of the days was lost than that leaves.' }),
    outageSeconds: Type.Number({ minimum: 0, description: 'In all. What several outages have in common counts once.' }),
    budgetLeftSeconds: Type.Number({ minimum: 0, description: 'For so long it may yet be away within these days.' }),
    outages: outageList('Since then, the last one last. Why a pool was away is told to who may see pools.'),
  }) as TObject,
  handle: async ({ principal, params, query }) => {
    const row = (await lookUp(reader, volume, params.id ?? '', principal)).row as VolumeRow;
    const nowMs = environment.clock.nowMs();
    const windowMs = Number(query.days ?? WINDOW_DAYS) * DAY_MS;
    const sinceMs = Math.min(nowMs, Math.max(nowMs - windowMs, Date.parse(row.createdAt)));
    const lost = [
      ...(await lostWithPools(reader, principal, staysOf(row, sinceMs, nowMs), nowMs)),
      ...within(endedOutages(row)?.outages ?? row.outages ?? [], { fromMs: sinceMs, toMs: nowMs }, nowMs),
    ].sort((a, b) => a.fromMs - b.fromMs);
    const [target, ms] = [settings.global(poolTarget), lostMs(lost)];
    const leftMs = allowedMs(target, windowMs) - ms;
    return {
      since: timestampOf(sinceMs),
      availableShare: nowMs === sinceMs ? 1 : 1 - ms / (nowMs - sinceMs),
      target,
      isBelowTarget: leftMs < 0,
      outageSeconds: seconds(ms),
      budgetLeftSeconds: seconds(Math.max(0, leftMs)),
      outages: lost.map(({ fromMs, toMs, lasts, reason }) => ({
        from: timestampOf(fromMs),
        ...(lasts ? {} : { to: timestampOf(toMs) }),
        reason,
      })),
    };
  },
});
