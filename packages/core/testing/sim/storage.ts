import type { Content, HostEndpoint, PoolEndpoint, StorageDriver, StorageFactory, StoredKind } from '../../src/strategy/index.ts';
import { SimError } from './fault.ts';
import type { DriverEnvironment, Request } from './link.ts';
import { SimLink } from './link.ts';
import type { SimPool } from './pool.ts';
import { hostnameOf } from './uri.ts';
import type { SimWorld } from './world.ts';

/** Reads the content to its end and checks that it is as long as it says. */
async function readThrough(content: Content, stop: AbortSignal, onProgress: ((fraction: number) => void) | undefined): Promise<void> {
  let bytes = 0;
  for await (const piece of content.open()) {
    if (stop.aborted) return;
    bytes += piece.byteLength;
    onProgress?.(Math.min(1, bytes / content.sizeBytes));
  }
  if (bytes !== content.sizeBytes) throw new SimError('invalid', `the content has ${bytes} bytes instead of ${content.sizeBytes}`);
}

/** One pool, by its place: on a host, or on the shared site when `hostname` is undefined. */
function openPool(world: SimWorld, environment: DriverEnvironment, poolId: string, hostname: string | undefined): StorageDriver {
  const link = new SimLink(world, () => (hostname === undefined ? world.shared : world.hosts.get(hostname)?.site), environment);
  const pool = (): SimPool => {
    const found = world.pools.get(hostname === undefined ? poolId : `${hostname}/${poolId}`);
    if (found === undefined) throw new SimError('not_found', `no pool ${poolId}`);
    return found;
  };
  const ask = <T>(command: string, call: Request<T>['call'], apply: () => T) => link.ask({ command, call, apply });
  const remove = (command: string, kind: StoredKind) => (id: string, call: Request<void>['call']) =>
    ask(command, call, () => pool().delete(kind, id));
  return {
    ensurePool: (call) => ask('ensurePool', call, () => world.ensurePool(poolId, hostname)),
    capacity: (call) => ask('capacity', call, () => pool().capacity),
    volumes: {
      create: ({ id, sizeBytes, imageId }, call) => ask('volumes.create', call, () => pool().createVolume(id, sizeBytes, imageId)),
      resize: (id, sizeBytes, call) => ask('volumes.resize', call, () => pool().resizeVolume(id, sizeBytes)),
      delete: remove('volumes.delete', 'volume'),
      attach: (id, host, call) => ask('volumes.attach', call, () => pool().attach(id, hostnameOf(host))),
      release: (id, host, call) => ask('volumes.release', call, () => pool().release(id, hostnameOf(host))),
    },
    images: {
      put: ({ id, virtualSizeBytes, content }, call) =>
        link.ask({
          command: 'images.put',
          call,
          prepare: (stop) => readThrough(content, stop, call.onProgress),
          apply: () => pool().putImage(id, content.sizeBytes, virtualSizeBytes),
        }),
      delete: remove('images.delete', 'image'),
    },
    seeds: {
      put: (id, bytes, call) => ask('seeds.put', call, () => pool().putSeed(id, bytes.byteLength)),
      delete: remove('seeds.delete', 'seed'),
    },
    inspect: (kind, id, call) =>
      ask('inspect', call, () => {
        const found = pool().find(kind, id);
        return found && { kind, id, sizeBytes: found.sizeBytes };
      }),
    list: (call) => ask('list', call, () => pool().list()),
    classify: (error) => SimError.classify(error),
    close: async () => link.close(),
  };
}

function hostOf(endpoint: PoolEndpoint): HostEndpoint {
  if (endpoint.host === undefined) throw new SimError('invalid', `pool ${endpoint.poolId} has scope host and needs one`);
  return endpoint.host;
}

export function simulatedStorage(world: SimWorld, environment: DriverEnvironment): StorageFactory {
  return {
    name: 'simulated',
    scope: 'host',
    settings: { path: { description: 'Where it keeps things. Default: a place of its own.', required: false } },
    open: (endpoint) => openPool(world, environment, endpoint.settings.path ?? endpoint.poolId, hostnameOf(hostOf(endpoint))),
  };
}

export function simulatedSharedStorage(world: SimWorld, environment: DriverEnvironment): StorageFactory {
  return {
    name: 'simulated-shared',
    scope: 'cluster',
    settings: {},
    open: (endpoint) => openPool(world, environment, endpoint.poolId, undefined),
  };
}
