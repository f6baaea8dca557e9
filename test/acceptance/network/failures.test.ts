import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import type { Daemon } from '../../../tools/system/daemon.ts';
import { FULL, share } from '../../../tools/test/slice.ts';
import { until } from '../../lab/waiting.ts';
import { type CloudMachine, OvnCloud, reaches } from './ovn-cloud.ts';

/** Of those that `npm test` plays, others with each commit. */
const CASES = 4;
const OUTAGE_MS = 1_000;
/** What a busy machine is silent for by itself. */
const SILENCE_MS = 2_000;

describe('networks on OVN while parts of it fail', function () {
  this.timeout(FULL ? 1_800_000 : 600_000);
  let cloud: OvnCloud;
  let networkId: string;
  let a: CloudMachine;
  let b: CloudMachine;

  before(async () => {
    cloud = await OvnCloud.up({ hosts: 2 });
    ({ networkId } = await cloud.vpc('shop'));
    a = await cloud.machine('a', 0, { networkId });
    b = await cloud.machine('b', 1, { networkId });
    await b.probe.serve({ protocol: 'tcp', port: 80 });
    await b.probe.serve({ protocol: 'udp', port: 7 });
    await reaches(a.probe, { address: b.address, port: 80 });
  });
  after(() => cloud?.[Symbol.asyncDispose]());

  const made = () => cloud.wanted();
  const name = () => a.probe.ask('resolve', { server: a.lease.dns ?? '', name: 'b.shop.internal', type: 'A', timeoutMs: 2_000 });
  const answers = () =>
    until('the name of b', async () => {
      const answer = await name();
      return 'records' in answer ? answer.records : undefined;
    });

  it('keep traffic, leases and names without the control plane, and without the central part of OVN; nothing is there twice afterwards', async () => {
    await answers();
    const before = await made();
    await a.probe.ask('stream', { id: 'kept', address: b.address, port: 7, periodMs: 20 });
    const streaming = async () => expect(await a.probe.ask('streaming', { id: 'kept', timeoutMs: 30_000 })).to.deep.equal({ alive: true });
    await a.probe.ask('hold', { id: 'kept', address: b.address, port: 80 });
    await streaming();
    await using lease = await a.card.keepsLease();

    const stoppedMs = performance.now();
    await cloud.stop();
    for (const step of ['without the control plane', 'without OVN northbound, southbound and northd']) {
      if (step !== 'without the control plane') await cloud.lab.ovn.central.kill();
      await streaming();
      expect((await lease.renewed()).at(-1), step).to.include({ event: 'renew', ip: a.address });
      expect(await until(`a lease ${step}`, () => a.card.dhcp())).to.include({ ip: a.address });
      expect(await answers(), step).to.deep.equal([b.address]);
      expect(await reaches(a.probe, { address: b.address, port: 80 }), step).to.include({ server: 'b' });
    }
    await cloud.lab.ovn.central.start();
    await cloud.start();
    const awayMs = performance.now() - stoppedMs;
    await cloud.lab.ovn.central.settle();
    await streaming();
    expect(await a.probe.ask('held', { id: 'kept', timeoutMs: 30_000 })).to.deep.equal({ alive: true });
    // A machine that is slower is silent for longer by itself, and takes longer for all of this, too.
    expect((await a.probe.ask('gap', { id: 'kept' })).gapMs).to.be.lessThan(Math.max(SILENCE_MS, awayMs / 3));
    // What looks repair, they have repaired by the time that something new is there.
    const c = await cloud.machine('c', 1, { networkId });
    await c.probe.serve({ protocol: 'tcp', port: 80 });
    await reaches(a.probe, { address: c.address, port: 80 });
    await cloud.done('instance.delete', {}, c.id);
    await until('the rows of before', async () => (JSON.stringify(await made()) === JSON.stringify(before) ? true : undefined)).catch(
      async () => expect(await made()).to.deep.equal(before),
    );
  });

  const daemons: Readonly<Record<string, () => Daemon>> = {
    northd: () => cloud.lab.ovn.central.northd,
    'the northbound database': () => cloud.lab.ovn.central.northbound,
    'the southbound database': () => cloud.lab.ovn.central.southbound,
    'the controller of its host': () => cloud.lab.host(1).switch.controller,
    'the switch of its host': () => cloud.lab.host(1).switch.vswitchd,
    'the database of its host': () => cloud.lab.host(1).switch.database,
  };
  const cases = Object.keys(daemons).flatMap((what) => (['is killed', 'hangs'] as const).map((how) => ({ what, how })));
  for (const { what, how } of share(CASES, cases, ({ what, how }) => `${what} ${how}`))
    it(`make a machine that is asked for while ${what} ${how}, and leave nothing of it`, async () => {
      const before = await made();
      const daemon = (daemons[what] as () => Daemon)();
      await (how === 'hangs' ? daemon.freeze() : daemon.kill());
      const trying = cloud.tried('instance.create', cloud.machineInput('late', 1, { networkId }));
      await sleep(OUTAGE_MS);
      await (how === 'hangs' ? daemon.thaw() : daemon.start());
      // A host that cannot plug in at all may refuse it; then nothing is left, and it is there when it is asked for again.
      const id = (await trying) ?? (await cloud.done('instance.create', cloud.machineInput('again', 1, { networkId })));
      const late = await cloud.found(id);
      await late.probe.serve({ protocol: 'tcp', port: 80 });
      await reaches(a.probe, { address: late.address, port: 80 });
      await reaches(a.probe, { address: b.address, port: 80 });
      await cloud.done('instance.delete', {}, late.id);
      await until('the rows of before', async () => (JSON.stringify(await made()) === JSON.stringify(before) ? true : undefined)).catch(
        async () => expect(await made()).to.deep.equal(before),
      );
    });

  const onHost = (what: string) => what.endsWith('of its host');
  const troubles = [
    ...['northd', 'the northbound database', 'the southbound database', 'the controller of its host'].map((what) => [what, 'hangs']),
    ['the switch of its host', 'is killed'],
  ] as const;
  for (const [what = '', how] of FULL ? troubles : [])
    it(`show that ${what} ${how}, and no more when it is over`, async () => {
      const told = async () => {
        const row = onHost(what) ? await cloud.row('host', String(cloud.hostIds[1])) : (await cloud.rows('fabric'))[0];
        return row?.networkTroubles ?? row?.trouble;
      };
      const over = (when: string) => until(`no trouble ${when}`, async () => ((await told()) === undefined ? true : undefined));
      await over('before');
      const daemon = (daemons[what] as () => Daemon)();
      await (how === 'hangs' ? daemon.freeze() : daemon.kill());
      try {
        await until(`trouble while ${what} ${how}`, told);
      } finally {
        await (how === 'hangs' ? daemon.thaw() : daemon.start());
      }
      await over('afterwards');
      expect((await cloud.row('host', String(cloud.hostIds[0]))).networkTroubles).to.equal(undefined);
    });

  it('leave nothing in OVN and on the hosts', async () => {
    expect(await cloud.clear()).to.deep.equal([]);
  });
});
