import { CloudError, isCloudError, NeverHappened, sleep } from '../../kernel/index.ts';
import type { Attachment, Call } from '../../strategy/index.ts';
import { instance } from '../compute/contract.ts';
import { patiently } from '../patient-call.ts';
import type { CloudServices } from '../services.ts';
import { ClassLimits } from './class-limits.ts';
import { volume } from './volume.ts';
import { type ReachContext, reachVolume } from './volume-reach.ts';
import { type UsedVolumeContext, usersOn } from './volume-user.ts';

/** What a move of a disk reaches that its machine goes on using. */
export type LiveContext = UsedVolumeContext & ReachContext & Pick<CloudServices, 'environment' | 'seeds'>;

/** Whose disk it is, while that is on: held from the acceptance to the end. */
export interface LiveUser {
  readonly id: string;
  readonly hostId: string;
}

export interface LiveMove {
  readonly volumeId: string;
  readonly fromPoolId: string;
  readonly toPoolId: string;
  /** Of what is copied while the guest goes on. */
  readonly bytesPerSecond?: number;
}

/** How often a machine that stands still is looked at. */
const LOOK_MS = 50;

/** The machine that has the volume, by what its host sees; undefined for one that is off. @throws CloudError unavailable */
export async function liveUser(ctx: UsedVolumeContext, volumeId: string, call: Call): Promise<LiveUser | undefined> {
  const [user] = await usersOn(ctx, await ctx.reader.get(volume, volumeId), call);
  return user === undefined ? undefined : { id: user.id, hostId: user.hostId };
}

const placeOf = async (ctx: LiveContext, { volumeId, toPoolId }: LiveMove, { hostId }: LiveUser, call: Call): Promise<Attachment> =>
  reachVolume(ctx, await ctx.reader.get(volume, volumeId), toPoolId, hostId, call);

/** All of it is in both pools then, and all that the guest writes from then on. */
export async function copyLive(ctx: LiveContext, move: LiveMove, user: LiveUser, call: Call): Promise<void> {
  // Not for as long as the copy may take, during which the machine is held: an answer that is lost is asked for again.
  const to = await patiently(ctx, call, (c) => placeOf(ctx, move, user, c));
  const { bytesPerSecond } = move;
  const limit = bytesPerSecond === undefined ? {} : { bytesPerSecond };
  await (await ctx.hosts.hypervisor(user.hostId)).copyDisk(user.id, move.volumeId, to, limit, call);
}

/** Back to the disk as it was. */
export async function endCopy(ctx: LiveContext, { volumeId, fromPoolId, toPoolId }: LiveMove, user: LiveUser, call: Call): Promise<void> {
  const hypervisor = await ctx.hosts.hypervisor(user.hostId);
  await patiently(ctx, call, (c) => hypervisor.cancelDiskCopy(user.id, volumeId, c));
  await patiently(ctx, call, (c) => leavePlace(ctx, { volumeId, poolId: toPoolId, staysIn: fromPoolId }, user.hostId, c));
}

interface LeftPlace {
  readonly volumeId: string;
  readonly poolId: string;
  /** Where the volume is. */
  readonly staysIn: string;
}

/** The host lets go of what a pool has of a volume that is in another, and of the key that it knew for that alone. Repeatable. */
export async function leavePlace(ctx: LiveContext, { volumeId, poolId, staysIn }: LeftPlace, hostId: string, call: Call): Promise<void> {
  const left = await ctx.pools.open(poolId);
  await left.releaseVolume(volumeId, await ctx.hosts.endpoint(hostId), call);
  if ((await ctx.reader.get(volume, volumeId)).encrypted !== true) return;
  const secretRef = left.keyRefOf(volumeId);
  if (secretRef === (await ctx.pools.open(staysIn)).keyRefOf(volumeId)) return;
  await (await ctx.hosts.hypervisor(hostId)).deleteSecret(secretRef, call);
}

/**
 * The guest stands still, and both places are the same, also on stable storage. From here until the row says where the disk is nothing lets it go on: so whatever dies meanwhile, the place that the
 * row names is right. @throws CloudError conflict where the copy has broken off
 */
export async function holdStill(ctx: LiveContext, move: LiveMove, user: LiveUser, call: Call): Promise<void> {
  const hypervisor = await ctx.hosts.hypervisor(user.hostId);
  await hypervisor.power('suspend', user.id, call);
  const to = await placeOf(ctx, move, user, call);
  for (;;) {
    const state = await hypervisor.lookAtDiskCopy(user.id, move.volumeId, to, call);
    if (state === 'both' || state === 'there') return;
    if (state !== 'copying') throw new CloudError('conflict', 'The copy has broken off, and the disk stays where it was; ask again.');
    await sleep(ctx.environment.timers, LOOK_MS, call.signal);
  }
}

/** The disk changes its place. @throws NeverHappened where it is certain that it has not, nor will */
export async function pivot(ctx: LiveContext, move: LiveMove, user: LiveUser, call: Call): Promise<void> {
  const to = await placeOf(ctx, move, user, call);
  try {
    await (await ctx.hosts.hypervisor(user.hostId)).pivotDisk(user.id, move.volumeId, to, call);
  } catch (error) {
    if (!isCloudError(error) || !NOTHING_CHANGED.has(error.code)) throw error;
    const why = 'The copy broke off, or the machine went off, and the disk stays where it was; ask again.';
    throw new NeverHappened(new CloudError('conflict', why, { cause: error }));
  }
}

const NOTHING_CHANGED: ReadonlySet<string> = new Set(['conflict', 'not_found']);

/** What its user has suspended stays so. */
export async function goOn(ctx: LiveContext, { id, hostId }: LiveUser, call: Call): Promise<void> {
  const hypervisor = await ctx.hosts.hypervisor(hostId);
  const { state } = await ctx.reader.get(instance, id);
  if (state === 'running' && (await hypervisor.inspect(id, call))?.power === 'paused') await hypervisor.power('resume', id, call);
}

/** What comes with the place: what its class allows, and beside a root disk the seed. Where the machine went off meanwhile its start brings both. */
export async function settle(ctx: LiveContext, { volumeId, toPoolId }: LiveMove, user: LiveUser, call: Call): Promise<void> {
  const hypervisor = await ctx.hosts.hypervisor(user.hostId);
  const row = await ctx.reader.get(volume, volumeId);
  const limits = { iopsPerSecond: 0, bytesPerSecond: 0, ...(await new ClassLimits(ctx.reader).of(row)) };
  try {
    if (hypervisor.offers('diskLimits')) await hypervisor.setDiskLimits(user.id, volumeId, limits, call);
    if (row.slot === 0) await ctx.seeds.move(user, toPoolId, call);
  } catch (error) {
    if (!isCloudError(error) || !NOTHING_CHANGED.has(error.code)) throw error;
    ctx.environment.logger.warn({ volumeId, error: error.publicMessage }, 'a disk was moved under a machine that is not on any more');
  }
}
