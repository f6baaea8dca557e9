import { expect } from 'chai';
import type { Attachment, Content } from '../../src/strategy/index.ts';
import { expectTotal } from './classification.ts';
import { frozenCalls } from './frozen.ts';
import type { Setup } from './harness.ts';
import { UNANSWERED } from './harness.ts';
import { contentTests, volumeContentTests, writtenTests } from './storage-contents.ts';
import { encryptedSnapshotTests, encryptionTests, keyTests, liveKeyTests } from './storage-encryption.ts';
import { factTests, secretTests } from './storage-facts.ts';
import { fenceTests } from './storage-fence.ts';
import { freezeTable } from './storage-frozen.ts';
import { lockedContentTests } from './storage-locked-contents.ts';
import { markTests } from './storage-marks.ts';
import { modelTests } from './storage-model.ts';
import { othersTests } from './storage-others.ts';
import { shareableTests, sharedFenceTests } from './storage-shareable.ts';
import { cloneOfSnapshotTests, snapshotTests } from './storage-snapshots.ts';
import type { StorageFeature, StorageHarness } from './storage-stage.ts';
import { content, MIB, StorageStage } from './storage-stage.ts';

export type { StorageClient, StorageFeature, StorageHarness } from './storage-stage.ts';
export type StorageSetup = Setup<StorageFeature, StorageHarness>;

/** Content that breaks in its middle. */
function broken(sizeBytes: number): Content {
  return {
    sizeBytes,
    async *open() {
      yield new Uint8Array(sizeBytes / 2).fill(1);
      throw new Error('the source of the content broke');
    },
  };
}

/** The contract of `StorageDriver`, sentence by sentence. Mocha's globals must be there. */
export function describeStorage(name: string, setup: StorageSetup): void {
  describe(`StorageDriver conformance: ${name}`, function () {
    const stage = new StorageStage(setup);
    this.timeout(stage.timeouts.testMs);
    before(async () => {
      await stage.begin();
      await stage.driver.ensurePool(stage.call());
    });
    afterEach(() => stage.sweep());
    after(() => stage.end());

    const has = (feature: StorageFeature) => setup.features.includes(feature);
    it('offers exactly the features it is registered with', () => {
      const { volumes, encryption, snapshots, contents, images, facts, fence, others, marks, secret, shareable } = stage.driver;
      const release = stage.driver.releasePool;
      const locked = { keys: encryption?.keys, liveKeys: encryption?.keys?.live, lockedContents: encryption?.contents };
      const shared = { shareable, sharedFence: shareable?.fence };
      const parts = {
        growth: volumes.resize,
        imageAttach: images.attach,
        encryption,
        ...locked,
        ...shared,
        snapshots,
        contents,
        facts,
        fence,
        others,
        marks,
        written: contents?.written,
        secret,
        release,
      };
      const offered = Object.entries(parts).flatMap(([feature, part]) => (part === undefined ? [] : [feature]));
      expect(offered).to.have.members(setup.features.filter((feature) => feature !== 'health'));
    });
    describe('pool', () => poolTests(stage));
    describe('volumes', () => volumeTests(stage));
    if (has('growth')) describe('growth', () => growthTests(stage));
    describe('reaching a volume', () => attachTests(stage));
    describe('images', () => imageTests(stage));
    if (has('imageAttach')) describe('images that machines read', () => imageAttachTests(stage));
    describe('clones', () => cloneTests(stage));
    describe('seeds', () => seedTests(stage));
    if (has('marks')) describe('marks of volumes', () => markTests(stage));
    if (has('others')) describe('disks of others', () => othersTests(stage));
    if (has('facts')) describe('facts', () => factTests(stage, setup.features));
    if (has('secret')) describe('secrets of attachments', () => secretTests(stage));
    if (has('fence')) describe('fence', () => fenceTests(stage));
    if (has('shareable')) describe('volumes of several machines', () => shareableTests(stage, setup.features));
    if (has('sharedFence')) describe('fence of one machine among several', () => sharedFenceTests(stage));
    if (has('snapshots')) {
      describe('snapshots', () => snapshotTests(stage));
      describe('clones of snapshots', () => cloneOfSnapshotTests(stage));
    }
    if (has('encryption')) describe('encrypted volumes', () => encryptionTests(stage));
    if (has('keys')) describe('keys of encrypted volumes', () => keyTests(stage));
    if (has('liveKeys')) describe('keys of encrypted volumes in use', () => liveKeyTests(stage));
    if (has('encryption') && has('snapshots')) describe('snapshots of encrypted volumes', () => encryptedSnapshotTests(stage));
    if (has('lockedContents')) describe('contents of encrypted volumes', () => lockedContentTests(stage, setup.features));
    if (has('contents')) describe('contents of volumes', () => volumeContentTests(stage));
    if (has('written')) describe('where a volume was written to', () => writtenTests(stage));
    if (has('snapshots') && has('contents')) {
      describe('contents', () => contentTests(stage));
      describe('snapshots beside a model', () => modelTests(stage));
    }
    describe('several at once', () => concurrencyTests(stage));
    describe('frozen backend', () => frozenCalls(stage, freezeTable(stage, setup.features)));
  });
}

