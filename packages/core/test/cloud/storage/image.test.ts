import { expect } from 'chai';
import { image, volume } from '../../../src/cloud/index.ts';
import { CloudError, debt, operation, sleep, type Timers } from '../../../src/kernel/index.ts';
import type { Content } from '../../../src/strategy/index.ts';
import { codeOf, GIB, HEARTBEAT_MS, LittleCloud, once } from '../little-cloud.ts';
import { qcow2 } from './qcow2.ts';

const SIZE = 64 * 1024;
const MINUTE_MS = 60_000;
/** The simulated store's digest of content of this size. */
const digestOf = (sizeBytes: number): string => sizeBytes.toString(16).padStart(64, '0');
const reprDigest = (hex: string): string => `sha-256=:${Buffer.from(hex, 'hex').toString('base64')}:`;

describe('images', () => {
  it('wait for their content and are what it is', async () => {
    const cloud = await LittleCloud.open();
    const id = await cloud.sim.done('image.create', { name: 'debian', guestOs: 'linux', firmware: 'uefi' });
    expect(await cloud.row(image, id)).to.include({ state: 'awaiting_content', firmware: 'uefi', diskBus: 'virtio' });
    expect(await cloud.upload(id, qcow2({}, SIZE), { 'repr-digest': reprDigest(digestOf(SIZE)) })).to.include({ state: 'available' });
    expect(await cloud.row(image, id)).to.include({
      ...{ state: 'available', format: 'qcow2', sizeBytes: SIZE, virtualSizeBytes: GIB, sha256: digestOf(SIZE) },
    });
    const content = (await cloud.ask('GET', '/images/{id}/content', { params: { id: 'debian' } })) as Content;
    const parts: Uint8Array[] = [];
    for await (const part of content.open()) parts.push(part);
    expect(Buffer.concat(parts).equals(qcow2({}, SIZE))).to.equal(true);
  });

  it('take content once', async () => {
    const cloud = await LittleCloud.open();
    const id = await cloud.image(SIZE);
    expect(await codeOf(cloud.upload(id, new Uint8Array(512)))).to.equal('conflict');
    expect(await cloud.row(image, id)).to.include({ sizeBytes: SIZE });
    expect((await cloud.sim.imageStore.open(id)).sizeBytes).to.equal(SIZE);
  });

  it('take one of two uploads at the same time', async () => {
    const cloud = await LittleCloud.open();
    const id = await cloud.sim.done('image.create', {});
    async function* slow() {
      yield new Uint8Array(512);
      await sleep(cloud.sim.environment.timers, 60_000);
    }
    const first = codeOf(cloud.upload(id, slow()));
    await cloud.sim.run(100);
    expect(await codeOf(cloud.upload(id, new Uint8Array(1024)))).to.equal('conflict');
    expect(await first).to.equal('succeeded');
    expect(await cloud.row(image, id)).to.include({ state: 'available', sizeBytes: 512 });
  });

  for (const [what, sizeBytes, headers, more, code] of [
    ['has another digest than the header says', SIZE, { 'repr-digest': reprDigest(digestOf(1)) }, {}, 'invalid_input'],
    ['has another digest than the image was registered with', SIZE, {}, { sha256: digestOf(1) }, 'invalid_input'],
    ['is no whole number of sectors', 1000, {}, {}, 'invalid_input'],
    ['is larger than allowed', SIZE + 512, {}, {}, 'too_large'],
  ] as const)
    it(`refuse content that ${what}, and say on the row what to do`, async () => {
      const cloud = await LittleCloud.open({ presets: { 'images.bytesMax': SIZE } });
      const id = await cloud.sim.done('image.create', more);
      const refusal = await cloud.upload(id, new Uint8Array(sizeBytes), headers).catch((error: CloudError) => error);
      const { state, stateReason } = await cloud.row(image, id);
      expect(refusal).to.include({ code, publicMessage: stateReason?.message });
      expect(state).to.equal('awaiting_content');
      expect(stateReason?.code).to.equal('upload_failed');
      expect(stateReason?.message).to.match(/\. The image awaits its content: upload it again, or delete the image\.$/);
      expect(await cloud.sim.imageStore.list()).to.deep.equal([]);
      await cloud.sim.done('image.delete', {}, id);
    });

  for (const [what, headers, code] of [
    ['is announced as larger than allowed', { 'content-length': String(SIZE + 1) }, 'too_large'],
    ['comes with a digest of another form', { 'repr-digest': 'md5=:AAAA:' }, 'invalid_input'],
  ] as const)
    it(`refuse content that ${what}, and change nothing`, async () => {
      const cloud = await LittleCloud.open({ presets: { 'images.bytesMax': SIZE } });
      const id = await cloud.sim.done('image.create', {});
      const revision = await cloud.revision();
      expect(await codeOf(cloud.upload(id, new Uint8Array(SIZE), headers))).to.equal(code);
      expect(await cloud.revision()).to.equal(revision);
      await cloud.upload(id, new Uint8Array(SIZE));
    });

  it('keep nothing of an upload that breaks off, and take the next one', async () => {
    const cloud = await LittleCloud.open();
    const id = await cloud.sim.done('image.create', {});
    async function* broken() {
      yield new Uint8Array(512);
      throw new CloudError('unavailable', 'The client went away.');
    }
    expect(await codeOf(cloud.upload(id, broken()))).to.equal('unavailable');
    expect(await cloud.sim.imageStore.list()).to.deep.equal([]);
    expect((await cloud.row(image, id)).stateReason?.message).to.match(/^The client went away\. The image awaits its content/);
    await cloud.upload(id, new Uint8Array(SIZE));
    expect(await cloud.row(image, id))
      .to.include({ state: 'available' })
      .and.not.to.have.property('stateReason');
  });

  it('without content cannot be cloned or read, and say what is missing', async () => {
    const cloud = await LittleCloud.open();
    const id = await cloud.sim.done('image.create', { name: 'debian' });
    const told = { code: 'conflict', publicMessage: 'Image debian has no content yet; upload it first.' };
    for (const asked of [cloud.sim.submit('volume.create', { imageId: id }), cloud.ask('GET', '/images/{id}/content', { params: { id } })])
      expect(await asked.catch((error: CloudError) => error)).to.include(told);
  });

  it('cannot be completed but by an upload', async () => {
    const cloud = await LittleCloud.open();
    const id = await cloud.sim.done('image.create', {});
    expect(await codeOf(cloud.sim.submit('image.complete', {}, id))).to.equal('conflict');
  });

  it('that were left half way by a crash are swept at the next start', async () => {
    const cloud = await LittleCloud.open();
    const id = await cloud.sim.done('image.create', {});
    await cloud.sim.imageStore.write(id, once(new Uint8Array(512)), SIZE);
    const stranger = cloud.sim.kernel.services.ids.mint('image');
    await cloud.sim.imageStore.write(stranger, once(new Uint8Array(512)), SIZE);
    const complete = await cloud.image(SIZE);
    cloud.sim.crash();
    await cloud.sim.start();
    expect(await cloud.sim.imageStore.list()).to.have.members([complete, stranger]);
  });

  it('are as absent for other projects', async () => {
    const cloud = await LittleCloud.open();
    const id = await cloud.image(SIZE);
    const principal = {
      actor: 'key:other',
      projectId: cloud.sim.kernel.services.ids.mint('project'),
      accountId: '00000000-0000-7000-8000-000000000002' as never,
      allows: (permission: string) => permission !== 'project.any',
    };
    expect(await codeOf(cloud.ask('GET', '/images/{id}/content', { params: { id }, principal }))).to.equal('not_found');
    const asked = { action: 'volume.create', input: { imageId: id }, principal };
    expect(await codeOf(cloud.sim.environment.complete(cloud.sim.kernel.submit(asked)))).to.equal('not_found');
  });

  it('are deleted with their copies in every pool, also where that has to wait', async () => {
    const cloud = await LittleCloud.open();
    const pools = [await cloud.pool(await cloud.host('hv1')), await cloud.pool(await cloud.host('hv2'))];
    const id = await cloud.image(SIZE);
    for (const poolId of pools) await cloud.sim.done('volume.delete', {}, await cloud.volume(GIB, { imageId: id, poolId }));
    const copies = () => [...cloud.sim.world.pools.values()].flatMap((things) => things.list());
    expect(copies()).to.have.length(2);
    cloud.sim.world.crash('hv2');
    await cloud.sim.run(10 * HEARTBEAT_MS);
    await cloud.sim.done('image.delete', {}, id);
    expect(await cloud.sim.imageStore.list()).to.deep.equal([]);
    expect(copies()).to.have.length(1);
    expect(await cloud.rows(debt)).to.have.length(1);
    cloud.sim.world.boot('hv2');
    await cloud.sim.run(10 * HEARTBEAT_MS);
    expect(copies()).to.deep.equal([]);
    expect(await cloud.rows(debt)).to.deep.equal([]);
  });

  it('that are damaged by now are copied into no pool', async () => {
    const cloud = await LittleCloud.open();
    await cloud.pool(await cloud.host('hv1'));
    const id = await cloud.image(SIZE);
    cloud.sim.imageStore.damage(id);
    const { error } = await cloud.outcome('volume.create', { imageId: id, sizeBytes: GIB });
    expect(error?.code).to.equal('internal');
    expect([...cloud.sim.world.pools.values()].flatMap((things) => things.list())).to.deep.equal([]);
    expect(await cloud.rows(volume)).to.deep.equal([]);
  });

  it('are not deleted under volumes made from them', async () => {
    const cloud = await LittleCloud.open();
    await cloud.pool(await cloud.host('hv1'));
    const id = await cloud.image(SIZE);
    await cloud.volume(GIB, { imageId: id });
    expect(await codeOf(cloud.sim.submit('image.delete', {}, id))).to.equal('in_use');
  });
});

