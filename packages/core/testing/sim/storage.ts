import type {
  Call,
  Content,
  Extent,
  HostEndpoint,
  NewVolume,
  PoolEndpoint,
  StorageDriver,
  StorageFactory,
  StoredKind,
} from '../../src/strategy/index.ts';
import type { StorageFeature } from '../conformance/storage-stage.ts';
import { SimContent } from './content.ts';
import { writtenIn } from './disk-backup.ts';
import { SimError } from './fault.ts';
import type { DriverEnvironment, Request } from './link.ts';
import { SimLink } from './link.ts';
import { marked, setMark } from './marks.ts';
import { passphraseRef, type SimPool, secretRef } from './pool.ts';
import { shareableOf } from './shared-volumes.ts';
import { userOn } from './stored.ts';
import { hostnameOf } from './uri.ts';
import type { SimWorld } from './world.ts';

/** Reads the content to its end and checks that it is as long as it says. */
async function readThrough(content: Content, stop: AbortSignal, onProgress: ((fraction: number) => void) | undefined): Promise<SimContent> {
  let bytes = 0;
  let read = SimContent.EMPTY;
  for await (const piece of content.open()) {
    if (stop.aborted) return read;
    read = read.written(bytes, piece);
    bytes += piece.byteLength;
    onProgress?.(Math.min(1, bytes / content.sizeBytes));
  }
  if (bytes !== content.sizeBytes) throw new SimError('invalid', `the content has ${bytes} bytes instead of ${content.sizeBytes}`);
  return read;
}

interface Ground {
  readonly world: SimWorld;
  readonly environment: DriverEnvironment;
  readonly without: readonly string[];
}

const SECTOR_BYTES = 512;
const OTHERS_PAGE = 10;

type Ask = <T>(command: string, call: Request<T>['call'], apply: (pool: SimPool) => T) => Promise<T>;

const snapshotsOf = (ask: Ask): NonNullable<StorageDriver['snapshots']> => ({
  create: (ref, call) => ask('snapshots.create', call, (pool) => pool.createSnapshot(ref)),
  delete: (ref, call) => ask('snapshots.delete', call, (pool) => pool.deleteSnapshot(ref)),
  revert: (ref, call) => ask('snapshots.revert', call, (pool) => pool.revert(ref)),
  flatten: (volumeId, call) => ask('snapshots.flatten', call, (pool) => pool.flatten(volumeId)),
  list: (volumeId, call) => ask('snapshots.list', call, (pool) => pool.snapshotsOf(volumeId)),
});

const othersOf = (ask: Ask): NonNullable<StorageDriver['others']> => ({
  list: ({ after = '' }, call) =>
    ask('others.list', call, ({ others }) => {
      const names = [...others.keys()].filter((name) => name > after).sort();
      const disks = names.slice(0, OTHERS_PAGE).map((name) => ({ name, sizeBytes: others.get(name)?.sizeBytes ?? 0 }));
      const last = disks.at(-1)?.name;
      return { disks, ...(names.length > OTHERS_PAGE && last !== undefined ? { next: last } : {}) };
    }),
  look: (name, headBytes, call) =>
    ask('others.look', call, ({ others }) => {
      const disk = others.get(name);
      if (disk === undefined) throw new SimError('not_found', `there is no disk ${name}`);
      if (disk.isUnfit === true) throw new SimError('conflict', `disk ${name} is a clone`);
      return { sizeBytes: disk.sizeBytes, head: disk.content.read(0, Math.min(headBytes, disk.sizeBytes)) };
    }),
  adopt: (name, id, call) => ask('others.adopt', call, (pool) => pool.adopt(name, id)),
  giveBack: (name, id, call) => ask('others.giveBack', call, (pool) => pool.giveBack(name, id)),
});

const marksOf = (ask: Ask): NonNullable<StorageDriver['marks']> => ({
  set: (volumeId, word, call) => ask('marks.set', call, (pool) => setMark(pool, volumeId, word)),
  get: (volumeId, call) => ask('marks.get', call, (pool) => marked(pool, volumeId).mark),
});

/** @param tells where volumes were written to, as folders of hosts do */
const contentsOf = (ask: Ask, tells: boolean): NonNullable<StorageDriver['contents']> => ({
  ...(tells && {
    async *written(volumeId: string, within: Omit<Extent, 'hasData'>, call: Call) {
      yield* await ask('contents.written', call, (pool) => writtenIn(pool, volumeId, within));
    },
  }),
  async *changes(ref, sinceId, call) {
    yield* await ask('contents.changes', call, (pool) => pool.changes(ref, sinceId));
  },
  read: (ref, offsetBytes, lengthBytes, call) => ask('contents.read', call, (pool) => pool.read(ref, offsetBytes, lengthBytes)),
  write: (volumeId, offsetBytes, bytes, call) => ask('contents.write', call, (pool) => pool.writeUnused({ volumeId }, offsetBytes, bytes)),
});

