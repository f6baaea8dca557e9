import type { StorageDriver } from '@pileus/core/strategy';
import { expect } from 'chai';
import { FULL } from '../../../../tools/test/slice.ts';
import { LvmBackend } from './lvm-backend.ts';
import { until } from './san.ts';

const MIB = 2 ** 20;
const ID = '01900000-0000-7000-8000-000000000001';
const OTHER_ID = '01900000-0000-7000-8000-000000000002';

if (FULL)
  describe('a volume group whose extents are of 4 MiB', function () {
    this.timeout(900_000);
    let backend: LvmBackend;
    let storage: StorageDriver;
    let path = '';
    let requests = 0;
    const call = () => {
      requests += 1;
      return { requestId: `group-${requests}`, signal: new AbortController().signal, timeoutMs: 300_000 };
    };
    const refusal = async (work: Promise<unknown>) =>
      work.then(
        () => expect.fail('it was not refused'),
        (error: Error & { readonly told?: string }) => ({ fault: storage.classify(error), told: error.told }),
      );
    const machine = () => backend.machine;

    before(async () => {
      backend = await LvmBackend.up({ extentBytes: 4 * MIB });
      storage = await backend.open();
      // What was there before belonged to somebody.
      await machine().run(
        'lvcreate -y -L 64m -n old pileus-test && dd if=/dev/urandom of=/dev/pileus-test/old bs=1M count=64 && lvremove -y pileus-test/old',
      );
      await storage.ensurePool(call());
    });
    after(async () => {
      await storage?.close();
      await backend?.close();
    });

    it('makes no disk of another size than was asked for, and tells the next one', async () => {
      const { fault, told } = await refusal(storage.volumes.create({ id: ID, sizeBytes: 5 * MIB }, call()));
      expect([fault, told]).to.deep.equal([
        'invalid',
        `The pool makes disks of whole extents: the next size that it has is ${8 * MIB} bytes.`,
      ]);
      expect(await storage.list(call())).to.deep.equal([]);
      expect(await machine().run('lvs --noheadings pileus-test')).to.equal('');
    });

    it('is there when libvirtd was started again, also with no volume in it', async () => {
      const { totalBytes } = await storage.capacity(call());
      await machine().run('kill -9 "$(pidof libvirtd)"');
      await until('libvirtd', async () => (await machine().attempt('virt-admin --quiet srv-list')).exitCode === 0);
      const answered = <T>(look: () => Promise<T>) => look().catch((error: unknown) => storage.classify(error));
      await until('the host', async () => (await answered(() => storage.inspect('image', ID, call()))) === undefined);
      expect(await storage.list(call())).to.deep.equal([]);
      expect(await storage.capacity(call())).to.include({ totalBytes });
    });

    it('shows a guest nothing of what was there before', async () => {
      await storage.volumes.create({ id: ID, sizeBytes: 8 * MIB }, call());
      const attachment = await storage.volumes.attach(ID, backend.host, call());
      if (attachment.type !== 'block') return expect.fail(`the volume is no block device but ${attachment.type}`);
      path = attachment.path;
      expect(await machine().run(`tr -d '\\000' <${path} | wc -c`)).to.equal('0');
      expect(await machine().run(`blockdev --getsize64 ${path}`)).to.equal(String(8 * MIB));
    });

    it('deletes nothing that somebody has open', async () => {
      await machine().run(`setsid sh -c 'echo $$ >/run/holder; exec sleep 3600 9<>${path}' >/dev/null 2>&1 &`);
      await machine().run('until [ -s /run/holder ]; do sleep 0.1; done');
      expect((await refusal(storage.volumes.delete(ID, call()))).fault).to.equal('conflict');
      expect(await storage.inspect('volume', ID, call())).to.deep.equal({ kind: 'volume', id: ID, sizeBytes: 8 * MIB });
      await machine().run('kill "$(cat /run/holder)"');
    });

    it('takes what came to nothing with the next attachment, and other volumes of the group never', async () => {
      const attempt = `volume-${ID}.1`;
      await machine().run(`lvcreate -y -L 4m -n ${attempt} pileus-test && lvcreate -y -L 4m -n theirs pileus-test`);
      await storage.capacity(call());
      expect(await storage.list(call())).to.deep.equal([{ kind: 'volume', id: ID, sizeBytes: 8 * MIB }]);
      await storage.volumes.attach(ID, backend.host, call());
      const names = (await machine().run('lvs --noheadings -o lv_name pileus-test')).split('\n').map((name) => name.trim());
      expect(names).to.have.members([path.slice(path.lastIndexOf('/') + 1), 'theirs']);
    });

    it('that is full is exhausted, and keeps nothing of what had no room', async () => {
      expect((await refusal(storage.volumes.create({ id: OTHER_ID, sizeBytes: 4096 * MIB }, call()))).fault).to.equal('exhausted');
      expect(await storage.inspect('volume', OTHER_ID, call())).to.equal(undefined);
    });

    it('tells one that is not active as out of reach, not as absent, and as it was when it is active again', async () => {
      await machine().run(`lvchange -an ${path}`);
      await storage.capacity(call());
      expect((await refusal(storage.inspect('volume', ID, call()))).fault).to.equal('unavailable');
      expect((await refusal(storage.volumes.attach(ID, backend.host, call()))).fault).to.equal('unavailable');
      expect((await storage.list(call())).map(({ id }) => id)).to.deep.equal([ID]);
      await storage.volumes.release(ID, backend.host, call());
      await machine().run(`lvchange -ay ${path}`);
      await storage.capacity(call());
      expect(await storage.inspect('volume', ID, call())).to.deep.equal({ kind: 'volume', id: ID, sizeBytes: 8 * MIB });
    });

    it('that is not there is out of reach, in words that say so', async () => {
      const missing = await backend.open({ group: 'no-such', path: '/var/lib/other' }, OTHER_ID);
      const { fault, told } = await refusal(missing.ensurePool(call()));
      expect(fault).to.equal('unavailable');
      expect(told).to.contain('volume group');
      await missing.releasePool?.(call());
      await missing.close();
    });

    it('is left with what is not ours', async () => {
      await storage.volumes.delete(ID, call());
      expect(await storage.list(call())).to.deep.equal([]);
      await storage.releasePool?.(call());
      expect((await machine().run('lvs --noheadings -o lv_name pileus-test')).trim()).to.equal('theirs');
      expect(await machine().run('ls /var/lib/pileus')).to.equal('');
    });
  });
