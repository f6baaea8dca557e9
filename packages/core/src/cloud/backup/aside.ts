import { describeChain, type Id, isCloudError, type Owed, timestamp } from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import { given } from '../naming.ts';
import { patiently } from '../patient-call.ts';
import { removeOrOwe, type StoragePool } from '../storage/contract.ts';
import type { Hypervisor } from '../topology/contract.ts';
import { refuseOtherOrMoved } from './backup-source.ts';
import type { BackupContext } from './context.ts';
import type { Manifest } from './manifest.ts';
import { Shelf } from './transfer.ts';
import { madeOf } from './unchanged.ts';

/** The machine that has the volume, and is on. Its pool is of its host alone, or the volume is held: neither changes meanwhile. */
export interface Live {
  readonly instanceId: Id<'instance'>;
  readonly hostId: Id<'host'>;
}

interface Wanted {
  readonly backupId: Id<'backup'>;
  readonly projectId: Id<'project'>;
  readonly storeId: Id<'backupStore'>;
  readonly volumeId: Id<'volume'>;
  readonly poolId: Id<'pool'>;
  readonly sizeBytes: number;
  readonly live: Live;
  readonly afresh?: true;
}

/** What was laid aside. */
export interface Aside {
  /** Nothing that was written before is missing. */
  readonly takenAt: string;
  /** The backup since which alone it has what was written; absent: it has all. */
  readonly since?: Id<'backup'>;
}

/** One at a time of a machine: so hypervisors have it. */
export const asideKey = ({ instanceId }: Live): string => `aside/${instanceId}`;

/** Of what is free: the rest is for what machines with disks in the same pool write meanwhile, which would stand still without it. */
const ROOM_SHARE = 0.9;
/** A guest does not hold its writes back for longer than this. */
const STILL_TIMEOUT_MS = 20_000;

/**
 * What is in the volume at one instant, beside it in its pool, while its machine goes on: a volume with the id of the backup, that no row tells of, and that goes when it was read. From that instant on the
 * hypervisor notes under the same id what is written, so that the next one is only of that. Whatever an earlier try has left goes first.
 * @throws CloudError conflict where the machine went off, or the volume is not what it was when this was accepted
 */
export async function layAside(ctx: BackupContext, params: Wanted, call: Call): Promise<Aside> {
  const { backupId, volumeId, poolId, sizeBytes, live } = params;
  await refuseOtherOrMoved(ctx, { ...params, userId: live.instanceId });
  const pool = await ctx.pools.open(poolId);
  const hypervisor = await ctx.hosts.hypervisor(live.hostId);
  await clearAside(ctx, { hypervisor, pool }, params, call);
  const since = await lastNoted(ctx, hypervisor, params, call);
  await patiently(ctx, call, (c) => pool.createVolume({ id: backupId, sizeBytes }, c));
  const endpoint = await ctx.hosts.endpoint(live.hostId);
  const to = await patiently(ctx, call, (c) => pool.attachVolume(backupId, endpoint, c));
  const begin = async (takenBytes: number) => {
    const { freeBytes } = await patiently(ctx, call, (c) => pool.capacity(c));
    return whileStill(ctx, hypervisor, live, call, async (c) => {
      const at = timestamp(ctx.environment.clock);
      const wanted = {
        volumeId,
        to,
        trail: backupId,
        roomBytes: Math.max(0, Math.floor(freeBytes * ROOM_SHARE) - takenBytes),
        ...given({ since }),
      };
      return { mostBytes: sizeBytes, ...(await hypervisor.beginDiskBackup(live.instanceId, wanted, c)), takenAt: at };
    });
  };
  const copy = () => hypervisor.finishDiskBackup(live.instanceId, volumeId, to, call);
  const { takenAt, isPart } = await ctx.asideRoom.lay(params, begin, copy, call);
  return { takenAt, ...(isPart ? given({ since }) : {}) };
}

/** With an agent in the guest its file systems are whole then; without one it is as after a loss of power. */
async function whileStill<T>(
  { environment }: BackupContext,
  hypervisor: Hypervisor,
  { instanceId }: Live,
  call: Call,
  take: (call: Call) => Promise<T>,
): Promise<T> {
  const brief = { ...call, timeoutMs: Math.min(call.timeoutMs, STILL_TIMEOUT_MS) };
  const isAsked = hypervisor.offers('quiesce');
  try {
    if (isAsked) await hypervisor.freeze(instanceId, brief).catch(unlessSilent);
    return await take(brief);
  } finally {
    // Also where this was cancelled. What cannot be let go now a look at the host does: the machine shows that it may be held.
    const goOn = { requestId: call.requestId, signal: new AbortController().signal, timeoutMs: STILL_TIMEOUT_MS };
    if (isAsked)
      await hypervisor.thaw(instanceId, goOn).catch((error: unknown) => {
        environment.logger.warn({ instanceId, error: describeChain(error) }, 'a guest that may hold writes back was not thawed yet');
      });
  }
}

