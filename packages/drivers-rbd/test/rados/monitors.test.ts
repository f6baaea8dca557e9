import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { CephCluster } from '../../../../tools/system/ceph-cluster.ts';
import { RadosCluster } from '../../src/rados/index.ts';
import { addressesOf, hostsOf, monHost, NoAddress } from '../../src/rados/monitors.ts';
import { failure, refusal } from './outcomes.ts';

const KEY = 'AQBiVPBmAAAAABAAcUlkLzPrOxEhDhdPOzCzWQ==';
const KNOWN: Readonly<Record<string, readonly string[]>> = { one: ['192.0.2.1'], both: ['192.0.2.2', '2001:db8::2'] };

/** Elections of monitors take seconds. */
const FULL = process.env.PILEUS_FULL === '1';
const UNTIL_MS = 120_000;
const MIB = 2 ** 20;

async function lookup(name: string): Promise<readonly string[]> {
  const found = KNOWN[name];
  if (found !== undefined) return found;
  throw Object.assign(new Error(name), name === 'later' ? { code: 'EAI_AGAIN' } : { code: 'ENOTFOUND' });
}

describe('addresses of monitors', () => {
  it('are told to librados with the messenger of their port', () => {
    for (const [written, told] of [
      ['192.0.2.1', '192.0.2.1'],
      ['192.0.2.1:3300', '[v2:192.0.2.1:3300]'],
      ['192.0.2.1:6789', '192.0.2.1:6789'],
      ['[2001:db8::1]:3300', '[v2:[2001:db8::1]:3300]'],
      ['2001:db8::1', '[2001:db8::1]'],
      ['v1:192.0.2.1:3300/0', '[v1:192.0.2.1:3300]'],
      ['[v2:192.0.2.1:3300,v1:192.0.2.1:6789]', '[v2:192.0.2.1:3300,v1:192.0.2.1:6789]'],
      ['a:1, b', '[v2:a:1],b'],
    ] as const)
      expect(monHost([written]), written).to.equal(told);
  });

  it('are refused where they are none', () => {
    for (const monitor of ['a b', 'a:b', 'a:1:2', '[v2:a:1', '[a]:1', 'a=1', '[v2:]', '2001:db8::1]:3'])
      expect(() => monHost([monitor]), monitor).to.throw(RangeError, 'is no address');
  });

  it('are those that their names have, and of names without one nothing is left while others have', async () => {
    for (const [monitors, told] of [
      ['192.0.2.1,[v2:192.0.2.9:3300,v1:192.0.2.9:6789]', '192.0.2.1,[v2:192.0.2.9:3300,v1:192.0.2.9:6789]'],
      ['one', '192.0.2.1'],
      ['both:3300,gone:3300', '[v2:192.0.2.2:3300],[v2:[2001:db8::2]:3300]'],
      ['[v2:one:3300,v1:one:6789],later', '[v2:192.0.2.1:3300],[v1:192.0.2.1:6789]'],
      ['one:6789,192.0.2.1:6789', '192.0.2.1:6789'],
    ] as const)
      expect(await addressesOf(monHost([monitors]), lookup), monitors).to.equal(told);
  });

  it('that no name has are told as such, and when it is not certain', async () => {
    for (const [monitors, words, isCertain] of [
      ['gone:3300,absent,gone', 'no address is known of absent, gone', true],
      ['gone,later', 'nobody could be asked for the address of gone, later', false],
    ] as const) {
      const error = await failure(addressesOf(monHost([monitors]), lookup));
      expect(error).to.be.instanceOf(NoAddress).and.include({ message: words, isCertain });
    }
  });

  it('are given to machines without messengers', () => {
    expect(hostsOf(['[v2:192.0.2.1:3300,v1:192.0.2.1:6789]', 'a', '[2001:db8::1]:3300', 'a'])).to.deep.equal([
      '192.0.2.1:3300',
      '192.0.2.1:6789',
      'a',
      '[2001:db8::1]:3300',
    ]);
  });

  it('that nobody has keep a cluster from being connected to, and it says which', async function () {
    this.timeout(120_000);
    // No name: nobody is asked over a network.
    await using cluster = RadosCluster.open({ monitors: ['nowhere..invalid:3300'], user: 'nobody', key: KEY });
    const refused = await refusal(cluster.info());
    expect(refused).to.include({ call: 'connect', code: 'EADDRNOTAVAIL' });
    expect(refused.message).to.include('no address is known of nowhere..invalid');
  });
});

if (FULL)
  describe('a cluster with three monitors', function () {
    this.timeout(600_000);

    it('is worked with and connected to anew while any one of them is dead or frozen, and by the address of one alone', async () => {
      await using ceph = await CephCluster.start({ monitors: 3, store: 'memstore' });
      const known = { user: ceph.admin.name, key: ceph.admin.key, callTimeoutMs: UNTIL_MS, connectTimeoutMs: UNTIL_MS };
      await using before = RadosCluster.open({ ...known, monitors: ceph.monitors });
      expect(ceph.monitors).to.have.length(3);
      await before.info();
      const { processIds } = before;
      const works = async (what: string) => {
        await using anew = RadosCluster.open({ ...known, monitors: ceph.monitors });
        for (const cluster of [before, anew]) {
          // A command of the monitors, and what only the disks are asked for.
          expect((await cluster.pools()).map(({ name }) => name)).to.include('rbd');
          await cluster.pool('rbd').create(what, { sizeBytes: MIB });
          await cluster.pool('rbd').remove(what);
        }
      };
      const untilAllAgree = async () => {
        for (const deadline = performance.now() + UNTIL_MS; ; await sleep(100)) {
          const { quorum } = (await before.monCommand({ prefix: 'quorum_status' })) as { readonly quorum: readonly number[] };
          if (quorum.length === ceph.monitors.length) return;
          if (performance.now() > deadline) expect.fail('a monitor that was started does not come back');
        }
      };
      for (const [index, monitor] of ceph.monitorDaemons.entries()) {
        await untilAllAgree();
        await monitor.kill();
        await works(`dead-${index}`);
        await monitor.start();
        await untilAllAgree();
        monitor.freeze();
        await works(`frozen-${index}`);
        monitor.thaw();
        await using alone = RadosCluster.open({ ...known, monitors: ceph.monitors.slice(index, index + 1) });
        await alone.info();
      }
      expect(before.processIds, 'no connection was given up').to.deep.equal(processIds);
    });
  });
