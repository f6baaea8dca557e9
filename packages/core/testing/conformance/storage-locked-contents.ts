import { expect } from 'chai';
import type { ContentRef, NewVolume, SnapshotRef, StorageDriver } from '../../src/strategy/index.ts';
import { content, MIB, type StorageFeature, type StorageStage } from './storage-stage.ts';

const KEY = 'YSBrZXkgb2YgcmFuZG9tIGJ5dGVz';
const OTHER_KEY = 'b3RoZXIgYnl0ZXM=';
const SECTOR_BYTES = 512;
/** No multiple of whatever a pool keeps things in, and of whole KiB, to which some round up. */
const ODD_BYTES = 3 * MIB + 2 * SECTOR_BYTES;

const piece = (value: number, sectors = 1) => new Uint8Array(sectors * SECTOR_BYTES).fill(value);

/** Volumes that are read and written by their key. */
class Locked {
  readonly #stage: StorageStage;

  constructor(stage: StorageStage) {
    this.#stage = stage;
  }

  get #encryption(): NonNullable<StorageDriver['encryption']> {
    return this.#stage.driver.encryption ?? expect.fail('the driver encrypts nothing');
  }

  get #contents() {
    return this.#encryption.contents ?? expect.fail('the driver does not tell what is in encrypted volumes');
  }

  async made(request: Omit<NewVolume, 'id'> & { readonly toFill?: true }): Promise<string> {
    const id = this.#stage.made('volume');
    await this.#encryption.create({ ...request, id, key: KEY }, this.#stage.call());
    return id;
  }

  grow(id: string, sizeBytes: number): Promise<void> {
    return this.#encryption.resize(id, sizeBytes, KEY, this.#stage.call());
  }

  get keys() {
    return this.#encryption.keys ?? expect.fail('the driver changes no keys');
  }

  read(of: ContentRef, offsetBytes: number, lengthBytes: number, key = KEY): Promise<Uint8Array> {
    return this.#contents.read({ ...of, key }, offsetBytes, lengthBytes, this.#stage.call());
  }

  write(volumeId: string, offsetBytes: number, bytes: Uint8Array, key = KEY): Promise<void> {
    return this.#contents.write({ volumeId, key }, offsetBytes, bytes, this.#stage.call());
  }

  /** An earlier content with what is told to have changed laid over it. */
  async applied(earlier: Uint8Array, of: ContentRef, sinceId?: string, key = KEY): Promise<Buffer> {
    const bytes = Buffer.from(earlier);
    let endBytes = 0;
    for await (const { offsetBytes, lengthBytes, hasData } of this.#contents.changes({ ...of, key }, sinceId, this.#stage.call())) {
      expect(offsetBytes, 'ascending, never overlapping').to.be.at.least(endBytes);
      expect([offsetBytes % SECTOR_BYTES, lengthBytes % SECTOR_BYTES], 'whole sectors').to.deep.equal([0, 0]);
      expect(lengthBytes).to.be.greaterThan(0);
      endBytes = offsetBytes + lengthBytes;
      expect(endBytes, 'within the size').to.be.at.most(bytes.length);
      if (hasData) bytes.set(await this.read(of, offsetBytes, lengthBytes, key), offsetBytes);
      else bytes.fill(0, offsetBytes, endBytes);
    }
    return bytes;
  }

  async expectContent(of: ContentRef, expected: Uint8Array, key = KEY): Promise<void> {
    expect(Buffer.from(expected).equals(await this.read(of, 0, expected.length, key)), 'what is read').to.equal(true);
    expect((await this.applied(new Uint8Array(expected.length), of, undefined, key)).equals(expected), 'what is told').to.equal(true);
  }
}