/** @param isLive as of pools of Ceph, and not of folders of hosts */
const keysOf = (ask: Ask, isLive: boolean): NonNullable<NonNullable<StorageDriver['encryption']>['keys']> => ({
  add: (id, key, added, call) => ask('keys.add', call, (at) => at.addKey(id, key, added)),
  keep: (id, key, call) => ask('keys.keep', call, (at) => at.keepKey(id, key)),
  ...(isLive && {
    live: {
      add: (id, key, added, call) => ask('keys.live.add', call, (at) => at.addKey(id, key, added, 'in use')),
      keep: (id, key, call) => ask('keys.live.keep', call, (at) => at.keepKey(id, key, 'in use')),
    },
  }),
});

/** @param needsZeroes as pools of Ceph do */
const lockedContentsOf = (ask: Ask, needsZeroes: boolean): NonNullable<NonNullable<StorageDriver['encryption']>['contents']> => ({
  async *changes(ref, sinceId, call) {
    yield* await ask('lockedContents.changes', call, (pool) => pool.changes(ref, sinceId));
  },
  read: (ref, offsetBytes, lengthBytes, call) =>
    ask('lockedContents.read', call, (pool) => pool.read(ref, wholeSectors(offsetBytes, lengthBytes), lengthBytes)),
  write: (ref, offsetBytes, bytes, call) =>
    ask('lockedContents.write', call, (pool) => pool.writeUnused(ref, wholeSectors(offsetBytes, bytes.byteLength), bytes)),
  needsZeroes,
});

function wholeSectors(offsetBytes: number, lengthBytes: number): number {
  if (offsetBytes % SECTOR_BYTES !== 0 || lengthBytes % SECTOR_BYTES !== 0)
    throw new SimError('invalid', `${lengthBytes} bytes at ${offsetBytes} are no whole sectors`);
  return offsetBytes;
}

const keptOf = (ask: Ask, offers: (feature: StorageFeature) => boolean, tells: boolean) => ({
  ...(offers('snapshots') && { snapshots: snapshotsOf(ask) }),
  ...(offers('contents') && { contents: contentsOf(ask, tells) }),
});

/** Who may have it open is looked at when it is asked, not when it lands. */
const releaseOf =
  (ask: Ask, known: () => SimPool | undefined): StorageDriver['volumes']['release'] =>
  (id, host, call) => {
    const pool = known();
    const volume = pool?.find('volume', id);
    const user = volume && userOn(volume, hostnameOf(host));
    if (user !== undefined) pool?.violation(`volume ${id} was released under ${user}`);
    return ask('volumes.release', call, (at) => at.release(id, hostnameOf(host)));
  };

function absent(poolId: string): never {
  throw new SimError('not_found', `no pool ${poolId}`);
}

