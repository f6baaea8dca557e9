import { expect } from 'chai';
import { ChunkSet } from '../../../src/cloud/backup/chunk-set.ts';
import { chunkName } from '../../../src/cloud/backup/keys.ts';
import { Entries, Manifest, PAGE_CHUNKS } from '../../../src/cloud/backup/manifest.ts';
import { missingIn, NameSet } from '../../../src/cloud/backup/name-set.ts';
import { BackupStage, CHUNK, sha } from './backup-stage.ts';

const put = (stage: BackupStage, id: string, chunk: number, byte: number) =>
  stage.write(id, chunk * CHUNK, new Uint8Array(4096).fill(byte));

/** With a volume of two pages, of which each has something, and a backup of it. */
async function backedUp() {
  const stage = await BackupStage.open();
  const id = await stage.cloud.volume((PAGE_CHUNKS + 4) * CHUNK + 512);
  for (const [at, chunk] of [0, PAGE_CHUNKS - 1, PAGE_CHUNKS, PAGE_CHUNKS + 4].entries())
    stage.write(id, chunk * CHUNK, new Uint8Array(512).fill(at + 1));
  const content = stage.contentOf(id);
  return { stage, id, content, backupId: await stage.backUp(id) };
}

const headOf = (stage: BackupStage, backupId: string) =>
  stage.objects.get([...stage.objects.keys()].find((key) => key.endsWith(`/backups/${backupId}`)) ?? '') ?? expect.fail('no manifest');

describe('backups of volumes of more than a page', function () {
  this.timeout(300_000);

  it('keep what they are of in pages, of which the next one puts those alone in which something has changed', async () => {
    const { stage, id, content, backupId } = await backedUp();
    expect(await stage.row(backupId)).to.include({ readBytes: 3 * CHUNK + 512, newBytes: 3 * CHUNK + 512 });
    expect(headOf(stage, backupId).length).to.be.below(1024);
    const first = stage.chunks();
    expect(first, 'four chunks and two pages').to.have.length(6);
    put(stage, id, PAGE_CHUNKS + 2, 9);
    const changed = stage.contentOf(id);
    const second = await stage.backUp(id);
    expect(await stage.row(second)).to.include({ readBytes: CHUNK, newBytes: CHUNK });
    expect(stage.chunks())
      .to.have.length(8)
      .and.to.include.members([...first]);
    const third = await stage.backUp(id);
    expect(await stage.row(third)).to.include({ readBytes: 0, newBytes: 0 });
    expect(stage.chunks()).to.have.length(8);

    expect(stage.contentOf(await stage.restore(backupId))).to.equal(content);
    for (const each of [backupId, second]) {
      await stage.sim.done('backup.verify', { restore: true }, each);
      expect(await stage.row(each)).to.include({ condition: 'sound' });
    }
    // Of the first its second page goes, and nothing else: the others have the rest.
    await stage.sim.done('backup.delete', {}, backupId);
    await stage.tidy();
    expect(stage.chunks()).to.have.length(7);
    await stage.sim.done('backup.delete', {}, third);
    await stage.tidy();
    expect(stage.chunks()).to.have.length(7);
    expect(stage.contentOf(await stage.restore(second))).to.equal(changed);
    await stage.sim.done('backup.delete', {}, second);
    await stage.tidy();
    expect([...stage.objects.keys()]).to.deep.equal(['pileus/store']);
  });

  it('are damaged without a page, which the next one puts again; meanwhile nothing is taken for unnamed', async () => {
    const { stage, id, content, backupId } = await backedUp();
    const small = await stage.cloud.volume(CHUNK);
    put(stage, small, 0, 7);
    const other = await stage.backUp(small);
    const known = stage.chunks();
    // The first one is half a MiB, and no chunk is.
    const isPage = (key: string) => [100_000, CHUNK].map((size) => (stage.objects.get(key)?.length ?? 0) > size).join() === 'true,false';
    const page = known.find(isPage) ?? expect.fail('no page');
    const bytes = stage.objects.get(page) ?? expect.fail('it is empty');
    stage.objects.delete(page);
    await stage.sim.done('backup.delete', {}, other);
    await stage.tidy();
    expect(stage.chunks()).to.have.members(known.filter((key) => key !== page));
    await stage.sim.done('backup.verify', {}, backupId);
    expect(await stage.row(backupId)).to.include({ condition: 'damaged', damage: 'Something kept in the backup store is missing.' });
    expect(await stage.row(await stage.backUp(id))).to.include({ readBytes: 3 * CHUNK + 512 });
    expect(sha(stage.objects.get(page) ?? new Uint8Array()), 'sealed anew').not.to.equal(sha(bytes));
    await stage.sim.done('backup.verify', {}, backupId);
    expect(await stage.row(backupId)).to.include({ condition: 'sound' });
    expect(stage.contentOf(await stage.restore(backupId))).to.equal(content);
  });

  it('go on from one that was of a page, and of which the last chunk was short', async () => {
    const stage = await BackupStage.open();
    const id = await stage.cloud.volume(2 * CHUNK + 512);
    put(stage, id, 0, 1);
    stage.write(id, 2 * CHUNK, new Uint8Array(512).fill(2));
    const first = await stage.backUp(id);
    const before = stage.contentOf(id);
    await stage.sim.done('volume.resize', { sizeBytes: (PAGE_CHUNKS + 2) * CHUNK }, id);
    put(stage, id, PAGE_CHUNKS + 1, 3);
    const second = await stage.backUp(id);
    expect(await stage.row(second)).to.include({ readBytes: 2 * CHUNK });
    for (const [backupId, content] of [
      [first, before],
      [second, stage.contentOf(id)],
    ] as const) {
      await stage.sim.done('backup.verify', { restore: true }, backupId);
      expect(await stage.row(backupId)).to.include({ condition: 'sound' });
      expect(stage.contentOf(await stage.restore(backupId))).to.equal(content);
    }
  });
});

