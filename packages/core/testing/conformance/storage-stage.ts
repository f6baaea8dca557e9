import { expect } from 'chai';
import type { Call, Content, HostEndpoint, SnapshotRef, StorageDriver, StoredKind, StoredObject } from '../../src/strategy/index.ts';
import type { Harness } from './harness.ts';
import { Stage } from './harness.ts';

/**
 * The optional parts of `StorageDriver`, `growth` being `volumes.resize` and `release` `releasePool`. `keys` and `lockedContents` are those of `encryption`, `sharedFence` that of `shareable`; `health`, of harnesses whose drivers have `facts`, is not a part of the driver: the backend can be brought into trouble.
 */
export type StorageFeature =
  | 'growth'
  | 'snapshots'
  | 'contents'
  | 'imageAttach'
  | 'encryption'
  | 'keys'
  | 'liveKeys'
  | 'lockedContents'
  | 'facts'
  | 'fence'
  | 'health'
  | 'shareable'
  | 'sharedFence'
  | 'secret'
  | 'release'
  | 'others'
  | 'marks'
  | 'written';

/** A process that has a volume open for writing, as a hypervisor has, and knows nothing of the driver. */
export interface StorageClient {
  /** Writes somewhere into the volume, past any cache. Rejects when it is shut out; may not hang then. */
  write(): Promise<void>;
  close(): Promise<void>;
}

export interface StorageHarness extends Harness<StorageDriver> {
  /** The host from which volumes are reached. */
  readonly host: HostEndpoint;
  /** With `snapshots`, `contents`, `fence`, `shareable` or `liveKeys`: opens a volume of the pool, each time as a client of its own; one that is shareable as hypervisors open such. */
  client?(volumeId: string, how?: { readonly shareable: true }): Promise<StorageClient>;
  /** With `health`: a copy of what is in the pool is lost, say because a disk fails. */
  harm?(): Promise<void>;
  /** Ends what `harm` did. */
  heal?(): Promise<void>;
  /** With `others`: a disk of this name is made in the pool, by somebody else. */
  plant?(name: string, sizeBytes: number): Promise<void>;
}

export const MIB = 1024 * 1024;

/** Raw content that differs from byte to byte, given in pieces. */
export function content(sizeBytes: number): Content {
  return {
    sizeBytes,
    async *open() {
      for (let at = 0; at < sizeBytes; at += 65_536)
        yield Uint8Array.from({ length: Math.min(65_536, sizeBytes - at) }, (_, index) => (at + index * 7) & 0xff);
    },
  };
}

/** The suite's stage with the verbs that stored things want. */
export class StorageStage extends Stage<StorageDriver, StorageHarness> {
  readonly #made: { readonly kind: StoredKind; readonly id: string }[] = [];

  /** A new id whose thing is deleted after the test. */
  made(kind: StoredKind): string {
    const id = this.newId();
    this.#made.push({ kind, id });
    return id;
  }

  async volume(sizeBytes: number = MIB): Promise<string> {
    const id = this.made('volume');
    await this.driver.volumes.create({ id, sizeBytes }, this.call());
    return id;
  }

  get canGrow(): boolean {
    return this.driver.volumes.resize !== undefined;
  }

  async grow(id: string, sizeBytes: number, call: Call = this.call()): Promise<void> {
    const { volumes } = this.driver;
    if (volumes.resize === undefined) expect.fail('the driver grows no volumes');
    await volumes.resize(id, sizeBytes, call);
  }

  get snapshots(): NonNullable<StorageDriver['snapshots']> {
    return this.driver.snapshots ?? expect.fail('the driver has no snapshots');
  }

  get contents(): NonNullable<StorageDriver['contents']> {
    return this.driver.contents ?? expect.fail('the driver does not tell contents');
  }

  async snapshot(volumeId: string): Promise<SnapshotRef> {
    const snapshot = { id: this.newId(), volumeId };
    await this.snapshots.create(snapshot, this.call());
    return snapshot;
  }

  async clone(snapshot: SnapshotRef, sizeBytes: number = MIB): Promise<string> {
    const id = this.made('volume');
    await this.driver.volumes.create({ id, sizeBytes, snapshot }, this.call());
    return id;
  }

  async snapshotIds(volumeId: string): Promise<readonly string[]> {
    return (await this.snapshots.list(volumeId, this.call())).map(({ id }) => id);
  }

  /** Does something while a machine has the volume open. */
  async whileHeld(volumeId: string, work: () => Promise<void>): Promise<void> {
    const client = (await this.harness.client?.(volumeId)) ?? expect.fail('the harness opens no volumes');
    try {
      await work();
    } finally {
      await client.close();
    }
  }

  async image(sizeBytes: number = MIB): Promise<string> {
    const id = this.made('image');
    await this.put(id, content(sizeBytes), this.call());
    return id;
  }

  put(id: string, from: Content, call: Call): Promise<void> {
    return this.driver.images.put({ id, format: 'raw', virtualSizeBytes: from.sizeBytes, content: from }, call);
  }

  look(kind: StoredKind, id: string): Promise<StoredObject | undefined> {
    return this.driver.inspect(kind, id, this.call());
  }

  async listedOf(id: string): Promise<readonly StoredObject[]> {
    return (await this.driver.list(this.call())).filter((stored) => stored.id === id);
  }

  async expectThere(kind: StoredKind, id: string, sizeBytes: number): Promise<void> {
    expect(await this.look(kind, id)).to.deep.equal({ kind, id, sizeBytes });
    expect(await this.listedOf(id)).to.deep.equal([{ kind, id, sizeBytes }]);
  }

  async expectAbsent(kind: StoredKind, id: string): Promise<void> {
    expect(await this.look(kind, id)).to.equal(undefined);
    expect(await this.listedOf(id)).to.deep.equal([]);
  }

  delete(kind: StoredKind, id: string, call: Call): Promise<void> {
    const { volumes, images, seeds } = this.driver;
    return kind === 'volume' ? volumes.delete(id, call) : kind === 'image' ? images.delete(id, call) : seeds.delete(id, call);
  }

  async sweep(): Promise<void> {
    await this.calm(() => this.driver.list(this.call()));
    // Last made first: a clone goes before its image.
    for (let next = this.#made.pop(); next !== undefined; next = this.#made.pop()) {
      const { kind, id } = next;
      if (kind === 'volume') {
        await this.insist((call) => this.driver.volumes.release(id, this.harness.host, call));
        for (const { id: snapshotId } of (await this.driver.snapshots?.list(id, this.call())) ?? [])
          await this.insist((call) => this.snapshots.delete({ id: snapshotId, volumeId: id }, call));
      }
      await this.insist((call) => this.delete(kind, id, call));
    }
  }
}
