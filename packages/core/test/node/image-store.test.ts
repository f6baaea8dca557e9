import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { directoryImageStore } from '../../src/node/index.ts';
import type { Content } from '../../src/strategy/index.ts';

const LIMIT = 1024 * 1024;

async function* chunks(...parts: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* parts;
}

async function readAll(content: Content): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of content.open()) parts.push(part);
  return Buffer.concat(parts);
}

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'succeeded',
    (error: { readonly code?: string }) => error.code ?? String(error),
  );

describe('the image store of a directory', () => {
  let directory = '';
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'pileus-images-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  it('keeps content whole, measured on the way, and gives it as often as asked', async () => {
    const store = await directoryImageStore(directory);
    const parts = [Buffer.alloc(70_000, 1), Buffer.alloc(3, 2), Buffer.alloc(0), Buffer.alloc(200_000, 3)];
    const whole = Buffer.concat(parts);
    const sha256 = createHash('sha256').update(whole).digest('hex');
    expect(await store.write('a', chunks(...parts), LIMIT)).to.deep.equal({ sizeBytes: whole.length, sha256 });
    const content = await (await directoryImageStore(directory)).open('a');
    expect(content.sizeBytes).to.equal(whole.length);
    expect((await readAll(content)).equals(whole)).to.equal(true);
    expect((await readAll(content)).equals(whole)).to.equal(true);
    expect(Buffer.from(await store.head('a', 70_001)).equals(whole.subarray(0, 70_001))).to.equal(true);
    expect(await store.head('a', LIMIT)).to.have.length(whole.length);
    expect(await store.list()).to.deep.equal(['a']);
  });

  it('leaves nothing of a write that fails, is too large, or was cut off by a crash', async () => {
    const store = await directoryImageStore(directory);
    async function* broken() {
      yield Buffer.alloc(100);
      throw new Error('the client went away');
    }
    expect(await codeOf(store.write('a', broken(), LIMIT))).to.contain('went away');
    expect(await codeOf(store.write('a', chunks(Buffer.alloc(LIMIT), Buffer.alloc(1)), LIMIT))).to.equal('too_large');
    expect(await readdir(directory)).to.deep.equal([]);
    await writeFile(join(directory, 'a.part1'), 'half');
    expect(await (await directoryImageStore(directory)).list()).to.deep.equal([]);
    expect(await readdir(directory)).to.deep.equal([]);
  });

  it('keeps what is there until another write is whole', async () => {
    const store = await directoryImageStore(directory);
    await store.write('a', chunks(Buffer.from('first')), LIMIT);
    await codeOf(store.write('a', chunks(Buffer.alloc(LIMIT + 1)), LIMIT));
    expect((await readAll(await store.open('a'))).toString()).to.equal('first');
    await store.write('a', chunks(Buffer.from('second')), LIMIT);
    expect((await readAll(await store.open('a'))).toString()).to.equal('second');
  });

  it('deletes, also what is not there', async () => {
    const store = await directoryImageStore(directory);
    await store.write('a', chunks(Buffer.from('content')), LIMIT);
    await store.delete('a');
    await store.delete('a');
    expect(await codeOf(store.open('a'))).to.equal('not_found');
    expect(await codeOf(store.head('a', 1))).to.equal('not_found');
  });

  describe('of an upload that breaks off', () => {
    const whole = Buffer.concat([Buffer.alloc(300_000, 1), Buffer.alloc(300_001, 2)]);
    const part = { id: 'a', sha256: createHash('sha256').update(whole).digest('hex') };
    async function* broken(...parts: readonly Uint8Array[]) {
      yield* parts;
      throw new Error('the client went away');
    }

    for (const how of ['in the same process', 'in the next one', 'from an earlier byte than the last'])
      it(`keeps what has come, to be gone on with ${how}`, async () => {
        const store = await directoryImageStore(directory);
        expect(await store.part(part)).to.equal(undefined);
        expect(await codeOf(store.append({ ...part, fromBytes: 0 }, broken(whole.subarray(0, 400_000)), LIMIT))).to.contain('went away');
        expect(await store.part(part)).to.include({ ...part, sizeBytes: 400_000 });
        expect(await store.list()).to.deep.equal(['a']);
        expect(await codeOf(store.open('a'))).to.equal('not_found');
        const next = how === 'in the next one' ? await directoryImageStore(directory) : store;
        const fromBytes = how.startsWith('from') ? 123_456 : 400_000;
        const facts = await next.append({ ...part, fromBytes }, chunks(whole.subarray(fromBytes)), LIMIT);
        expect(facts).to.deep.equal({ sizeBytes: whole.length, sha256: part.sha256 });
        expect((await readAll(await next.open('a'))).equals(whole)).to.equal(true);
        expect(await readdir(directory)).to.deep.equal(['a']);
      });

    it('leaves no gap, and nothing of other content', async () => {
      const store = await directoryImageStore(directory);
      await codeOf(store.append({ ...part, fromBytes: 0 }, broken(whole.subarray(0, 1000)), LIMIT));
      expect(await codeOf(store.append({ ...part, fromBytes: 1001 }, chunks(whole.subarray(1001)), LIMIT))).to.equal('conflict');
      expect(await store.part(part)).to.include({ sizeBytes: 1000 });
      expect(await codeOf(store.append({ ...part, fromBytes: 1000 }, chunks(whole.subarray(0, 5)), LIMIT))).to.equal('invalid_input');
      expect(await readdir(directory)).to.deep.equal([]);
      await codeOf(store.append({ ...part, fromBytes: 0 }, broken(whole.subarray(0, 1000)), LIMIT));
      expect(await codeOf(store.append({ ...part, fromBytes: 1000 }, chunks(whole), 1500))).to.equal('too_large');
      expect(await readdir(directory)).to.deep.equal([]);
      await codeOf(store.append({ ...part, fromBytes: 0 }, broken(), LIMIT));
      expect(await readdir(directory)).to.deep.equal([]);
    });

    it('is not read again to be gone on with when nobody wants it any more, and stays as it is', async () => {
      await codeOf((await directoryImageStore(directory)).append({ ...part, fromBytes: 0 }, broken(whole.subarray(0, 400_000)), LIMIT));
      const store = await directoryImageStore(directory);
      const unwanted = () => {
        throw new Error('the client is gone');
      };
      const rest = () => chunks(whole.subarray(400_000));
      expect(await codeOf(store.append({ ...part, fromBytes: 400_000 }, rest(), LIMIT, unwanted))).to.contain('is gone');
      expect(await store.part(part)).to.include({ sizeBytes: 400_000 });
      let asked = 0;
      const wanted = () => {
        asked += 1;
      };
      expect(await store.append({ ...part, fromBytes: 400_000 }, rest(), LIMIT, wanted)).to.include({ sha256: part.sha256 });
      expect(asked).to.equal(2);
    });

    it('is of one content at a time, and goes with the image', async () => {
      const store = await directoryImageStore(directory);
      await codeOf(store.append({ ...part, fromBytes: 0 }, broken(whole.subarray(0, 1000)), LIMIT));
      const other = { id: 'a', sha256: 'f'.repeat(64) };
      await codeOf(store.append({ ...other, fromBytes: 0 }, broken(whole.subarray(0, 10)), LIMIT));
      expect((await store.parts()).map(({ sha256, sizeBytes }) => ({ sha256, sizeBytes }))).to.deep.equal([
        { sha256: other.sha256, sizeBytes: 10 },
      ]);
      await store.deletePart({ id: 'a', sha256: part.sha256 });
      expect(await store.parts()).to.have.length(1);
      await store.delete('a');
      expect(await readdir(directory)).to.deep.equal([]);
    });
  });

  it('does not give what is damaged for what was written', async () => {
    const store = await directoryImageStore(directory);
    const { sha256 } = await store.write('a', chunks(Buffer.from('content')), LIMIT);
    expect((await readAll(await store.open('a', sha256))).toString()).to.equal('content');
    await writeFile(join(directory, 'a'), 'CONTENT');
    expect(await codeOf(store.open('a', sha256).then(readAll))).to.equal('internal');
  });

  it('opens content at any byte', async () => {
    const store = await directoryImageStore(directory);
    await store.write('a', chunks(Buffer.from('0123456789')), LIMIT);
    const parts: Uint8Array[] = [];
    for await (const part of (await store.open('a')).openAt?.(7) ?? []) parts.push(part);
    expect(Buffer.concat(parts).toString()).to.equal('789');
  });
});
