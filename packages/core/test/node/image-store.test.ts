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
});
