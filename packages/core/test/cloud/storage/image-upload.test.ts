import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import { image } from '../../../src/cloud/index.ts';
import { CloudError, sleep } from '../../../src/kernel/index.ts';
import { codeOf, LittleCloud, once } from '../little-cloud.ts';

const SIZE = 8192;
const HOUR_MS = 3600_000;
const MIB = 2 ** 20;
/** The simulated store's digest of content of this size. */
const digestOf = (sizeBytes: number): string => sizeBytes.toString(16).padStart(64, '0');
const DIGEST = { 'repr-digest': `sha-256=:${Buffer.from(digestOf(SIZE), 'hex').toString('base64')}:` };
const from = (fromBytes: number) => ({ ...DIGEST, 'content-range': `bytes ${fromBytes}-${SIZE - 1}/${SIZE}` });

/** As many bytes, and then the connection is gone. */
async function* broken(sizeBytes: number) {
  yield new Uint8Array(sizeBytes);
  throw new CloudError('invalid_input', 'The request ended before its body was complete.');
}

/** How many are still there when the garbage has been collected, whenever the engine would have done so. */
async function heldOf(chunks: readonly WeakRef<Uint8Array>[]): Promise<number> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  // What was looked at in this turn is not collected in it.
  await new Promise<void>((resolve) => void setImmediate(resolve));
  collect();
  return chunks.filter((chunk) => chunk.deref() !== undefined).length;
}