/** What the contract says of the bytes of encrypted volumes. That it is what machines see is shown where there are machines. */
export function lockedContentTests(stage: StorageStage, features: readonly StorageFeature[]): void {
  const locked = new Locked(stage);

  // On a slow backend each of them takes seconds.
  stage.selected('an encrypted one to fill reads as zeroes, has what was written, by whichever driver object, and grows', async () => {
    const volumeId = await locked.made({ sizeBytes: ODD_BYTES, toFill: true });
    const expected = new Uint8Array(4 * MIB);
    await locked.expectContent({ volumeId }, expected.subarray(0, ODD_BYTES));
    for (const { offsetBytes, value } of [
      { offsetBytes: 0, value: 1 },
      { offsetBytes: 2 * MIB - SECTOR_BYTES, value: 2 },
      { offsetBytes: ODD_BYTES - 2 * SECTOR_BYTES, value: 3 },
    ]) {
      await locked.write(volumeId, offsetBytes, piece(value, 2));
      expected.set(piece(value, 2), offsetBytes);
    }
    await locked.expectContent({ volumeId }, expected.subarray(0, ODD_BYTES));
    await locked.write(volumeId, 0, piece(0));
    expected.set(piece(0), 0);
    await locked.grow(volumeId, expected.length);
    await locked.expectContent({ volumeId }, expected);
    const other = await stage.open();
    const read = other.encryption?.contents?.read({ volumeId, key: KEY }, 2 * MIB - SECTOR_BYTES, SECTOR_BYTES, stage.call());
    expect(Buffer.from((await read) ?? []).equals(piece(2))).to.equal(true);
    await other.close();
  });

  stage.selected('encrypted pieces that are written at the same time all arrive', async () => {
    const volumeId = await locked.made({ sizeBytes: 8 * MIB, toFill: true });
    const whole = new Uint8Array(8 * MIB);
    for (let at = 0; at < whole.length; at += 4096) whole.fill(1 + ((at / 4096) % 251), at, at + 4096);
    await Promise.all([0, 1, 2, 3].map((at) => locked.write(volumeId, at * 2 * MIB, whole.subarray(at * 2 * MIB, (at + 1) * 2 * MIB))));
    await locked.expectContent({ volumeId }, whole);
  });

  stage.selected('an encrypted one that is made from an image has its bytes, and goes its own way', async () => {
    const imageId = await stage.image();
    const volumeId = await locked.made({ sizeBytes: 2 * MIB, imageId });
    const expected = new Uint8Array(2 * MIB);
    let at = 0;
    for await (const part of content(MIB).open()) {
      expected.set(part, at);
      at += part.length;
    }
    expect(Buffer.from(expected.subarray(0, MIB)).equals(await locked.read({ volumeId }, 0, MIB))).to.equal(true);
    // Some write to those alone that are made to be filled.
    const refused = await locked.write(volumeId, 4096, piece(9)).then(
      () => undefined,
      (error: unknown) => stage.driver.classify(error),
    );
    if (refused === undefined) expected.set(piece(9), 4096);
    else expect(refused).to.equal('conflict');
    expect(Buffer.from(expected.subarray(0, MIB)).equals(await locked.read({ volumeId }, 0, MIB))).to.equal(true);
  });

  lockedRefusals(stage, locked);
  if (features.includes('contents'))
    stage.selected('encrypted contents are neither read nor written without a key', async () => {
      const volumeId = await locked.made({ sizeBytes: MIB });
      const { contents } = stage;
      const changes = async () => {
        for await (const _ of contents.changes({ volumeId }, undefined, stage.call())) return;
      };
      expect(await stage.fault(changes())).to.equal('unsupported');
      expect(await stage.fault(contents.write(volumeId, 0, piece(1), stage.call()))).to.equal('unsupported');
    });
  if (features.includes('keys'))
    stage.selected('the encrypted content stays when the key is changed, and is read by the new one alone', async () => {
      const volumeId = await locked.made({ sizeBytes: MIB, toFill: true });
      await locked.write(volumeId, 512, piece(4));
      // Some change no keys of one that is full to the last byte.
      await locked.grow(volumeId, 8 * MIB);
      await locked.keys.add(volumeId, KEY, OTHER_KEY, stage.call());
      await locked.keys.keep(volumeId, OTHER_KEY, stage.call());
      const expected = new Uint8Array(8 * MIB);
      expected.set(piece(4), 512);
      await locked.expectContent({ volumeId }, expected, OTHER_KEY);
      expect(await stage.fault(locked.read({ volumeId }, 0, 512))).to.equal('conflict');
    });
  if (features.includes('snapshots')) lockedSnapshotTests(stage, locked);
}

