import { expect } from 'chai';
import { host, instance, placementGroup } from '../../../src/cloud/index.ts';
import type { CloudError } from '../../../src/kernel/index.ts';
import { MachineStage } from '../compute/machine-stage.ts';

const ROOMY = { vcpuOvercommit: 64 };

/** Hosts of two racks, and a group. */
async function grouped(policy: string, over = 'host', hosts = 4) {
  const stage = await MachineStage.with({ hosts, network: false, cluster: ROOMY });
  for (const [index, id] of stage.hostIds.entries()) await stage.sim.done('host.update', { failureDomain: `rack-${index % 2}` }, id);
  const groupId = await stage.sim.done('placementGroup.create', { name: 'group', policy, over });
  const ask = (more: object = {}) => stage.input({ placementGroupId: groupId, start: false, ...more });
  /** Asked for all at once: the states of those that were accepted, the codes of the others. */
  const demand = async (count: number) => {
    const { kernel, principal, environment } = stage.sim;
    const asked = Array.from({ length: count }, () => kernel.submit({ action: 'instance.create', input: ask(), principal }));
    const answers = await environment.complete(Promise.all(asked.map((each) => each.catch((error: CloudError) => error))));
    const codes: string[] = [];
    for (const answer of answers) codes.push('operationId' in answer ? (await stage.sim.ended(answer.operationId)).state : answer.code);
    return codes.sort();
  };
  const hostsOf = async () => (await stage.rows(instance)).map((row) => row.hostId);
  const racksOf = async () => {
    const racks = new Map((await stage.rows(host)).map((row) => [row.id as string, row.failureDomain]));
    return (await hostsOf()).map((id) => racks.get(id ?? ''));
  };
  return { stage, groupId, ask, demand, hostsOf, racksOf };
}

describe('placement groups', () => {
  it('keep machines apart, however many are asked for at once', async () => {
    const { stage, demand, hostsOf } = await grouped('antiAffinity');
    expect(await demand(6)).to.deep.equal(['no_capacity', 'no_capacity', 'succeeded', 'succeeded', 'succeeded', 'succeeded']);
    expect(new Set(await hostsOf()).size).to.equal(4);
    const [row] = await stage.rows(instance);
    await stage.sim.done('instance.delete', {}, row?.id);
    expect(await demand(2)).to.deep.equal(['no_capacity', 'succeeded']);
    expect(new Set(await hostsOf()).size).to.equal(4);
  });

  it('keep machines in different failure domains', async () => {
    const { stage, ask, demand, racksOf } = await grouped('antiAffinity', 'failureDomain');
    expect(await demand(3)).to.deep.equal(['no_capacity', 'succeeded', 'succeeded']);
    expect((await racksOf()).sort()).to.deep.equal(['rack-0', 'rack-1']);
    const { params } = await stage.refusal('instance.create', ask());
    expect(params?.reasons).to.have.property('hv1', 'has a member of its group in the same failure domain');
  });

  it('keep machines together, also those that are the first at the same time', async () => {
    const { demand, hostsOf } = await grouped('affinity');
    expect(await demand(8)).to.deep.equal(Array.from({ length: 8 }, () => 'succeeded'));
    expect(new Set(await hostsOf()).size).to.equal(1);
  });

  it('go elsewhere when all members of an affinity group are gone', async () => {
    const { stage, groupId, ask, hostsOf } = await grouped('affinity');
    const first = await stage.sim.done('instance.create', ask());
    const [before] = await hostsOf();
    await stage.sim.done('host.disable', {}, before);
    expect((await stage.refusal('instance.create', ask())).code).to.equal('no_capacity');
    await stage.sim.done('instance.delete', {}, first);
    await stage.sim.done('instance.create', ask());
    const [after] = await hostsOf();
    expect(after).to.not.equal(before);
    expect((await stage.row(placementGroup, groupId)).domain).to.equal(after);
  });

  it('spread machines over failure domains as long as that goes', async () => {
    const { demand, racksOf, hostsOf } = await grouped('softAntiAffinity', 'failureDomain');
    expect(await demand(4)).to.deep.equal(Array.from({ length: 4 }, () => 'succeeded'));
    expect((await racksOf()).sort()).to.deep.equal(['rack-0', 'rack-0', 'rack-1', 'rack-1']);
    expect(new Set(await hostsOf()).size).to.equal(4);
  });

  it('keep machines together as long as that goes', async () => {
    const { stage, ask, hostsOf } = await grouped('softAffinity');
    for (let count = 0; count < 3; count += 1) await stage.sim.done('instance.create', ask());
    const hosts = await hostsOf();
    expect(new Set(hosts).size).to.equal(1);
    await stage.sim.done('host.disable', {}, hosts[0]);
    await stage.sim.done('instance.create', ask());
    expect(new Set(await hostsOf()).size).to.equal(2);
  });

  it('are not deleted before their members', async () => {
    const { stage, groupId, ask } = await grouped('affinity');
    const id = await stage.sim.done('instance.create', ask());
    expect((await stage.refusal('placementGroup.delete', {}, groupId)).code).to.equal('in_use');
    await stage.sim.done('instance.delete', {}, id);
    await stage.sim.done('placementGroup.delete', {}, groupId);
  });

  it('let a machine go to another host with its seat when its host is lost', async () => {
    const { stage, groupId, ask } = await grouped('antiAffinity', 'host', 2);
    let lost: string | undefined;
    stage.sim.around = async ({ path, phase }, body) => {
      if (path === 'define' && phase === 'do' && lost === undefined) {
        lost = `hv${stage.hostIds.indexOf(String(stage.sim.rows('instance')[0]?.hostId)) + 1}`;
        stage.sim.world.crash(lost);
      }
      return body();
    };
    const { operationId, resourceId } = await stage.sim.submit('instance.create', ask());
    const first = (await stage.instance(resourceId)).hostId;
    expect((await stage.sim.ended(operationId)).state).to.equal('succeeded');
    const row = await stage.instance(resourceId);
    expect(row.hostId).to.not.equal(first);
    expect(row.placementDomain).to.equal(row.hostId);
    expect(stage.sim.counters().filter(({ key, value }) => key.startsWith(`placement/group/${groupId}/`) && value > 0)).to.deep.equal([
      { key: `placement/group/${groupId}/${row.hostId}`, value: 1, limit: null },
    ]);
  });
});