describe('an upload that breaks off', () => {
  let cloud: LittleCloud;
  let id: string;
  beforeEach(async () => {
    cloud = await LittleCloud.open();
    id = await cloud.sim.done('image.create', { name: 'debian' });
  });
  const received = (sha256 = digestOf(SIZE)) =>
    cloud.ask('GET', '/images/{id}/content/received', { params: { id }, query: { sha256 } }) as Promise<Record<string, unknown>>;

  it('is gone on with where it broke off, and is then the whole', async () => {
    expect(await received()).to.deep.equal({ receivedBytes: 0 });
    expect(await codeOf(cloud.upload(id, broken(5000), DIGEST))).to.equal('invalid_input');
    expect((await received()).receivedBytes).to.equal(5000);
    expect((await received(digestOf(1))).receivedBytes).to.equal(0);
    expect((await cloud.row(image, id)).stateReason?.message).to.match(/ of it are here\. The image awaits its content/);
    expect(await cloud.upload(id, new Uint8Array(SIZE - 5000), from(5000))).to.include({ state: 'available', sizeBytes: SIZE });
    expect(await cloud.row(image, id)).not.to.have.property('stateReason');
    expect((await cloud.sim.imageStore.open(id)).sizeBytes).to.equal(SIZE);
    expect(await cloud.sim.imageStore.parts()).to.deep.equal([]);
    expect(await received()).to.deep.equal({ receivedBytes: SIZE });
  });

  it('is gone on with after a crash', async () => {
    await codeOf(cloud.upload(id, broken(5000), DIGEST));
    cloud.sim.crash();
    await cloud.sim.start();
    expect((await received()).receivedBytes).to.equal(5000);
    expect(await cloud.upload(id, new Uint8Array(SIZE - 4096), from(4096))).to.include({ state: 'available', sizeBytes: SIZE });
  });

  it('leaves no gap: what is not here is told, and stays as it is', async () => {
    await codeOf(cloud.upload(id, broken(5000), DIGEST));
    const revision = await cloud.revision();
    const error = await cloud.upload(id, new Uint8Array(SIZE - 6000), from(6000)).catch((cause: CloudError) => cause);
    expect(error).to.deep.include({ code: 'conflict', params: { receivedBytes: 5000 } });
    expect(await cloud.revision()).to.equal(revision);
    expect((await received()).receivedBytes).to.equal(5000);
  });

  it('is given up by who uploads other content, or the same from its start', async () => {
    await codeOf(cloud.upload(id, broken(5000), DIGEST));
    await codeOf(cloud.upload(id, broken(100), { 'repr-digest': DIGEST['repr-digest'].replace('A', 'B') }));
    expect((await received()).receivedBytes).to.equal(0);
    await codeOf(cloud.upload(id, broken(5000), DIGEST));
    await codeOf(cloud.upload(id, broken(40), DIGEST));
    expect((await received()).receivedBytes).to.equal(40);
  });

  it('is taken over by a request that goes on with it, though nobody knows yet that its connection is dead', async () => {
    async function* stalled() {
      yield new Uint8Array(5000);
      await sleep(cloud.sim.environment.timers, 24 * HOUR_MS);
    }
    const first = codeOf(cloud.upload(id, stalled(), DIGEST));
    await cloud.sim.run(100);
    expect((await received()).receivedBytes).to.equal(5000);
    expect(await codeOf(cloud.upload(id, new Uint8Array(SIZE), DIGEST))).to.equal('conflict');
    expect(await cloud.upload(id, new Uint8Array(SIZE - 5000), from(5000))).to.include({ state: 'available' });
    expect(await first).to.equal('conflict');
    expect(cloud.sim.environment.clock.monotonicMs()).to.be.lessThan(HOUR_MS);
  });

  it('is taken over by nobody while its client is sending', async () => {
    async function* live() {
      for (let count = 0; count < SIZE / 128; count += 1) {
        await sleep(cloud.sim.environment.timers, 1000);
        yield new Uint8Array(128);
      }
    }
    const first = cloud.upload(id, live(), DIGEST);
    await cloud.sim.run(10_000);
    const beganMs = cloud.sim.environment.clock.monotonicMs();
    const other = await cloud.upload(id, new Uint8Array(SIZE), from(0)).catch((error: CloudError) => error);
    expect(other).to.include({ code: 'conflict' });
    expect((other as CloudError).message).to.contain('still sending');
    expect(cloud.sim.environment.clock.monotonicMs() - beganMs).to.be.within(30_000, 31_000);
    expect(await cloud.sim.environment.complete(first)).to.include({ state: 'available', sizeBytes: SIZE });
  });

  it('is waited for by who goes on with it, but not for ever', async () => {
    const store = cloud.sim.imageStore;
    const append = store.append.bind(store);
    const hangs = Promise.withResolvers<never>();
    async function* stalled() {
      yield new Uint8Array(5000);
      await sleep(cloud.sim.environment.timers, 24 * HOUR_MS);
    }
    store.append = async (_part, bytes) => {
      try {
        for await (const _ of bytes);
      } catch {
        // What was to end does not.
      }
      return hangs.promise;
    };
    const first = cloud.upload(id, stalled(), DIGEST).catch((error: unknown) => error);
    await cloud.sim.run(100);
    const beganMs = cloud.sim.environment.clock.monotonicMs();
    expect(await codeOf(cloud.upload(id, new Uint8Array(SIZE), from(0)))).to.equal('unavailable');
    expect(cloud.sim.environment.clock.monotonicMs() - beganMs).to.be.within(30_000, 31_000);
    hangs.reject(new CloudError('conflict', 'It has ended after all.'));
    expect(await first).to.include({ code: 'conflict' });
    store.append = append;
    expect(await cloud.upload(id, new Uint8Array(SIZE), from(0))).to.include({ state: 'available' });
  });

  it('is not disturbed by a request that is refused anyway', async () => {
    async function* slow() {
      yield new Uint8Array(5000);
      await sleep(cloud.sim.environment.timers, HOUR_MS);
      yield new Uint8Array(SIZE - 5000);
    }
    const first = cloud.upload(id, slow(), DIGEST);
    await cloud.sim.run(100);
    expect(await codeOf(cloud.upload(id, new Uint8Array(SIZE - 6000), from(6000)))).to.equal('conflict');
    await cloud.sim.run(2 * HOUR_MS);
    expect(await first).to.include({ state: 'available', sizeBytes: SIZE });
  });

  it('holds none of what has gone on to the store', async () => {
    const chunks: WeakRef<Uint8Array>[] = [];
    async function* large() {
      for (let count = 0; count < 200; count += 1) {
        const chunk = new Uint8Array(MIB);
        chunks.push(new WeakRef(chunk));
        yield chunk;
      }
    }
    const store = cloud.sim.imageStore;
    const write = store.write.bind(store);
    let held = 0;
    store.write = async (into, bytes, limitBytes) => {
      const reader = bytes[Symbol.asyncIterator]();
      for (let count = 0; count < 150; count += 1) await reader.next();
      held = await heldOf(chunks);
      await reader.return?.();
      return write(into, once(new Uint8Array(512)), limitBytes);
    };
    await cloud.upload(id, large(), {});
    expect(chunks.length).to.be.at.least(150);
    expect(held).to.be.below(20);
  });

  it('is done already when it ended unseen', async () => {
    await cloud.upload(id, new Uint8Array(SIZE), DIGEST);
    expect(await cloud.upload(id, new Uint8Array(1), from(SIZE - 1))).to.include({ id, state: 'available', sizeBytes: SIZE });
    expect(await codeOf(cloud.upload(id, new Uint8Array(SIZE)))).to.equal('conflict');
  });

  it('leaves nothing when what came is not what was signed, or not of the digest', async () => {
    async function* forged() {
      yield new Uint8Array(5000);
      throw new CloudError('unauthenticated', 'The body is not the one that was signed.');
    }
    expect(await codeOf(cloud.upload(id, forged(), DIGEST))).to.equal('unauthenticated');
    expect(await cloud.sim.imageStore.list()).to.deep.equal([]);
    await codeOf(cloud.upload(id, broken(5000), DIGEST));
    expect(await codeOf(cloud.upload(id, new Uint8Array(5), from(5000)))).to.equal('invalid_input');
    expect(await cloud.sim.imageStore.list()).to.deep.equal([]);
  });

  it('is forgotten when nobody goes on with it in time, and not before', async () => {
    await codeOf(cloud.upload(id, broken(5000), DIGEST));
    const { keptUntil } = await received();
    expect(Date.parse(String(keptUntil)) - cloud.sim.environment.clock.nowMs()).to.be.within(23 * HOUR_MS, 24 * HOUR_MS);
    await cloud.sim.run(23 * HOUR_MS);
    expect((await received()).receivedBytes).to.equal(5000);
    await cloud.sim.run(2 * HOUR_MS);
    expect(await received()).to.deep.equal({ receivedBytes: 0 });
    expect(await cloud.sim.imageStore.list()).to.deep.equal([]);
    expect(await cloud.upload(id, new Uint8Array(SIZE), DIGEST)).to.include({ state: 'available' });
  });

  it('leaves nothing when its image is deleted', async () => {
    await codeOf(cloud.upload(id, broken(5000), DIGEST));
    await cloud.sim.done('image.delete', {}, id);
    expect(await cloud.sim.imageStore.list()).to.deep.equal([]);
  });

  for (const [what, headers] of [
    ['is no range', { ...DIGEST, 'content-range': 'bytes */8192' }],
    ['does not go to the end', { ...DIGEST, 'content-range': 'bytes 0-100/8192' }],
    ['comes without a digest', { 'content-range': `bytes 0-${SIZE - 1}/${SIZE}` }],
  ] as const)
    it(`is refused, before anything changes, when its range ${what}`, async () => {
      const revision = await cloud.revision();
      const error = await cloud.upload(id, once(new Uint8Array(SIZE)), headers).catch((cause: CloudError) => cause);
      expect(error).to.deep.include({ code: 'invalid_input', params: { header: 'Content-Range' } });
      expect(await cloud.revision()).to.equal(revision);
    });

  it('is refused at once when the whole is larger than an image may be, or of another digest than the image was registered with', async () => {
    const small = await LittleCloud.open({ presets: { 'images.bytesMax': SIZE - 1 } });
    const other = await small.sim.done('image.create', {});
    expect(await codeOf(small.upload(other, new Uint8Array(0), from(0)))).to.equal('too_large');
    const named = await cloud.sim.done('image.create', { sha256: digestOf(1) });
    expect(await codeOf(cloud.upload(named, new Uint8Array(SIZE), DIGEST))).to.equal('invalid_input');
    expect(await cloud.sim.imageStore.list()).to.deep.equal([]);
  });
});

