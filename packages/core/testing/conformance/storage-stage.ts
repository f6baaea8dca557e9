import { expect } from 'chai';
import type { Call, Content, HostEndpoint, StorageDriver, StoredKind, StoredObject } from '../../src/strategy/index.ts';
import type { Harness } from './harness.ts';
import { Stage } from './harness.ts';

export interface StorageHarness extends Harness<StorageDriver> {
  /** The host from which volumes are reached. */
  readonly host: HostEndpoint;
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
    // Last made first: a clone goes before its image.
    for (let next = this.#made.pop(); next !== undefined; next = this.#made.pop()) {
      const { kind, id } = next;
      if (kind === 'volume') await this.insist((call) => this.driver.volumes.release(id, this.harness.host, call));
      await this.insist((call) => this.delete(kind, id, call));
    }
  }
}