function poolTests(stage: StorageStage): void {
  it('ensurePool again changes nothing', async () => {
    const id = await stage.volume();
    await stage.driver.ensurePool(stage.call());
    await (await stage.open()).ensurePool(stage.call());
    await stage.expectThere('volume', id, MIB);
  });

  it('tells its capacity', async () => {
    const { totalBytes, freeBytes } = await stage.driver.capacity(stage.call());
    // Beyond 2^53−1 a number is of no use: what may be there is a bigint.
    for (const told of [totalBytes, freeBytes]) expect(typeof told === 'bigint' || Number.isSafeInteger(told)).to.equal(true);
    expect(totalBytes > 0 && freeBytes >= 0 && freeBytes <= totalBytes, `${freeBytes} of ${totalBytes} free`).to.equal(true);
  });

  it('classifies whatever is thrown, and never throws itself', () => {
    expectTotal((error) => stage.driver.classify(error), stage.harness.environment.random);
  });

  it('is gone after close, while other driver objects go on', async () => {
    const id = await stage.volume();
    const other = await stage.open();
    await other.list(stage.call());
    await other.close();
    await stage.fault(other.list(stage.call()));
    await stage.expectThere('volume', id, MIB);
  });

  it('does nothing for a call that is aborted before it begins', async () => {
    const id = stage.made('volume');
    const call = stage.call(undefined, { signal: AbortSignal.abort() });
    await stage.fault(stage.driver.volumes.create({ id, sizeBytes: MIB }, call));
    await stage.harness.settle();
    await stage.expectAbsent('volume', id);
  });

  it('what it keeps outlives the driver object that made it', async () => {
    const maker = await stage.open();
    const id = stage.made('volume');
    await maker.volumes.create({ id, sizeBytes: MIB }, stage.call());
    await maker.close();
    expect(await (await stage.open()).inspect('volume', id, stage.call())).to.deep.equal({ kind: 'volume', id, sizeBytes: MIB });
  });
}

function volumeTests(stage: StorageStage): void {
  it('create makes an empty volume of the size, and again changes nothing', async () => {
    const id = await stage.volume(3 * MIB);
    await stage.driver.volumes.create({ id, sizeBytes: 3 * MIB }, stage.call());
    await stage.expectThere('volume', id, 3 * MIB);
  });

  it('create with another size is a conflict, and changes nothing', async () => {
    const id = await stage.volume(2 * MIB);
    for (const sizeBytes of [MIB, 4 * MIB])
      expect(await stage.fault(stage.driver.volumes.create({ id, sizeBytes }, stage.call()))).to.equal('conflict');
    await stage.expectThere('volume', id, 2 * MIB);
  });

  it('inspect of what is absent answers undefined, for every kind', async () => {
    const id = stage.newId();
    for (const kind of ['volume', 'image', 'seed'] as const) await stage.expectAbsent(kind, id);
    const volumeId = await stage.volume();
    expect(await stage.look('image', volumeId)).to.equal(undefined);
    expect(await stage.look('seed', volumeId)).to.equal(undefined);
  });

  it('delete forgets the volume, and succeeds when it is absent', async () => {
    const id = await stage.volume();
    await stage.driver.volumes.delete(id, stage.call());
    await stage.expectAbsent('volume', id);
    await stage.driver.volumes.delete(id, stage.call());
    await stage.driver.volumes.delete(stage.newId(), stage.call());
  });
}

function growthTests(stage: StorageStage): void {
  it('resize grows, again changes nothing, and a smaller size is invalid', async () => {
    const id = await stage.volume();
    for (let round = 0; round < 2; round += 1) {
      await stage.grow(id, 2 * MIB);
      await stage.expectThere('volume', id, 2 * MIB);
    }
    expect(await stage.fault(stage.grow(id, MIB))).to.equal('invalid');
    await stage.expectThere('volume', id, 2 * MIB);
  });

  it('resize of an absent volume is not_found', async () => {
    expect(await stage.fault(stage.grow(stage.newId(), MIB))).to.equal('not_found');
  });
}