describe('manifests of backups', () => {
  const facts = { sizeBytes: (2 * PAGE_CHUNKS + 3) * CHUNK, volumeId: 'v', volumeName: 'data', takenAt: 'then' };
  const ref = (byte: number, variant = 0) => ({ digest: Buffer.alloc(32, byte), variant });
  const none = () => expect.fail('nothing is kept by itself');

  it('that were made before there were pages are read as if they had some', async () => {
    const head = Buffer.from(JSON.stringify({ ...facts, format: 1, chunkBytes: CHUNK }));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(head.length);
    const entries = Entries.nothing(2 * PAGE_CHUNKS + 3);
    const places = [0, PAGE_CHUNKS, 2 * PAGE_CHUNKS + 2];
    for (const [at, place] of places.entries()) entries.set(place, ref(at + 1, at));
    const manifest = Manifest.parse(Buffer.concat([length, head, entries.bytes]));
    const kept: [number, unknown][] = [];
    for (const page of manifest.pages()) {
      expect(manifest.refOf(page)).to.equal(undefined);
      for (const [at, chunk] of (await manifest.page(page, none)).kept()) kept.push([page.first + at, chunk]);
    }
    expect(kept).to.deep.equal(places.map((place, at) => [place, ref(at + 1, at)]));
    const next = Manifest.begin(facts);
    for (const page of next.pages()) expect(next.takePage(page, manifest), 'it has none by itself').to.equal(false);
  });

  it('come back from their bytes, with pages of zeroes that are kept nowhere', async () => {
    const manifest = Manifest.begin(facts);
    const kept: Uint8Array[] = [];
    for (const page of manifest.pages()) {
      const entries = Entries.nothing(page.count);
      if (page.index === 1) entries.set(5, ref(9, 255));
      await manifest.setPage(page, entries, async (bytes) => {
        kept.push(bytes);
        return ref(42, 1);
      });
    }
    expect(kept.map(({ length }) => length)).to.deep.equal([PAGE_CHUNKS * 33]);
    const read = Manifest.parse(manifest.toBytes());
    const pages = [...read.pages()];
    expect(pages.map((page) => [page.first, page.count, read.refOf(page)])).to.deep.equal([
      [0, PAGE_CHUNKS, undefined],
      [PAGE_CHUNKS, PAGE_CHUNKS, ref(42, 1)],
      [2 * PAGE_CHUNKS, 3, undefined],
    ]);
    expect([...(await read.page({ index: 1 }, async () => kept[0] ?? none())).kept()]).to.deep.equal([[5, ref(9, 255)]]);
    expect((await read.page({ index: 7 }, none)).count).to.equal(0);
    const short = read.page({ index: 1 }, async () => new Uint8Array(33));
    expect(await short.catch((error: Error) => error.message)).to.equal('A part of the backup is of another one.');
    const shorter = Manifest.begin({ ...facts, sizeBytes: (PAGE_CHUNKS + 1) * CHUNK });
    expect(
      [...shorter.pages()].map((page) => shorter.takePage(page, read)),
      'as far as both reach',
    ).to.deep.equal([true, false]);
  });
});

describe('what backups remember of many chunks', () => {
  it('is which of them have changed, page by page', () => {
    const set = new ChunkSet(100_000);
    const chosen = [0, 7, 8, 63, 64, 16_383, 16_384, 99_999];
    for (const index of [...chosen, ...chosen]) set.add(index);
    expect(set.size).to.equal(chosen.length);
    expect(set.within({ first: 0, count: 16_384 })).to.deep.equal([0, 7, 8, 63, 64, 16_383]);
    expect(set.within({ first: 16_384, count: 16_384 })).to.deep.equal([16_384]);
    expect(set.within({ first: 98_304, count: 1_696 })).to.deep.equal([99_999]);
    expect(set.within({ first: 0, count: 7 })).to.deep.equal([0]);
  });

  it('is the names of those that are named, by their variants, and no other', async () => {
    const set = new NameSet();
    const numbered = (number: number, variant: number) => {
      const digest = Buffer.alloc(32);
      // As noise is, whatever the number.
      digest.writeUInt32BE(Math.imul(number, 0x9e3779b1) >>> 0, 0);
      digest.writeUInt32BE(Math.imul(number + 1, 0x85ebca6b) >>> 0, 4);
      return { digest, variant };
    };
    for (let number = 0; number < 1_000; number += 1) set.add(numbered(number, number % 3));
    for (let number = 0; number < 1_000; number += 1) set.add(numbered(number, number % 3));
    expect(set.size).to.equal(1_000);
    const wrong: string[] = [];
    for (let number = 0; number < 2_000; number += 1)
      for (const variant of [0, 1, 2]) {
        const isThere = number < 1_000 && variant === number % 3;
        if (set.has(chunkName(numbered(number, variant))) !== isThere) wrong.push(`${number}-${variant}`);
      }
    expect(wrong).to.deep.equal([]);
    for (const name of ['', 'x', 'no-name', 'zzzzzzzzzzzzzzzz-0']) expect(set.has(name), name).to.equal(false);

    const found = async function* () {
      for (let number = 990; number < 1_100; number += 1) yield chunkName(numbered(number, number % 3));
    };
    const unnamed = await missingIn(set, found(), new Set(['of-before']), 11);
    expect([...unnamed]).to.deep.equal([
      'of-before',
      ...Array.from({ length: 10 }, (_, at) => chunkName(numbered(1_000 + at, (1_000 + at) % 3))),
    ]);
  });
});
