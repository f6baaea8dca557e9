import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Call, ContentRef, Extent, StorageDriver } from '@pileus/core/strategy';
import { expect } from 'chai';
import { run } from '../../../../tools/system/command.ts';
import { QemuClient } from '../../../../tools/system/qemu-client.ts';
import { LabPool } from './lab-pool.ts';

const MIB = 2 ** 20;
const KEY = 'cXVpdGUgcmFuZG9t';
const WORD = 'what-nobody-else-may-read';
/** QEMU's, of which one word is written all over a stretch. */
const PATTERN = 0x5a;
/** How often the key of a volume in use is changed. */
const CHANGES = process.env.PILEUS_FULL === '1' ? 40 : 1;
/** A lock whose holder is gone is waited for as long as that; who is there gives it up at once, in the time that a busy machine takes. */
const STALL_MS_MAX = 30_000;

const call = (): Call => ({ requestId: 'test', signal: new AbortController().signal, timeoutMs: 240_000 });

describe('encrypted volumes of a Ceph pool', function () {
  this.timeout(600_000);
  let lab: LabPool;
  let driver: StorageDriver;
  let directory: string;
  before(async () => {
    lab = await LabPool.up();
    driver = await lab.open();
    await driver.ensurePool(call());
    directory = await mkdtemp(join(tmpdir(), 'pileus-luks-'));
  });
  after(async () => {
    await driver?.close();
    await lab?.close();
    if (directory !== undefined) await rm(directory, { recursive: true, force: true });
  });

  const encryption = () => driver.encryption ?? expect.fail('the driver encrypts nothing');
  const snapshots = () => driver.snapshots ?? expect.fail('the driver has no snapshots');
  const made = async (request: { readonly sizeBytes: number; readonly imageId?: string }) => {
    const id = crypto.randomUUID();
    await encryption().create({ ...request, id, key: KEY }, call());
    return id;
  };
  /** What QEMU does with a disk that it opens by a key, as it does for a guest. */
  const qemu = async (id: string, key: string, ...commands: readonly string[]): Promise<string> => {
    const path = join(directory, 'key');
    await writeFile(path, key);
    const image = `file.driver=rbd,file.pool=rbd,file.image=volume-${id},file.user=admin,file.conf=${lab.cluster.configPath}`;
    const secret = `secret,id=key,format=raw,file=${path}`;
    const words = commands.flatMap((command) => ['-c', command]);
    return run(['qemu-io', '--object', secret, '--image-opts', `driver=luks,key-secret=key,${image}`, ...words], { timeoutMs: 240_000 });
  };
  const refusal = (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => 'done',
      (error: unknown) => String(error),
    );
  /** All that is kept of a volume, as it lies in the objects of the pool. */
  const kept = async (id: string): Promise<Buffer> => {
    const { block_name_prefix: prefix } = JSON.parse(await lab.cluster.rbd('info', '--format=json', `rbd/volume-${id}`));
    const rados = (...words: readonly string[]) => run(['rados', `--conf=${lab.cluster.configPath}`, '--pool=rbd', ...words]);
    const names = (await rados('ls')).split('\n').filter((name) => name.startsWith(prefix));
    for (const name of names) await rados('get', name, join(directory, name));
    const objects = (await readdir(directory)).filter((name) => name.startsWith(prefix));
    return Buffer.concat(await Promise.all(objects.map((name) => readFile(join(directory, name)))));
  };

  it('are disks of QEMU, of the size that was asked for, by their key alone; the pool has ciphertext', async () => {
    const id = await made({ sizeBytes: 16 * MIB });
    const wordPath = join(directory, 'word');
    await writeFile(wordPath, WORD.repeat(1000));
    expect(await qemu(id, KEY, 'length', `write -s ${wordPath} 0 1M`, 'write -P 0x5a 15M 1M')).to.match(/^16 MiB/);
    expect(await qemu(id, KEY, `read -P ${PATTERN} 15M 1M`)).not.to.match(/fail/i);
    expect(await refusal(qemu(id, 'ZWxzZQ==', 'length'))).to.match(/cannot unlock any keyslot/);
    const bytes = await kept(id);
    expect(bytes.length).to.be.at.least(2 * MIB);
    expect(bytes.includes(WORD)).to.equal(false);
    expect(bytes.includes(Buffer.alloc(64, PATTERN))).to.equal(false);
    expect(bytes.includes(KEY)).to.equal(false);
    expect(bytes.subarray(0, 4).toString('latin1') === 'LUKS' || bytes.includes(Buffer.from('LUKS\xba\xbe', 'latin1'))).to.equal(true);
  });

  it('have what their image has, zeroes too, and nothing of it in the clear', async () => {
    const [imageId, sizeBytes] = [crypto.randomUUID(), 12 * MIB];
    const content = Buffer.alloc(sizeBytes);
    content.fill(WORD, 0, MIB).fill(PATTERN, 9 * MIB, 10 * MIB);
    const open = async function* () {
      yield content;
    };
    await driver.images.put({ id: imageId, format: 'raw', virtualSizeBytes: sizeBytes, content: { sizeBytes, open } }, call());
    const id = await made({ sizeBytes: 16 * MIB, imageId });
    const told = await qemu(id, KEY, 'read -P 0 1M 8M', 'read -P 0x5a 9M 1M', 'read -P 0 10M 2M', 'read -v 0 512');
    expect(told).not.to.match(/fail/i);
    expect(told).to.match(/what.nobody/);
    expect((await kept(id)).includes(WORD)).to.equal(false);
    // A copy of its own: the image may go.
    await driver.images.delete(imageId, call());
    expect(await qemu(id, KEY, 'read -P 0x5a 9M 1M')).not.to.match(/fail/i);
  });

  it('go back to what a snapshot has, as clones of it do, with the same key, and grow', async () => {
    const id = await made({ sizeBytes: 8 * MIB });
    await qemu(id, KEY, 'write -P 1 0 64k');
    const snapshot = { id: crypto.randomUUID(), volumeId: id };
    await snapshots().create(snapshot, call());
    await encryption().resize(id, 16 * MIB, KEY, call());
    expect(await qemu(id, KEY, 'write -P 2 0 64k', 'write -P 3 15M 1M', 'length')).to.match(/16 MiB/);
    const cloneId = crypto.randomUUID();
    await encryption().create({ id: cloneId, sizeBytes: 12 * MIB, snapshot, key: KEY }, call());
    expect(await qemu(cloneId, KEY, 'length', 'read -P 1 0 64k', 'write -P 4 11M 1M'))
      .to.match(/^12 MiB/)
      .and.not.match(/fail/i);
    await snapshots().revert(snapshot, call());
    expect(await qemu(id, KEY, 'length', 'read -P 1 0 64k'))
      .to.match(/^8 MiB/)
      .and.not.match(/fail/i);
    await snapshots().delete(snapshot, call());
    await driver.volumes.delete(id, call());
    expect(await qemu(cloneId, KEY, 'read -P 1 0 64k')).not.to.match(/fail/i);
  });

  it('are opened by another key once theirs is changed, and by the one of before no more', async () => {
    const id = await made({ sizeBytes: 4 * MIB });
    await qemu(id, KEY, 'write -P 1 0 64k');
    const keys = encryption().keys ?? expect.fail('the driver changes no keys');
    const other = 'YW5vdGhlciBvbmU=';
    await keys.add(id, KEY, other, call());
    for (const key of [KEY, other]) expect(await qemu(id, key, 'read -P 1 0 64k')).not.to.match(/fail/i);
    await keys.keep(id, other, call());
    expect(await qemu(id, other, 'read -P 1 0 64k')).not.to.match(/fail/i);
    expect(await refusal(qemu(id, KEY, 'length'))).to.match(/cannot unlock any keyslot/);
  });

  it('are given another key while a machine writes to them, which neither fails nor stands still for that', async () => {
    const id = await made({ sizeBytes: 16 * MIB });
    const live = encryption().keys?.live ?? expect.fail('the driver changes no keys of what is open');
    const path = join(directory, 'live-key');
    await writeFile(path, KEY);
    const image = `file.driver=rbd,file.pool=rbd,file.image=volume-${id},file.user=admin,file.conf=${lab.cluster.configPath}`;
    const words = ['--object', `secret,id=key,format=raw,file=${path}`, '--image-opts', `driver=luks,key-secret=key,${image}`];
    const machine = await QemuClient.run('-t', 'none', ...words);
    const keys = [KEY, ...Array.from({ length: CHANGES }, (_, index) => Buffer.from(`key number ${index}`).toString('base64'))];
    let [isDone, written, longestMs] = [false, 0, 0];
    const writing = (async () => {
      for (; !isDone; written += 1) {
        const startedMs = performance.now();
        await machine.ask(`write -P ${(written % 250) + 1} ${(written % 256) * 64}k 64k`, /wrote 65536/);
        longestMs = Math.max(longestMs, performance.now() - startedMs);
      }
    })();
    try {
      for (const [index, key] of keys.slice(0, -1).entries()) {
        const next = keys[index + 1] ?? '';
        const before = written;
        for (let round = 0; round < 2; round += 1) await live.add(id, key, next, call());
        for (let round = 0; round < 2; round += 1) await live.keep(id, next, call());
        while (written < before + 2) await Promise.race([writing, sleep(10)]);
      }
    } finally {
      isDone = true;
      await writing;
      await machine.close();
    }
    expect(longestMs).to.be.below(STALL_MS_MAX);
    const [last] = keys.slice(-1);
    const at = written - 1;
    expect(await qemu(id, last ?? '', `read -P ${(at % 250) + 1} ${(at % 256) * 64}k 64k`)).not.to.match(/fail/i);
    for (const former of keys.slice(0, -1)) expect(await refusal(qemu(id, former, 'length'))).to.match(/cannot unlock any keyslot/);
    // Nobody has it open: the same.
    await live.add(id, last ?? '', KEY, call());
    await live.keep(id, KEY, call());
    expect(await qemu(id, KEY, 'length')).to.match(/^16 MiB/);
  });

  it('are read as QEMU has written them, and read by QEMU as they were written; the pool has ciphertext', async () => {
    const sizeBytes = 9 * MIB + 512;
    const id = await made({ sizeBytes });
    const contents = encryption().contents ?? expect.fail('the driver does not tell what is in them');
    const wordPath = join(directory, 'word');
    await writeFile(wordPath, WORD.repeat(1000));
    const theirs = Buffer.alloc(sizeBytes);
    Buffer.alloc(MIB, Buffer.from(WORD.repeat(1000))).copy(theirs, 2 * MIB - 512);
    theirs.fill(PATTERN, 9 * MIB - 512);
    // Zeroes that were written are zeroes here, and there.
    await qemu(id, KEY, `write -s ${wordPath} ${2 * MIB - 512} 1M`, `write -P ${PATTERN} ${9 * MIB - 512} 1024`, 'write -P 0 4M 64k');
    const read = async (of: ContentRef) => {
      const parts: Uint8Array[] = [];
      for (let at = 0; at < sizeBytes; at += 8 * MIB)
        parts.push(await contents.read({ ...of, key: KEY }, at, Math.min(8 * MIB, sizeBytes - at), call()));
      return Buffer.concat(parts);
    };
    expect((await read({ volumeId: id })).equals(theirs)).to.equal(true);
    const snapshot = { id: crypto.randomUUID(), volumeId: id };
    await snapshots().create(snapshot, call());

    const ours = Buffer.concat([Buffer.from(WORD.repeat(100).slice(0, 1024)), Buffer.alloc(512), Buffer.alloc(2048, PATTERN)]);
    await contents.write({ volumeId: id, key: KEY }, 7 * MIB, ours, call());
    await contents.write({ volumeId: id, key: KEY }, 0, Buffer.alloc(MIB), call());
    const told = await qemu(
      id,
      KEY,
      'read -P 0 0 1M',
      `read -P 0 ${7 * MIB + 1024} 512`,
      `read -P ${PATTERN} ${7 * MIB + 1536} 2048`,
      `read -v ${7 * MIB} 512`,
    );
    expect(told)
      .to.match(/what.nobody/)
      .and.not.match(/fail/i);
    const changed: Extent[] = [];
    for await (const extent of contents.changes({ volumeId: id, key: KEY }, snapshot.id, call())) changed.push(extent);
    for (const at of [0, MIB - 512, 7 * MIB, 7 * MIB + ours.length - 512])
      expect(changed.some(({ offsetBytes, lengthBytes }) => offsetBytes <= at && at + 512 <= offsetBytes + lengthBytes)).to.equal(true);
    expect(
      changed.some(({ offsetBytes, lengthBytes }) => offsetBytes <= 8 * MIB + MIB / 2 && offsetBytes + lengthBytes > 8 * MIB + MIB / 2),
    ).to.equal(false);
    expect((await read(snapshot)).equals(theirs)).to.equal(true);

    const bytes = await kept(id);
    expect(bytes.includes(WORD)).to.equal(false);
    expect(bytes.includes(Buffer.alloc(64, PATTERN))).to.equal(false);
    // What is discarded in the pool is zeroes.
    await run([
      'qemu-io',
      '-f',
      'raw',
      '-d',
      'unmap',
      '-c',
      `discard ${2 * MIB + 4 * MIB} 1M`,
      `rbd:rbd/volume-${id}:id=admin:conf=${lab.cluster.configPath}`,
    ]);
    expect((await contents.read({ volumeId: id, key: KEY }, 4 * MIB, MIB, call())).every((byte) => byte === 0)).to.equal(true);
  });
});