function attachTests(stage: StorageStage): void {
  it('attach says how to reach the volume, the same each time', async () => {
    const id = await stage.volume();
    const attach = () => stage.driver.volumes.attach(id, stage.harness.host, stage.call());
    const first: Attachment = await attach();
    expect(first.type).to.be.oneOf(['file', 'block', 'rbd', 'nfs']);
    expect(await attach()).to.deep.equal(first);
  });

  it('two volumes are never reached the same way', async () => {
    const [a, b] = [await stage.volume(), await stage.volume()];
    const attach = (id: string) => stage.driver.volumes.attach(id, stage.harness.host, stage.call());
    expect(await attach(a)).not.to.deep.equal(await attach(b));
  });

  it('release ends it, again succeeds, and the volume can be attached anew', async () => {
    const id = await stage.volume();
    const { volumes } = stage.driver;
    const first = await volumes.attach(id, stage.harness.host, stage.call());
    for (let round = 0; round < 2; round += 1) await volumes.release(id, stage.harness.host, stage.call());
    expect(await volumes.attach(id, stage.harness.host, stage.call())).to.deep.equal(first);
    await stage.expectThere('volume', id, MIB);
  });

  it('attach of an absent volume is not_found', async () => {
    const work = stage.driver.volumes.attach(stage.newId(), stage.harness.host, stage.call());
    expect(await stage.fault(work)).to.equal('not_found');
  });
}

function imageTests(stage: StorageStage): void {
  it('put fills the copy, tells its progress, and again changes nothing', async () => {
    const id = stage.made('image');
    const told: number[] = [];
    await stage.put(id, content(MIB), stage.call(undefined, { onProgress: (fraction) => told.push(fraction) }));
    expect([...told].sort((a, b) => a - b)).to.deep.equal(told);
    for (const fraction of told) expect(fraction).to.be.within(0, 1);
    await stage.expectThere('image', id, MIB);
    await stage.put(id, content(MIB), stage.call());
    await stage.expectThere('image', id, MIB);
  });

  it('a half-written copy is never visible, and put succeeds after it', async () => {
    const id = stage.made('image');
    await stage.fault(stage.put(id, broken(MIB), stage.call()));
    await stage.harness.settle();
    await stage.expectAbsent('image', id);
    await stage.put(id, content(MIB), stage.call());
    await stage.expectThere('image', id, MIB);
  });

  it('content that stalls is given up in time, and not visible', async () => {
    const id = stage.made('image');
    const abort = new AbortController();
    const stalled: Content = {
      sizeBytes: MIB,
      async *open() {
        yield new Uint8Array(MIB / 2);
        await new Promise((_resolve, reject) => abort.signal.addEventListener('abort', () => reject(new Error('the test is over'))));
      },
    };
    expect(await stage.fault(stage.put(id, stalled, stage.brief()))).to.be.oneOf(UNANSWERED);
    abort.abort();
    await stage.harness.settle();
    await stage.expectAbsent('image', id);
  });

  it('delete forgets the image, and succeeds when it is absent', async () => {
    const id = await stage.image();
    await stage.driver.images.delete(id, stage.call());
    await stage.expectAbsent('image', id);
    await stage.driver.images.delete(id, stage.call());
    await stage.driver.images.delete(stage.newId(), stage.call());
  });
}

function imageAttachTests(stage: StorageStage): void {
  const attach = (id: string) => stage.driver.images.attach?.(id, stage.call()) ?? expect.fail('the driver shows no images');

  it('are reached in one way by all hosts, under a name that has their id in it', async () => {
    const id = await stage.image();
    const attachment = await attach(id);
    expect(JSON.stringify(attachment)).to.contain(id);
    expect(attachment).not.to.have.property('encryption');
    expect(await attach(id)).to.deep.equal(attachment);
    expect(await stage.look('image', id), 'nothing was made for it').to.deep.equal((await stage.listedOf(id))[0]);
  });

  it('are not reached where they are not', async () => {
    expect(await stage.fault(attach(stage.newId()))).to.equal('not_found');
  });
}

