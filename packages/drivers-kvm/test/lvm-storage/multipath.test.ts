import type { StorageDriver } from '@pileus/core/strategy';
import { expect } from 'chai';
import { FULL } from '../../../../tools/test/slice.ts';
import { LvmBackend } from './lvm-backend.ts';
import { San, until } from './san.ts';

const MIB = 2 ** 20;
const SIZE_BYTES = 16 * MIB;
const BLOCK_BYTES = 4096;
const ID = '01900000-0000-7000-8000-000000000001';
const OTHER_ID = '01900000-0000-7000-8000-000000000002';

/** Writes its number into each block of a device, one after the other, and says so when it is on the disk; ends at the first error. */
const WRITER = `
n=1
while [ ! -e /run/stop ] && [ $n -lt ${SIZE_BYTES / BLOCK_BYTES} ]; do
  printf 'block %08d\\n' $n | dd of="$1" bs=${BLOCK_BYTES} seek=$n conv=notrunc,sync,fsync 2>/run/dd || { cp /run/dd /run/failed; exit 1; }
  echo $n >/run/written
  n=$((n + 1))
done
touch /run/ended
`;

/** Of the full run: it takes minutes, for a path that is silent is noticed by its silence. */
if (FULL)
  describe('a volume group on a LUN of iSCSI with two portals', function () {
    this.timeout(900_000);
    let backend: LvmBackend;
    let san: San;
    let storage: StorageDriver;
    let requests = 0;
    const call = (timeoutMs = 120_000) => {
      requests += 1;
      return { requestId: `multipath-${requests}`, signal: new AbortController().signal, timeoutMs };
    };
    const written = async () => Number((await backend.machine.attempt('cat /run/written')).said);
    const goesOn = async (blocks: number) => {
      const before = await written();
      await until(`${blocks} blocks more`, async () => (await written()) >= before + blocks);
      expect((await backend.machine.attempt('cat /run/failed')).exitCode, 'no write has failed').to.equal(1);
    };

    before(async () => {
      backend = await LvmBackend.up({
        prepare: async (machine) => {
          san = await San.up(machine);
          return san.device;
        },
      });
      storage = await backend.open();
      await storage.ensurePool(call());
      await storage.volumes.create({ id: ID, sizeBytes: SIZE_BYTES }, call());
      const attachment = await storage.volumes.attach(ID, backend.host, call());
      if (attachment.type !== 'block') throw new Error(`the volume is no block device but ${attachment.type}`);
      await backend.machine.run(`cat >/run/writer <<'EOF'${WRITER}EOF\nsetsid sh /run/writer ${attachment.path} >/dev/null 2>&1 &`);
      await until('a first write', async () => (await written()) > 0);
    });
    after(async () => {
      await storage?.close();
      await backend?.close();
    });

    it('goes on when a path is lost in the midst of writes, and the pool makes volumes', async () => {
      await san.cut('10.1.1.1');
      await san.untilActive(1);
      await goesOn(5);
      await storage.volumes.create({ id: OTHER_ID, sizeBytes: MIB }, call());
      await san.restore('10.1.1.1');
      await san.untilActive(2);
      await goesOn(5);
    });

    it('waits while both are away, and is told as out of reach and never as absent', async () => {
      for (const portal of ['10.1.1.1', '10.1.1.2'] as const) await san.cut(portal);
      await san.untilActive(0);
      const at = await written();
      const told = async (look: Promise<unknown>) => look.catch((error) => storage.classify(error));
      const capacity = await told(storage.capacity(call(5_000)));
      expect(capacity).to.be.oneOf(['unavailable', 'unknown_outcome']);
      for (const id of [ID, OTHER_ID]) {
        const seen = await told(storage.inspect('volume', id, call(5_000)));
        if (typeof seen === 'string') expect(seen).to.be.oneOf(['unavailable', 'unknown_outcome']);
        else expect(seen).to.include({ kind: 'volume', id });
      }
      expect(await written(), 'what is written has to be on the disk').to.be.at.most(at + 1);
      for (const portal of ['10.1.1.1', '10.1.1.2'] as const) await san.restore(portal);
      await san.untilActive(2);
      await goesOn(5);
    });

    it('has lost nothing', async () => {
      await until('the pool', async () =>
        storage.ensurePool(call()).then(
          () => true,
          () => false,
        ),
      );
      expect(await storage.inspect('volume', ID, call())).to.deep.equal({ kind: 'volume', id: ID, sizeBytes: SIZE_BYTES });
      expect(await storage.list(call())).to.have.deep.members([
        { kind: 'volume', id: ID, sizeBytes: SIZE_BYTES },
        { kind: 'volume', id: OTHER_ID, sizeBytes: MIB },
      ]);
      await backend.machine.run('touch /run/stop');
      await until('the end of the writer', async () => (await backend.machine.attempt('test -e /run/ended')).exitCode === 0);
      const last = await written();
      await backend.machine.run('echo 3 >/proc/sys/vm/drop_caches');
      for (let at = 0; at < (last + 1) * BLOCK_BYTES; at += MIB) {
        const lengthBytes = Math.min(MIB, (last + 1) * BLOCK_BYTES - at);
        const bytes = Buffer.from((await storage.contents?.read({ volumeId: ID }, at, lengthBytes, call())) ?? []);
        for (let block = 0; block < bytes.length; block += BLOCK_BYTES) {
          const number = (at + block) / BLOCK_BYTES;
          const expected = number === 0 ? '' : `block ${String(number).padStart(8, '0')}\n`;
          expect(bytes.toString('latin1', block, block + BLOCK_BYTES).replace(/\0+$/, '')).to.equal(expected);
        }
      }
      for (const id of [ID, OTHER_ID]) await storage.volumes.delete(id, call());
      expect(await storage.list(call())).to.deep.equal([]);
      expect(await backend.machine.run('lvs --noheadings -o lv_name pileus-test')).to.equal('');
    });
  });
