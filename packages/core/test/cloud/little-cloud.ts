import { SimCloud, type SimCloudOptions } from '@pileus/core/testing';
import type { AnyKind, Endpoint, Operation, RowOf, UploadRequest } from '../../src/kernel/index.ts';
import { isoContent } from './iso-content.ts';

export const HEARTBEAT_MS = 1000;
export const GIB = 2 ** 30;

/** A running control plane with one zone and one cluster; everything takes virtual time only. */
export class LittleCloud {
  readonly sim: SimCloud;
  clusterId = '';

  constructor(options: Partial<SimCloudOptions> = {}) {
    this.sim = new SimCloud({ seed: 'stage', ...options, presets: { 'hosts.heartbeatSeconds': HEARTBEAT_MS / 1000, ...options.presets } });
  }

  static async open(options: Partial<SimCloudOptions> = {}, cluster: object = {}): Promise<LittleCloud> {
    const stage = new LittleCloud(options);
    await stage.sim.start();
    const zoneId = await stage.sim.done('zone.create', { name: 'zone' });
    stage.clusterId = await stage.sim.done('cluster.create', { name: 'cluster', zoneId, ...cluster });
    return stage;
  }

  /** A host in the world and in the cloud. */
  async host(hostname: string, facts: { readonly cpus?: number; readonly memoryBytes?: number } = {}): Promise<string> {
    this.sim.world.addHost(hostname, facts);
    return this.sim.done('host.create', { name: hostname, clusterId: this.clusterId, uri: `sim://${hostname}` });
  }

  pool(hostId: string, more: object = {}): Promise<string> {
    return this.sim.done('pool.create', { driver: 'simulated', hostId, ...more });
  }

  volume(sizeBytes: number, more: object = {}): Promise<string> {
    return this.sim.done('volume.create', { sizeBytes, ...more });
  }

  /** An image with raw content of this many bytes. */
  async image(sizeBytes: number, more: object = {}): Promise<string> {
    const id = await this.sim.done('image.create', more);
    await this.upload(id, new Uint8Array(sizeBytes));
    return id;
  }

  async iso(name: string): Promise<string> {
    const id = await this.sim.done('image.create', { name });
    await this.upload(id, isoContent());
    return id;
  }

  async row<K extends AnyKind>(kind: K, id: string): Promise<RowOf<K>> {
    const row = await this.sim.environment.complete(this.sim.kernel.reader.find(kind, id));
    if (row === undefined) throw new Error(`no ${kind.name} ${id}`);
    return row;
  }

  rows<K extends AnyKind>(kind: K): Promise<readonly RowOf<K>[]> {
    return this.sim.environment.complete(this.sim.kernel.reader.list(kind));
  }

  counter(key: string) {
    return this.sim.environment.complete(this.sim.kernel.reader.counter(key));
  }

  /** The operation of an accepted request, ended in whatever way. */
  async outcome(action: string, input: unknown, resourceId?: string): Promise<Operation> {
    return this.sim.ended((await this.sim.submit(action, input, resourceId)).operationId);
  }

  async revision(): Promise<number> {
    return (await this.sim.environment.complete(this.sim.kernel.services.store.bounds())).newest;
  }

  upload(imageId: string, content: Uint8Array | AsyncIterable<Uint8Array>, headers: UploadRequest['headers'] = {}): Promise<unknown> {
    const bytes = content instanceof Uint8Array ? once(content) : content;
    return this.ask('PUT', '/images/{id}/content', { params: { id: imageId }, bytes, headers });
  }

  /** Calls an endpoint and lets time pass until it has answered. */
  ask(method: Endpoint['method'], path: string, request: Partial<UploadRequest> = {}): Promise<unknown> {
    return this.sim.environment.complete(this.sim.call(method, path, request));
  }
}

export async function* once(...chunks: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

/** The code of the error that the work must end with. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    return (error as { readonly code?: string }).code ?? String(error);
  }
  return 'succeeded';
}