/** One pool, by its place: on a host, or on the shared site when `hostname` is undefined. */
function openPool(
  { world, environment, without }: Ground,
  {
    poolId,
    hostname,
    keyholder,
    key,
  }: { readonly poolId: string; readonly hostname?: string; readonly keyholder?: string | undefined; readonly key?: string | undefined },
): StorageDriver {
  const link = new SimLink(world, () => (hostname === undefined ? world.shared : world.hosts.get(hostname)?.site), environment);
  const known = () => world.pools.get(hostname === undefined ? poolId : `${hostname}/${poolId}`);
  const pool = (): SimPool => {
    const found = known() ?? absent(poolId);
    if (hostname === undefined) found.admit(keyholder, key);
    return found;
  };
  const ask: Ask = (command, call, apply) => link.ask({ command, call, apply: () => apply(pool()) });
  const remove = (command: string, kind: StoredKind) => (id: string, call: Request<void>['call']) =>
    ask(command, call, (at) => at.delete(kind, id));
  const offers = (feature: StorageFeature) => !without.includes(feature);
  return {
    ensurePool: (call) =>
      link.ask({
        command: 'ensurePool',
        call,
        apply: () => {
          world.ensurePool(poolId, hostname);
          pool();
        },
      }),
    capacity: (call) => ask('capacity', call, (at) => at.capacity),
    volumes: {
      ...(world.fillsVolumes && { fillsVolumes: true as const }),
      create: ({ id, sizeBytes, imageId, snapshot }, call) =>
        ask('volumes.create', call, (at) => at.createVolume(id, sizeBytes, imageId, snapshot)),
      ...(offers('growth') && {
        resize: (id: string, sizeBytes: number, call: Call) => ask('volumes.resize', call, (at) => at.resizeVolume(id, sizeBytes)),
      }),
      delete: remove('volumes.delete', 'volume'),
      attach: (id, host, call) => ask('volumes.attach', call, (at) => at.attach(id, hostnameOf(host))),
      release: releaseOf(ask, known),
    },
    ...(offers('encryption') && {
      encryption: {
        create: ({ id, sizeBytes, imageId, snapshot, key: passphrase }: NewVolume & { readonly key: string }, call: Call) =>
          ask('encryption.create', call, (at) => at.createVolume(id, sizeBytes, imageId, snapshot, passphrase)),
        resize: (id: string, sizeBytes: number, key: string, call: Call) =>
          ask('encryption.resize', call, (at) => at.resizeEncrypted(id, sizeBytes, key)),
        secretRef: (id: string) => passphraseRef(poolId, id),
        ...(offers('keys') && { keys: keysOf(ask, hostname === undefined && offers('liveKeys')) }),
        ...(offers('lockedContents') && { contents: lockedContentsOf(ask, hostname === undefined) }),
      },
    }),
    ...(offers('shareable') && { shareable: shareableOf(ask, hostname === undefined && offers('sharedFence')) }),
    ...keptOf(ask, offers, hostname !== undefined && offers('written')),
    images: {
      put: ({ id, virtualSizeBytes, content }, call) => {
        let read = SimContent.EMPTY;
        return link.ask({
          command: 'images.put',
          call,
          prepare: async (stop) => {
            read = await readThrough(content, stop, call.onProgress);
          },
          apply: () => pool().putImage(id, content.sizeBytes, virtualSizeBytes, read),
        });
      },
      delete: remove('images.delete', 'image'),
      ...(offers('imageAttach') && { attach: (id: string, call: Call) => ask('images.attach', call, (at) => at.attachImage(id)) }),
    },
    seeds: {
      put: (id, bytes, call) => ask('seeds.put', call, (at) => at.putSeed(id, bytes.byteLength)),
      delete: remove('seeds.delete', 'seed'),
    },
    ...(hostname !== undefined && offers('marks') && { marks: marksOf(ask) }),
    ...(hostname === undefined && {
      others: othersOf(ask),
      facts: (call: Call) => ask('facts', call, (at) => at.facts),
      fence: {
        clients: (volumeId: string, call: Call) => ask('fence.clients', call, (at) => at.clients(volumeId)),
        exclude: (volumeId: string, clients: readonly string[], call: Call) =>
          ask('fence.exclude', call, (at) => at.exclude(volumeId, clients)),
      },
      secret: (ref: string, call: Call) => ask('secret', call, (at) => at.secret(ref)),
      ...{ secretRefs: keyholder === undefined ? [] : [secretRef(poolId)], endpoints: [`${poolId}.storage.test:3300`] },
    }),
    inspect: (kind, id, call) =>
      ask('inspect', call, (at) => {
        const found = at.find(kind, id);
        return found && { kind, id, sizeBytes: found.sizeBytes };
      }),
    list: (call) => ask('list', call, (at) => at.list()),
    classify: (error) => SimError.classify(error),
    close: async () => link.close(),
  };
}

function hostOf(endpoint: PoolEndpoint): HostEndpoint {
  if (endpoint.host === undefined) throw new SimError('invalid', `pool ${endpoint.poolId} has scope host and needs one`);
  return endpoint.host;
}

export function simulatedStorage(ground: Ground): StorageFactory {
  return {
    name: 'simulated',
    scope: 'host',
    settings: { path: { description: 'Where it keeps things. Default: a place of its own.', required: false } },
    open: (endpoint) => openPool(ground, { poolId: endpoint.settings.path ?? endpoint.poolId, hostname: hostnameOf(hostOf(endpoint)) }),
  };
}

export function simulatedSharedStorage(ground: Ground): StorageFactory {
  return {
    name: 'simulated-shared',
    scope: 'cluster',
    settings: {
      path: { description: 'Where it keeps things. Default: a place of its own.', required: false },
      user: { description: 'Whose key hosts need to reach its volumes. Default: none is needed.', required: false, credential: true },
      key: { description: 'That key. Default: one of its own making.', required: false, secret: true },
    },
    settingFault: ({ user = '', key = '' }) =>
      /\s/.test(user)
        ? { setting: 'user', reason: 'may contain no space' }
        : key.includes('\n')
          ? { setting: 'key', reason: 'must be of one line' }
          : undefined,
    open: ({ poolId, settings: { path = poolId, user, key } }) => openPool(ground, { poolId: path, keyholder: user, key }),
  };
}