describe('import by path', () => {
  const sourceUrl = 'file:///srv/images/debian.raw';
  const config = { imageDirectories: ['/srv/images'] };

  it('is off unless directories are listed', async () => {
    const cloud = await LittleCloud.open();
    expect(await codeOf(cloud.sim.submit('image.create', { sourceUrl }))).to.equal('refused');
  });

  it('brings the content of an allowed file, once, and leaves nothing of one that is not to be read', async () => {
    const asked: unknown[] = [];
    const openFile = async (path: string, { directories }: { readonly directories: readonly string[] }) => {
      asked.push([path, directories]);
      if (path.endsWith('secret')) throw new CloudError('refused', 'A link leads elsewhere.');
      return once(new Uint8Array(SIZE));
    };
    const cloud = await LittleCloud.open({ openFile, config });
    const id = await cloud.sim.done('image.create', { sourceUrl, sha256: digestOf(SIZE) });
    expect(await cloud.row(image, id)).to.include({ state: 'available', format: 'raw', sizeBytes: SIZE });
    expect(asked).to.deep.equal([['/srv/images/debian.raw', ['/srv/images']]]);
    expect(await codeOf(cloud.upload(id, new Uint8Array(512)))).to.equal('conflict');
    const { error } = await cloud.outcome('image.create', { sourceUrl: 'file:///srv/images/secret' });
    expect(error?.code).to.equal('refused');
    expect(await cloud.rows(image)).to.have.length(1);
  });

  it('leaves no file open when the content cannot be kept', async () => {
    let isOpen = false;
    const openFile = async () => {
      isOpen = true;
      return once(new Uint8Array(SIZE));
    };
    const cloud = await LittleCloud.open({ openFile, config });
    cloud.sim.imageStore.write = async () => {
      throw new CloudError('conflict', 'There is no room for a draft.');
    };
    const { error } = await cloud.outcome('image.create', { sourceUrl });
    expect([error?.code, isOpen]).to.deep.equal(['conflict', false]);
  });

  it('is nothing for who is no operator', async () => {
    const cloud = await LittleCloud.open({ config });
    const principal = { ...cloud.sim.principal, allows: (permission: string) => permission !== 'project.any' };
    const asked = { action: 'image.create', input: { sourceUrl }, principal };
    expect(await codeOf(cloud.sim.environment.complete(cloud.sim.kernel.submit(asked)))).to.equal('permission_denied');
  });
});