describe('the content of images', () => {
  it('is found by its digest, where an image that one may download has it', async () => {
    const cloud = await LittleCloud.open();
    const id = await cloud.image(SIZE);
    const ask = (sha256: string, more = {}) => cloud.ask('GET', '/image-contents/{sha256}', { params: { sha256 }, ...more });
    expect(await ask(digestOf(SIZE))).to.include({ sizeBytes: SIZE, sha256: digestOf(SIZE), tag: digestOf(SIZE) });
    for (const sha256 of [digestOf(1), 'x']) expect(await codeOf(ask(sha256))).to.equal('not_found');
    const stranger = {
      actor: 'key:other',
      projectId: cloud.sim.kernel.services.ids.mint('project'),
      accountId: '00000000-0000-7000-8000-000000000002' as never,
      allows: (permission: string) => permission !== 'project.any',
    };
    expect(await codeOf(ask(digestOf(SIZE), { principal: stranger }))).to.equal('not_found');
    const twin = await cloud.image(SIZE);
    await cloud.sim.imageStore.delete(id);
    expect(await ask(digestOf(SIZE)), 'what one image has lost the other has').to.include({ sizeBytes: SIZE });
    for (const each of [id, twin]) await cloud.sim.done('image.delete', {}, each);
    expect(await codeOf(ask(digestOf(SIZE)))).to.equal('not_found');
  });
});
