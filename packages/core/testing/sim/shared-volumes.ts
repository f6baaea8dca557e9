import type { Call, StorageDriver } from '../../src/strategy/index.ts';
import { SimError } from './fault.ts';
import type { SimPool } from './pool.ts';
import type { SimShared, SimStored } from './stored.ts';

type Shareable = NonNullable<StorageDriver['shareable']>;
type Ask = <T>(command: string, call: Call, apply: (pool: SimPool) => T) => Promise<T>;

/** @param canFence as pools of Ceph can, and not folders of hosts */
export const shareableOf = (ask: Ask, canFence: boolean): Shareable => ({
  create: ({ id, sizeBytes }, call) => ask('shareable.create', call, (pool) => pool.createShareable(id, sizeBytes)),
  ...(canFence && {
    fence: {
      learn: (volumeId, machineId, call) => ask('shareable.fence.learn', call, (pool) => learn(pool, volumeId, machineId)),
      clients: (volumeId, machineId, call) => ask('shareable.fence.clients', call, (pool) => known(pool, volumeId, machineId)),
      exclude: (volumeId, machineId, call) => ask('shareable.fence.exclude', call, (pool) => exclude(pool, volumeId, machineId)),
      forget: (volumeId, machineId, call) =>
        ask('shareable.fence.forget', call, (pool) => void pool.find('volume', volumeId)?.shared?.known.delete(machineId)),
    },
  }),
});

function need(pool: SimPool, volumeId: string): SimStored & { readonly shared: SimShared } {
  const volume = pool.find('volume', volumeId);
  if (volume === undefined) throw new SimError('not_found', `no volume ${volumeId} in the pool`);
  if (volume.shared === undefined) throw new SimError('conflict', `volume ${volumeId} is not shareable`);
  return volume as SimStored & { readonly shared: SimShared };
}

const known = (pool: SimPool, volumeId: string, machineId: string): readonly string[] =>
  need(pool, volumeId).shared.known.get(machineId) ?? [];

/** Who can be seen to have it open, and is not known to be another machine's. */
function unknown({ clients, shared }: ReturnType<typeof need>, machineId?: string): readonly string[] {
  const others = new Set([...shared.known].flatMap(([id, theirs]) => (id === machineId ? [] : theirs)));
  return [...clients, ...shared.users].filter((client) => !shared.hidden.has(client) && !others.has(client));
}

function learn(pool: SimPool, volumeId: string, machineId: string): number {
  const volume = need(pool, volumeId);
  const found = unknown(volume, machineId);
  // What a pool cannot know, and is wrong: two machines were let open it at the same time, or nobody was told of one.
  const anothers = found.find((client) => volume.shared.users.has(client) && !client.endsWith(`/${machineId}`));
  if (anothers !== undefined && found.length === 1)
    pool.violation(`client ${anothers} of volume ${volumeId} was learned as one of ${machineId}`);
  const hosts = new Set(found.map((client) => client.split('/')[0]));
  const certain = volume.clients.size === 0 && hosts.size > 1 ? [] : found;
  volume.shared.known.set(machineId, certain);
  return certain.length;
}

function exclude(pool: SimPool, volumeId: string, machineId: string): number {
  const volume = need(pool, volumeId);
  const theirs = volume.shared.known.get(machineId) ?? [];
  if (theirs.length === 0) throw new SimError('conflict', `nobody is known to have volume ${volumeId} open for ${machineId}`);
  const strangers = unknown(volume);
  if (strangers.length > 0) throw new SimError('unavailable', `volume ${volumeId} is open at ${strangers.join()}, who is nobody's`);
  for (const client of theirs) {
    volume.shutOut.add(client);
    volume.clients.delete(client);
    volume.shared.users.delete(client);
  }
  return theirs.length;
}