describe('a little content of a large disk', () => {
  it('is refused beyond what the disk of an image may have', async () => {
    const cloud = await LittleCloud.open({ presets: { 'images.diskBytesMax': GIB } });
    await cloud.upload(await cloud.sim.done('image.create', {}), qcow2({ virtualSize: BigInt(GIB) }, SIZE));
    const id = await cloud.sim.done('image.create', {});
    expect(await codeOf(cloud.upload(id, qcow2({ virtualSize: BigInt(GIB) + 512n }, SIZE)))).to.equal('too_large');
    expect(await cloud.sim.imageStore.list()).not.to.include(id);
  });
});

describe('import by URL', () => {
  const url = 'https://images.example.org/debian.raw';

  it('is off unless sources are listed', async () => {
    const cloud = await LittleCloud.open();
    const operations = (await cloud.rows(operation)).length;
    expect(await codeOf(cloud.sim.submit('image.create', { sourceUrl: url }))).to.equal('refused');
    expect((await cloud.rows(operation)).length).to.equal(operations);
  });

  it('brings the content of an allowed source', async () => {
    const asked: string[] = [];
    const fetchUrl = async (at: string) => {
      asked.push(at);
      return once(new Uint8Array(SIZE));
    };
    const cloud = await LittleCloud.open({ fetchUrl, config: { imageSources: ['https://images.example.org/'] } });
    const id = await cloud.sim.done('image.create', { sourceUrl: url, sha256: digestOf(SIZE) });
    expect(await cloud.row(image, id)).to.include({ state: 'available', format: 'raw', sizeBytes: SIZE });
    expect(asked).to.deep.equal([url]);
    expect(await codeOf(cloud.upload(id, new Uint8Array(512)))).to.equal('conflict');
    expect(await codeOf(cloud.sim.submit('image.create', { sourceUrl: 'https://elsewhere.example.org/x' }))).to.equal('refused');
  });

  it('leaves nothing of what is not as expected, and tries again what only broke off', async () => {
    let tries = 0;
    const fetchUrl = async () => {
      tries += 1;
      if (tries === 1) throw new CloudError('unavailable', 'The source broke off.');
      return once(new Uint8Array(SIZE));
    };
    const cloud = await LittleCloud.open({ fetchUrl, config: { imageSources: ['https://images.example.org/'] } });
    const { error } = await cloud.outcome('image.create', { sourceUrl: url, sha256: digestOf(1) });
    expect({ code: error?.code, tries }).to.deep.equal({ code: 'invalid_input', tries: 2 });
    expect(await cloud.rows(image)).to.deep.equal([]);
    expect(await cloud.sim.imageStore.list()).to.deep.equal([]);
  });

  for (const [what, breakOffs] of [
    ['stalls', 0],
    ['breaks off late and stalls then', 1],
  ] as const)
    it(`gives a source that ${what} an hour in all, and leaves nothing, also of what comes after it`, async () => {
      let tries = 0;
      let closed = 0;
      async function* stalling(timers: Timers) {
        tries += 1;
        const isBreaking = tries <= breakOffs;
        try {
          yield new Uint8Array(512);
          await sleep(timers, isBreaking ? 40 * MINUTE_MS : 90 * MINUTE_MS);
          if (isBreaking) throw new CloudError('unavailable', 'The source broke off.');
          yield new Uint8Array(512);
        } finally {
          closed += 1;
        }
      }
      const fetchUrl = async () => stalling(cloud.sim.environment.timers);
      const cloud = await LittleCloud.open({ fetchUrl, config: { imageSources: ['https://images.example.org/'] } });
      const beganMs = cloud.sim.environment.clock.nowMs();
      const { error } = await cloud.outcome('image.create', { sourceUrl: url });
      expect({ code: error?.code, tries }).to.deep.equal({ code: 'refused', tries: breakOffs + 1 });
      expect(error?.message).to.match(/did not come within an hour/);
      const tookMs = cloud.sim.environment.clock.nowMs() - beganMs;
      expect(tookMs).to.be.within(60 * MINUTE_MS, 61 * MINUTE_MS);
      await cloud.sim.run(80 * MINUTE_MS);
      expect(closed).to.equal(tries);
      expect(await cloud.rows(image)).to.deep.equal([]);
      expect(await cloud.sim.imageStore.list()).to.deep.equal([]);
    });

  it('takes no more than an image may have, asks for it once, and leaves nothing', async () => {
    let sent = 0;
    let tries = 0;
    async function* endless() {
      tries += 1;
      for (;;) {
        sent += 512;
        yield new Uint8Array(512);
      }
    }
    const config = { imageSources: ['https://images.example.org/'] };
    const cloud = await LittleCloud.open({ fetchUrl: async () => endless(), config, presets: { 'images.bytesMax': SIZE } });
    const { error } = await cloud.outcome('image.create', { sourceUrl: url });
    expect({ code: error?.code, tries, sent }).to.deep.equal({ code: 'too_large', tries: 1, sent: SIZE + 512 });
    expect(await cloud.rows(image)).to.deep.equal([]);
    expect(await cloud.sim.imageStore.list()).to.deep.equal([]);
  });
});
