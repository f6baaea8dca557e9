import { KEPT_SORTS } from '@pileus/core/testing';
import { expect } from 'chai';
import { stray } from '../../../../src/cloud/index.ts';
import type { PeeringSpec } from '../../../../src/strategy/index.ts';
import { LOOK_MS } from '../../compute/machine-stage.ts';
import { WholeNetwork } from './whole-network.ts';

describe('a look at what lies around networks', () => {
  it('leaves alone what is as it should be', async () => {
    const whole = await WholeNetwork.made();
    await whole.stage.sim.run(LOOK_MS);
    const before = whole.picture;
    for (const sort of KEPT_SORTS) expect(whole.kept.of(sort).size, sort).to.be.above(0);
    const revision = await whole.stage.revision();
    await whole.stage.sim.run(5 * LOOK_MS);
    expect(whole.picture).to.deep.equal(before);
    expect(await whole.stage.revision()).to.equal(revision);
  });

  for (const sort of KEPT_SORTS)
    it(`makes ${sort} again that were removed or changed behind our back`, async () => {
      const whole = await WholeNetwork.made();
      const before = whole.picture;
      const objects = whole.kept.of(sort);
      objects.clear();
      await whole.stage.sim.run(LOOK_MS);
      expect(whole.picture).to.deep.equal(before);
      for (const [id, { spec, owner }] of objects) objects.set(id, { spec: { ...spec, ...{ name: 'spoilt' } }, owner });
      await whole.stage.sim.run(LOOK_MS);
      expect(whole.picture).to.deep.equal(before);
    });

  it('mends ports: where they may be plugged in, and which groups filter them', async () => {
    const whole = await WholeNetwork.made();
    const before = whole.picture;
    const ports = whole.networks.get(whole.networkId)?.ports;
    for (const port of [...(ports?.values() ?? [])]) ports?.set(port.nicId, { ...port, host: 'elsewhere', securityGroupIds: [] });
    expect(whole.picture).to.not.deep.equal(before);
    await whole.stage.sim.run(LOOK_MS);
    expect(whole.picture).to.deep.equal(before);
  });

  it('mends the rest while a network or a port cannot be mended', async () => {
    const whole = await WholeNetwork.made();
    const before = whole.picture;
    whole.kept.of('loadBalancers').clear();
    const { faults } = whole.stage.sim.world;
    const stop = ['ensureNetwork', 'ensurePort'].map((command) => faults.add({ command, effect: 'fail', fault: 'invalid' }));
    await whole.stage.sim.run(LOOK_MS);
    expect(whole.picture).to.deep.equal(before);
    for (const each of stop) each();
  });

  for (const command of ['ensureNetwork', 'peerings.ensure'])
    it(`never writes what it has read before a change after that change: ${command}`, async () => {
      const whole = await WholeNetwork.made();
      const { sim } = whole.stage;
      const { faults } = sim.world;
      await sim.run(LOOK_MS);
      faults.add({ command, times: 1, effect: 'delay', delayMs: 5000 });
      // The look has read, and what it writes is on its way.
      while (!faults.met(command, 'delay')) await sim.run(100);
      const { operationId } = await sim.submit('subnet.create', { networkId: whole.networkId, cidr: '10.8.1.0/24' });
      expect((await sim.ended(operationId)).state).to.equal('succeeded');
      // Not even until the next look.
      for (let ms = 0; ms < 6000; ms += 100) {
        expect(whole.networks.get(whole.networkId)?.spec.subnets).to.have.length(2);
        const [link] = whole.specs('peerings') as unknown as readonly PeeringSpec[];
        expect(link?.sides.map(({ cidrs }) => cidrs.length).toSorted()).to.deep.equal([1, 2]);
        await sim.run(100);
      }
    });

  it('makes all of it again, each thing after what it needs', async () => {
    const whole = await WholeNetwork.made();
    const before = whole.picture;
    for (const sort of KEPT_SORTS) whole.kept.of(sort).clear();
    whole.networks.clear();
    await whole.stage.sim.run(3 * LOOK_MS);
    expect(whole.picture).to.deep.equal(before);
  });

  for (const sort of KEPT_SORTS)
    it(`quarantines ${sort} that are unknown until an operator removes them, and passes over those of others`, async () => {
      const whole = await WholeNetwork.made();
      const { stage } = whole;
      const objects = whole.kept.of(sort);
      const known = new Set(objects.keys());
      const [spec] = whole.specs(sort);
      if (spec === undefined) throw new Error(`no ${sort}`);
      const unknownId = stage.sim.world.newUuid();
      const foreignId = stage.sim.world.newUuid();
      objects.set(unknownId, { spec: { ...spec, id: unknownId }, owner: spec.owner });
      whole.kept.addForeign(sort, foreignId);
      await stage.sim.run(2 * LOOK_MS);
      expect([...objects.keys()].filter((id) => !known.has(id))).to.have.members([unknownId, foreignId]);
      const [row] = await stage.rows(stray);
      expect(row).to.include({ objectId: unknownId, place: 'simulated-shared', state: 'quarantined' });
      await stage.sim.done('stray.remove', {}, row?.id);
      expect(objects.has(unknownId)).to.equal(false);
      expect(objects.has(foreignId)).to.equal(true);
    });

  it('removes what arrives after it was deleted', async () => {
    const whole = await WholeNetwork.made();
    const { sim } = whole.stage;
    const vpcId = await sim.done('vpc.create', { name: 'vpc-3' });
    const recordId = await sim.done('dnsRecord.create', { vpcId, hostname: 'a.vpc-3.internal', addresses: ['10.0.0.9'] });
    const late = [
      ['vpcs', whole.kept.of('vpcs').get(vpcId)],
      ['dnsRecords', whole.kept.of('dnsRecords').get(recordId)],
    ] as const;
    await sim.done('vpc.delete', { recursive: true }, vpcId);
    const before = whole.picture;
    for (const [sort, object] of late) if (object !== undefined) whole.kept.of(sort).set(object.spec.id, object);
    expect(whole.picture).to.not.deep.equal(before);
    await sim.run(2 * LOOK_MS);
    expect(whole.picture).to.deep.equal(before);
    expect(await whole.stage.rows(stray)).to.deep.equal([]);
  });

  it('touches nothing that somebody is at work on', async () => {
    const whole = await WholeNetwork.made();
    const { sim } = whole.stage;
    const [record] = whole.specs('dnsRecords');
    const id = record?.id ?? '';
    sim.world.faults.add({ command: 'dnsRecords.remove', effect: 'timeout_before', times: 1 });
    const { operationId } = await sim.submit('dnsRecord.delete', {}, id);
    await sim.run(1000);
    whole.kept.of('dnsRecords').delete(id);
    await sim.run(2 * LOOK_MS);
    expect(whole.kept.of('dnsRecords').has(id)).to.equal(false);
    expect((await sim.ended(operationId)).state).to.equal('succeeded');
  });
});
