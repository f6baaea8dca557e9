import { spawn } from 'node:child_process';
import { createHash, randomBytes, randomInt, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { link, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Call, Content, StorageDriver } from '@pileus/core/strategy';
import { expect } from 'chai';
import { run } from '../../../../tools/system/command.ts';
import { FULL } from '../../../../tools/test/slice.ts';
import { kvm } from '../../src/index.ts';
import { LabBackend, required } from '../conformance/lab-host.ts';

const MIB = 2 ** 20;

const call = (change: Partial<Call> = {}): Call => ({
  requestId: 'test',
  signal: new AbortController().signal,
  timeoutMs: 60_000,
  ...change,
});

describe('disks in a folder of a real host', function () {
  this.timeout(300_000);
  let backend: LabBackend;
  let storage: StorageDriver;
  let path: string;

  before(async () => {
    backend = await LabBackend.up();
    path = join(backend.lab.sharedDir, 'pool');
    storage = required(kvm().strategies.storage).open({ poolId: randomUUID(), scope: 'host', host: backend.host, settings: { path } });
    await storage.ensurePool(call());
  });

  after(async () => {
    await storage?.close();
    await backend?.close();
  });

  it('makes volumes of what others have put there, raw or qcow2, with all that is in them, and never writes to those', async () => {
    const others = storage.others ?? expect.fail('the driver tells no disks of others');
    const disks = { 'vm-1.img': 'raw', 'vm-2.raw': 'qcow2' } as const;
    for (const [name, format] of Object.entries(disks)) {
      const [id, file] = [randomUUID(), join(path, name)];
      await run(['qemu-img', 'create', '-q', '-f', format, file, `${4 * MIB}`]);
      await run(['qemu-io', '-f', format, '-c', `write -P 9 0 ${MIB}`, '-c', 'write -P 5 3000000 4096', file]);
      const before = await readFile(file);
      expect(await others.list({}, call())).to.deep.equal({ disks: [{ name, sizeBytes: 4 * MIB }] });
      expect((await others.look(name, 512, call())).head.every((byte) => byte === 9)).to.equal(true);
      await others.adopt(name, id, call());
      expect(await others.list({}, call())).to.deep.equal({ disks: [] });
      const told = async (again: string) => storage.classify(await others.look(again, 512, call()).catch((error: unknown) => error));
      expect([await told(name), await told(`volume-${id}.qcow2`)]).to.deep.equal(['not_found', 'not_found']);
      const volume = await storage.volumes.attach(id, { hostId: backend.labHost.name, uri: '' }, call());
      expect(volume).to.include({ type: 'file', format: 'qcow2' });
      await run(['qemu-io', '-f', 'qcow2', '-c', 'write -P 7 65536 4096', join(path, `volume-${id}.qcow2`)]);
      const expected = Buffer.alloc(4 * MIB);
      expected.fill(9, 0, MIB).fill(7, 65_536, 69_632).fill(5, 3_000_000, 3_004_096);
      const read = await storage.contents?.read({ volumeId: id }, 0, 4 * MIB, call());
      expect(Buffer.compare(Buffer.from(read ?? []), expected), format).to.equal(0);
      expect(Buffer.compare(await readFile(file), before), 'the disk stays as it was').to.equal(0);
      await storage.volumes.resize?.(id, 8 * MIB, call());
      await storage.volumes.delete(id, call());
      expect(await readdir(path), 'it goes with its volume').to.deep.equal([]);
    }
  });

  it('keeps the mark of a volume for as long as no QEMU opens that to write, whatever happens in whatever order', async () => {
    const marks = storage.marks ?? expect.fail('the driver keeps no marks');
    const [imageId, id] = [randomUUID(), randomUUID()];
    const bytes = randomBytes(65_536);
    const content: Content = {
      sizeBytes: bytes.length,
      async *open() {
        yield bytes;
      },
    };
    await storage.images.put({ id: imageId, format: 'raw', virtualSizeBytes: bytes.length, content }, call());
    await storage.volumes.create({ id, sizeBytes: 2 * MIB, imageId }, call());
    const file = join(path, `volume-${id}.qcow2`);
    const digest = async () => {
      // Of each operation another: within one nobody else opens it.
      const bytes = await storage.contents?.read({ volumeId: id }, 0, 2 * MIB, call({ requestId: randomUUID() }));
      return createHash('sha256')
        .update(Buffer.from(bytes ?? []))
        .digest('hex');
    };
    const io = (...args: readonly string[]) => run(['qemu-io', '-f', 'qcow2', ...args, file]);
    const acts = [
      () => io('-r', '-c', 'read 0 512'),
      () => run(['qemu-img', 'check', '-q', '-f', 'qcow2', file]),
      () => io('-c', `write -q -P ${1 + randomInt(255)} ${512 * randomInt(2048)} 512`),
      () => io('-c', `discard -q ${65_536 * randomInt(16)} 65536`),
      () => io('-c', 'read -q 0 512'),
    ];
    // As each backup goes by: what there was under the mark is known of it.
    const known = new Map<string, string>();
    let kept = 0;
    for (let step = 0; step < (FULL ? 100 : 6); step += 1) {
      const found = await marks.get(id, call());
      const now = await digest();
      const mark = found ?? randomBytes(8).toString('hex').slice(0, 15);
      if (found === undefined) expect(await marks.set(id, mark, call())).to.equal(true);
      expect(known.get(mark) ?? now, `step ${step}`).to.equal(now);
      known.set(mark, now);
      kept += found === undefined ? 0 : 1;
      const act = step % acts.length === 0 ? 0 : randomInt(acts.length);
      await acts[act]?.();
      if (act >= 2) expect(await marks.get(id, call()), `act ${act}`).to.equal(undefined);
    }
    expect(kept, 'readers take none away').to.be.greaterThan(0);
    await run(['qemu-img', 'check', '-f', 'qcow2', file]);
    await storage.volumes.delete(id, call());
    await storage.images.delete(imageId, call());
    expect(await readdir(path)).to.deep.equal([]);
  });

  it('does not make volumes of disks that are in use, or below others', async () => {
    const others = storage.others ?? expect.fail('the driver tells no disks of others');
    const id = randomUUID();
    const [base, file, user] = ['base.qcow2', join(path, 'base.qcow2'), join(path, 'user.qcow2')];
    await run(['qemu-img', 'create', '-q', '-f', 'qcow2', file, `${2 * MIB}`]);
    const refusal = async (name = base) =>
      ((await others.adopt(name, id, call()).catch((error: unknown) => error)) as { readonly told?: string } | undefined)?.told ??
      'adopted';
    const held = spawn('qemu-io', ['-f', 'qcow2', file], { stdio: ['pipe', 'pipe', 'ignore'] });
    // It prompts as soon as it has the file.
    await once(held.stdout, 'data');
    expect(await refusal()).to.match(/^Somebody has it open/);
    held.stdin.end('quit\n');
    await once(held, 'close');
    const xml = `<domain type='qemu'><name>theirs</name><memory>32768</memory><os><type>hvm</type></os><devices><disk type='file'><driver name='qemu' type='qcow2'/><source file='${file}'/><target dev='vda'/></disk></devices></domain>`;
    await writeFile(join(backend.lab.sharedDir, 'theirs.xml'), xml);
    await backend.virsh('define', join(backend.lab.sharedDir, 'theirs.xml'));
    expect(await refusal()).to.match(/^Machine theirs of the host has it/);
    await backend.virsh('undefine', 'theirs');
    await run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-b', file, '-F', 'qcow2', user]);
    expect(await refusal()).to.match(/^It shows through in user.qcow2/);
    expect(await refusal('user.qcow2')).to.match(/^It is a clone/);
    await rm(user);
    // Each of two volumes would take the one file along.
    for (const [make, other] of [
      [symlink, base],
      [link, file],
    ] as const) {
      await make(other, join(path, 'second.img'));
      expect(await refusal()).to.match(/^It seems to be second.img by another name/);
      expect(await refusal('second.img')).to.match(/^It seems to be base.qcow2 by another name/);
      await rm(join(path, 'second.img'));
    }
    expect([await storage.inspect('volume', id, call()), (await readdir(path)).toSorted()]).to.deep.equal([undefined, [base]]);
    expect(await refusal()).to.equal('adopted');
    await storage.volumes.delete(id, call());
    expect(await readdir(path)).to.deep.equal([]);
  });
});