function lockedRefusals(stage: StorageStage, locked: Locked): void {
  stage.selected(
    'encrypted contents: another key opens nothing, no key opens what is not encrypted, and only whole sectors within the size are taken',
    async () => {
      const [volumeId, plain] = [await locked.made({ sizeBytes: MIB }), await stage.volume()];
      const faults = async (...works: readonly Promise<unknown>[]) => Promise.all(works.map((work) => stage.fault(work)));
      const read = (of: string, offset: number, length: number, key = KEY) => locked.read({ volumeId: of }, offset, length, key);
      expect(
        await faults(
          read(volumeId, 0, 512, OTHER_KEY),
          locked.write(volumeId, 0, piece(1), OTHER_KEY),
          locked.applied(new Uint8Array(MIB), { volumeId }, undefined, OTHER_KEY),
        ),
      ).to.deep.equal(['conflict', 'conflict', 'conflict']);
      expect(await faults(read(plain, 0, 512), locked.write(plain, 0, piece(1)))).to.deep.equal(['conflict', 'conflict']);
      const absent = stage.newId();
      expect(await faults(read(absent, 0, 512), locked.write(absent, 0, piece(1)))).to.deep.equal(['not_found', 'not_found']);
      expect(
        await faults(
          ...[read(volumeId, 0, 100), read(volumeId, 100, 512), read(volumeId, MIB - 512, 1024), read(volumeId, 0, 8 * MIB + 512)],
          ...[locked.write(volumeId, 256, piece(1)), locked.write(volumeId, MIB, piece(1))],
        ),
      ).to.deep.equal(Array.from({ length: 6 }, () => 'invalid'));
      await locked.expectContent({ volumeId }, new Uint8Array(MIB));
    },
  );
}

function lockedSnapshotTests(stage: StorageStage, locked: Locked): void {
  stage.selected(
    'encrypted contents of snapshots and clones: changes laid over zeroes, or over an earlier snapshot, give what each has',
    async () => {
      const volumeId = await locked.made({ sizeBytes: MIB });
      const made: { readonly snapshot: SnapshotRef; readonly bytes: Buffer }[] = [];
      const content = new Uint8Array(8 * MIB);
      const put = async (offsetBytes: number, bytes: Uint8Array) => {
        await locked.write(volumeId, offsetBytes, bytes);
        content.set(bytes, offsetBytes);
      };
      const keep = async (sizeBytes: number) => {
        const snapshot = await stage.snapshot(volumeId);
        made.push({ snapshot, bytes: Buffer.from(content.subarray(0, sizeBytes)) });
        return snapshot;
      };
      await put(0, piece(1));
      await put(8 * SECTOR_BYTES, piece(2, 3));
      const first = await keep(MIB);
      await put(8 * SECTOR_BYTES, piece(0));
      await keep(MIB);
      await locked.grow(volumeId, 8 * MIB);
      await put(6 * MIB, piece(3, 5));
      await keep(8 * MIB);
      await stage.snapshots.revert(first, stage.call());
      content.set(made[0]?.bytes ?? [], 0);
      await put(MIB - SECTOR_BYTES, piece(4));
      await keep(MIB);
      for (const [at, later] of made.entries()) {
        await locked.expectContent(later.snapshot, later.bytes);
        for (const earlier of made.slice(0, at)) {
          const ground = Buffer.alloc(later.bytes.length);
          earlier.bytes.copy(ground);
          expect((await locked.applied(ground, later.snapshot, earlier.snapshot.id)).equals(later.bytes), `since ${at}`).to.equal(true);
        }
      }
      const cloneId = await locked.made({ sizeBytes: 2 * MIB, snapshot: first });
      const expected = Buffer.alloc(2 * MIB);
      made[0]?.bytes.copy(expected);
      await locked.expectContent({ volumeId: cloneId }, expected);
      await locked.write(cloneId, 0, piece(7));
      expected.set(piece(7), 0);
      await locked.expectContent({ volumeId: cloneId }, expected);
      await locked.expectContent(first, made[0]?.bytes ?? Buffer.alloc(0));
    },
  );

  stage.selected('an encrypted snapshot, or a volume, that is absent is not_found', async () => {
    const volumeId = await locked.made({ sizeBytes: MIB });
    const snapshot = await stage.snapshot(volumeId);
    expect(await stage.fault(locked.read({ volumeId, id: stage.newId() }, 0, 512))).to.equal('not_found');
    expect(await stage.fault(locked.applied(new Uint8Array(MIB), snapshot, stage.newId()))).to.equal('not_found');
    expect(await stage.fault(locked.applied(new Uint8Array(MIB), { volumeId: stage.newId() }))).to.equal('not_found');
  });
}