function cloneTests(stage: StorageStage): void {
  it('a volume made from an image is grown to its size, and again changes nothing', async () => {
    const imageId = await stage.image();
    const id = stage.made('volume');
    for (let round = 0; round < 2; round += 1) {
      await stage.driver.volumes.create({ id, sizeBytes: 4 * MIB, imageId }, stage.call());
      await stage.expectThere('volume', id, 4 * MIB);
    }
  });

  it('a volume smaller than its image is invalid, one from an absent image not_found, and neither is made', async () => {
    const imageId = await stage.image(2 * MIB);
    const id = stage.made('volume');
    const create = (sizeBytes: number, from: string) => stage.driver.volumes.create({ id, sizeBytes, imageId: from }, stage.call());
    expect(await stage.fault(create(MIB, imageId))).to.equal('invalid');
    expect(await stage.fault(create(4 * MIB, stage.newId()))).to.equal('not_found');
    await stage.expectAbsent('volume', id);
  });

  it('an image that a volume depends on is kept, and goes once the volume is gone', async () => {
    const imageId = await stage.image();
    const id = stage.made('volume');
    await stage.driver.volumes.create({ id, sizeBytes: MIB, imageId }, stage.call());
    // A backend whose clones are whole copies has no dependency to refuse for.
    const fault = await stage.driver.images.delete(imageId, stage.call()).then(
      () => 'deleted',
      (error) => stage.driver.classify(error),
    );
    expect(fault).to.be.oneOf(['conflict', 'deleted']);
    await stage.expectThere('volume', id, MIB);
    if (fault === 'conflict') await stage.expectThere('image', imageId, MIB);
    await stage.driver.volumes.delete(id, stage.call());
    await stage.driver.images.delete(imageId, stage.call());
    await stage.expectAbsent('image', imageId);
  });
}

function seedTests(stage: StorageStage): void {
  it('put keeps the bytes, says how to reach them, and other content replaces them', async () => {
    const id = stage.made('seed');
    const first = await stage.driver.seeds.put(id, new Uint8Array(4096).fill(1), stage.call());
    await stage.expectThere('seed', id, 4096);
    expect(await stage.driver.seeds.put(id, new Uint8Array(4096).fill(1), stage.call())).to.deep.equal(first);
    await stage.driver.seeds.put(id, new Uint8Array(8192).fill(2), stage.call());
    await stage.expectThere('seed', id, 8192);
  });

  it('delete forgets the seed, and succeeds when it is absent', async () => {
    const id = stage.made('seed');
    await stage.driver.seeds.put(id, new Uint8Array(2048), stage.call());
    await stage.driver.seeds.delete(id, stage.call());
    await stage.expectAbsent('seed', id);
    await stage.driver.seeds.delete(id, stage.call());
  });
}

function concurrencyTests(stage: StorageStage): void {
  it('the same call twice in parallel has one effect', async () => {
    const { volumes } = stage.driver;
    const id = stage.made('volume');
    const imageId = stage.made('image');
    const twice = (act: () => Promise<unknown>) => Promise.all([act(), act()]);
    await twice(() => volumes.create({ id, sizeBytes: MIB }, stage.call()));
    await stage.expectThere('volume', id, MIB);
    if (stage.canGrow) {
      await twice(() => stage.grow(id, 2 * MIB));
      await stage.expectThere('volume', id, 2 * MIB);
    }
    await twice(() => volumes.delete(id, stage.call()));
    await stage.expectAbsent('volume', id);
    await twice(() => stage.put(imageId, content(MIB), stage.call()));
    await stage.expectThere('image', imageId, MIB);
    await twice(() => stage.driver.images.delete(imageId, stage.call()));
    await stage.expectAbsent('image', imageId);
  });

  it('different volumes in parallel, through different driver objects, are all made', async () => {
    const other = await stage.open();
    const ids = Array.from({ length: 8 }, () => stage.made('volume'));
    await Promise.all(ids.map((id, at) => (at % 2 ? other : stage.driver).volumes.create({ id, sizeBytes: MIB }, stage.call())));
    const listed = (await stage.driver.list(stage.call())).map((stored) => stored.id);
    expect(listed).to.include.members(ids);
  });

  it('a frozen backend makes every look fail, never answer "absent"', async () => {
    const id = await stage.volume();
    await stage.whileFrozen(async () => {
      expect(await stage.fault(stage.driver.inspect('volume', id, stage.brief()))).to.be.oneOf(UNANSWERED);
      expect(await stage.fault(stage.driver.inspect('image', stage.newId(), stage.brief()))).to.be.oneOf(UNANSWERED);
      expect(await stage.fault(stage.driver.list(stage.brief()))).to.be.oneOf(UNANSWERED);
      expect(await stage.fault(stage.driver.capacity(stage.brief()))).to.be.oneOf(UNANSWERED);
    });
  });
}