/** No agent answers in this guest, or it is paused. */
function unlessSilent(error: unknown): void {
  if (!isCloudError(error) || !['unsupported', 'conflict'].includes(error.code)) throw error;
}

/** The last backup in the store since which the hypervisor may have noted what was written, and of which all is there. */
async function lastNoted(ctx: BackupContext, hypervisor: Hypervisor, params: Wanted, call: Call): Promise<Id<'backup'> | undefined> {
  const { volumeId, storeId, live } = params;
  const made = await madeOf(ctx.reader, volumeId, storeId);
  if (params.afresh === true || made[0]?.condition === 'damaged') return undefined;
  const trails = new Set(await patiently(ctx, call, (c) => hypervisor.trails(live.instanceId, volumeId, c)));
  const last = made.find(({ id }) => trails.has(id));
  if (last === undefined || last.condition === 'damaged') return undefined;
  return (await notedManifest(ctx, { ...params, since: last.id }, call)) === undefined ? undefined : last.id;
}

/**
 * What the changes are laid over. Nobody keeps that backup from being deleted: what it has stays all the same for a backup at work, unless it is condemned already.
 */
export async function notedManifest(
  ctx: BackupContext,
  { since, sizeBytes, ...place }: Omit<Wanted, 'live'> & { readonly since: string },
  call: Call,
): Promise<Manifest | undefined> {
  const shelf = await Shelf.open(ctx, place);
  const manifest = await shelf.manifest(since, call);
  if (manifest?.head.sizeBytes !== sizeBytes) return undefined;
  return (await shelf.unusable(call)).size === 0 ? manifest : undefined;
}

interface Places {
  readonly hypervisor: Hypervisor;
  readonly pool: StoragePool;
}

async function clearAside(ctx: BackupContext, { hypervisor, pool }: Places, params: Wanted, call: Call): Promise<void> {
  const { backupId, volumeId, live } = params;
  await patiently(ctx, call, (c) => hypervisor.cancelDiskBackup(live.instanceId, volumeId, backupId, c));
  await patiently(ctx, call, (c) => pool.deleteVolume(backupId, c));
}

interface Step {
  readonly ctx: BackupContext;
  readonly params: Wanted;
  readonly call: Call;
  readonly owe: (debt: Owed) => void;
}

/** As if nothing had been asked for. A copy under a machine that its host does not tell of goes with it, or ends in a file without a name. */
export async function takeBackAside(step: Step): Promise<void> {
  const { ctx, params, call } = step;
  const { live, volumeId, backupId, poolId } = params;
  if (await ctx.hosts.reachable(live.hostId)) {
    const hypervisor = await ctx.hosts.hypervisor(live.hostId);
    await patiently(ctx, call, (c) => hypervisor.cancelDiskBackup(live.instanceId, volumeId, backupId, c));
  }
  await removeOrOwe(step, 'volume.delete', poolId, backupId);
}

/** It was read: it goes, and with it what was noted since backups that are not the last of their store. */
export async function leaveAside(step: Step): Promise<void> {
  const { ctx, params, call } = step;
  const { live, volumeId, backupId, poolId } = params;
  await removeOrOwe(step, 'volume.delete', poolId, backupId);
  try {
    const hypervisor = await ctx.hosts.hypervisor(live.hostId);
    const trails = await hypervisor.trails(live.instanceId, volumeId, call);
    const kept = await lastOfEach(ctx, volumeId, new Set(trails));
    if (trails.some((trail) => !kept.includes(trail))) await hypervisor.keepTrails(live.instanceId, volumeId, kept, call);
  } catch (error) {
    // The next backup does it.
    if (!isCloudError(error) || call.signal.aborted) throw error;
    ctx.environment.logger.info({ volumeId, error: error.publicMessage }, 'what is noted of a volume was not tidied');
  }
}

async function lastOfEach({ reader }: BackupContext, volumeId: string, trails: ReadonlySet<string>): Promise<readonly string[]> {
  const last = new Map<string, string>();
  for (const row of await madeOf(reader, volumeId)) if (trails.has(row.id) && !last.has(row.storeId)) last.set(row.storeId, row.id);
  return [...last.values()];
}

/** Whether the hypervisor and the pool of a volume do it together. */
export const canLayAside = (hypervisor: Hypervisor, pool: StoragePool): boolean => pool.tellsWritten && hypervisor.offers('diskBackup');
