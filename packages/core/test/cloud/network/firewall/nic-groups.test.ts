import type { SimCloudOptions } from '@pileus/core/testing';
import { expect } from 'chai';
import { type nic, securityGroupMember, vpc } from '../../../../src/cloud/index.ts';
import { CloudError, type RowOf } from '../../../../src/kernel/index.ts';
import { MachineStage } from '../../compute/machine-stage.ts';

const SUBNETS = [{ cidr: '10.0.0.0/24' }];

/** A VPC with a network and two groups. */
async function stageWithGroups(options: Partial<SimCloudOptions> = {}) {
  const stage = await MachineStage.with({}, options);
  const { sim } = stage;
  const vpcId = await sim.done('vpc.create', { name: 'vpc-1' });
  const networkId = await sim.done('network.create', { name: 'net-1', vpcId, subnets: SUBNETS });
  const web = await sim.done('securityGroup.create', { name: 'web', vpcId });
  const db = await sim.done('securityGroup.create', { name: 'db', vpcId });
  const byDefault = (await stage.row(vpc, vpcId)).defaultSecurityGroupId;
  const made = (securityGroupIds?: readonly string[]) =>
    stage.machine({ nics: [{ networkId, ...(securityGroupIds === undefined ? {} : { securityGroupIds }) }] });
  const nicOf = async (instanceId: string, index = 0) => (await stage.nics(instanceId))[index] as RowOf<typeof nic>;
  /** What the fabric filters the NIC by. */
  const filters = ({ id }: RowOf<typeof nic>) => sim.world.fabric.networks.get(networkId)?.ports.get(id)?.securityGroupIds;
  const members = async () => (await stage.rows(securityGroupMember)).filter(({ state }) => state !== 'deleted');
  return { stage, sim, vpcId, networkId, web, db, byDefault, made, nicOf, filters, members };
}

describe('the security groups of a NIC', () => {
  it('are the default one of its VPC, those it is asked for with, or none', async () => {
    const { made, nicOf, filters, members, byDefault, web, db } = await stageWithGroups();
    expect(filters(await nicOf(await made()))).to.deep.equal([byDefault]);
    expect(filters(await nicOf(await made([db, web])))).to.deep.equal([web, db].sort());
    expect(filters(await nicOf(await made([])))).to.deep.equal([]);
    expect((await members()).map(({ state }) => state)).to.deep.equal(['available', 'available', 'available']);
  });

  it('change while the machine runs, and stay when it is started again', async () => {
    const { sim, made, nicOf, filters, members, byDefault, web } = await stageWithGroups();
    const instanceId = await made();
    const row = await nicOf(instanceId);
    const memberId = await sim.done('securityGroupMember.create', { nicId: row.id, securityGroupId: web });
    expect(filters(row)).to.deep.equal([byDefault, web].sort());
    const [first] = await members();
    await sim.done('securityGroupMember.delete', {}, first?.id);
    expect(filters(row)).to.deep.equal([web]);
    await sim.done('instance.stop', { force: true }, instanceId);
    await sim.done('instance.start', {}, instanceId);
    expect(filters(row)).to.deep.equal([web]);
    await sim.done('securityGroupMember.delete', {}, memberId);
    expect(filters(row)).to.deep.equal([]);
  });

  it('are left when the NIC is detached, with its machine, and kept when a detachment fails', async () => {
    const { stage, sim, made, nicOf, filters, members, networkId, web } = await stageWithGroups();
    const instanceId = await made([web]);
    await sim.done('instance.attachNic', { networkId, securityGroupIds: [web] }, instanceId);
    const second = await nicOf(instanceId, 1);
    expect(filters(second)).to.deep.equal([web]);
    sim.around = async (point, body) => {
      if (point.phase === 'do' && point.path.endsWith('port')) throw new CloudError('conflict', 'Not now.');
      return body();
    };
    expect((await stage.outcome('instance.detachNic', { nicId: second.id }, instanceId)).state).to.equal('failed');
    sim.around = undefined;
    expect(filters(second)).to.deep.equal([web]);
    expect(await members()).to.have.length(2);
    await sim.done('instance.detachNic', { nicId: second.id }, instanceId);
    expect(filters(second)).to.equal(undefined);
    expect(await members()).to.have.length(1);
    expect((await stage.refusal('securityGroup.delete', {}, web)).code).to.equal('in_use');
    await stage.into('deleted', instanceId);
    expect(await members()).to.deep.equal([]);
    await sim.done('securityGroup.delete', {}, web);
  });

  it('go into the trash with their machine alone, and come back with it', async () => {
    const { sim, made, nicOf, filters, members, byDefault, web } = await stageWithGroups({ presets: { 'trash.retentionSeconds': 3600 } });
    const instanceId = await made([byDefault, web]);
    const row = await nicOf(instanceId);
    const gone = (await members()).find(({ securityGroupId }) => securityGroupId === byDefault);
    await sim.done('securityGroupMember.delete', {}, gone?.id);
    expect(filters(row), 'it is no member any more').to.deep.equal([web]);
    expect(await members()).to.have.length(1);
    await sim.done('instance.delete', {}, instanceId);
    expect((await members()).map(({ state }) => state)).to.deep.equal(['trashed']);
    await sim.done('instance.recover', {}, instanceId);
    expect((await members()).map(({ state }) => state)).to.deep.equal(['available']);
    await sim.done('instance.start', {}, instanceId);
    expect(filters(row)).to.deep.equal([web]);
    expect(sim.kernel.registry.findAction('securityGroupMember.recover')).to.equal(undefined);
  });

  it('are refused with the field at fault, and nothing changes', async () => {
    const { stage, sim, vpcId, networkId, web, made, nicOf } = await stageWithGroups();
    const otherVpcId = await sim.done('vpc.create', { name: 'vpc-2' });
    const theirs = await sim.done('securityGroup.create', { name: 'theirs', vpcId: otherVpcId });
    const many = await Promise.all(
      Array.from({ length: 9 }, (_, index) => sim.done('securityGroup.create', { name: `group-${index}`, vpcId })),
    );
    const nobody = '00000000-0000-7000-8000-00000000dead';
    const at = '/nics/0/securityGroupIds';
    for (const [nic, code, pointer] of [
      [{ networkId, securityGroupIds: [web, nobody] }, 'not_found', `${at}/1`],
      [{ networkId, securityGroupIds: [theirs] }, 'invalid_input', `${at}/0`],
      [{ networkId, securityGroupIds: [web, web] }, 'invalid_input', at],
      [{ networkId, securityGroupIds: many }, 'invalid_input', at],
      [{ networkId: stage.networkId, securityGroupIds: [] }, 'invalid_input', at],
    ] as const) {
      const error = await stage.refusal('instance.create', stage.input({ nics: [nic] }));
      expect([error.code, error.pointer], JSON.stringify(nic)).to.deep.equal([code, pointer]);
    }
    const [inVpc, outside] = [await nicOf(await made([])), await nicOf(await stage.machine({ nics: [{ networkId: stage.networkId }] }))];
    for (const securityGroupId of many.slice(0, 8)) await sim.done('securityGroupMember.create', { nicId: inVpc.id, securityGroupId });
    for (const [input, code, pointer] of [
      [{ nicId: inVpc.id, securityGroupId: web }, 'conflict', '/nicId'],
      [{ nicId: outside.id, securityGroupId: web }, 'invalid_input', '/nicId'],
      [{ nicId: nobody, securityGroupId: web }, 'not_found', '/nicId'],
    ] as const) {
      const error = await stage.refusal('securityGroupMember.create', input);
      expect([error.code, error.pointer], JSON.stringify(input)).to.deep.equal([code, pointer]);
    }
    const [member] = await stage.rows(securityGroupMember);
    await sim.done('securityGroupMember.delete', {}, member?.id);
    for (const [input, code, pointer] of [
      [{ nicId: inVpc.id, securityGroupId: theirs }, 'invalid_input', '/securityGroupId'],
      [{ nicId: inVpc.id, securityGroupId: nobody }, 'not_found', '/securityGroupId'],
      [{ nicId: inVpc.id, securityGroupId: many[1] }, 'name_taken', '/securityGroupId'],
    ] as const) {
      const error = await stage.refusal('securityGroupMember.create', input);
      expect([error.code, error.pointer], JSON.stringify(input)).to.deep.equal([code, pointer]);
    }
  });

  it('are changed in turn with what else is done to the machine', async () => {
    const { stage, sim, made, nicOf, filters, web, db } = await stageWithGroups();
    const instanceId = await made([web]);
    const row = await nicOf(instanceId);
    await sim.done('instance.stop', { force: true }, instanceId);
    const [started, joined] = [
      await sim.submit('instance.start', {}, instanceId),
      await sim.submit('securityGroupMember.create', { nicId: row.id, securityGroupId: db }),
    ];
    for (const { operationId } of [started, joined]) expect((await sim.ended(operationId)).state).to.equal('succeeded');
    expect(filters(row)).to.deep.equal([web, db].sort());
    const members = await stage.rows(securityGroupMember);
    const [stopped, left] = [
      await sim.submit('instance.stop', { force: true }, instanceId),
      await sim.submit('securityGroupMember.delete', {}, members[0]?.id),
    ];
    for (const { operationId } of [stopped, left]) expect((await sim.ended(operationId)).state).to.equal('succeeded');
    expect((await sim.ended(left.operationId)).keys).to.include(instanceId);
    await sim.done('instance.start', {}, instanceId);
    expect(filters(row)).to.deep.equal([db]);
  });

  it('and of a detachment: whoever joins behind it is refused', async () => {
    const { stage, sim, made, nicOf, members, networkId, web, db } = await stageWithGroups();
    const instanceId = await made([]);
    await sim.done('instance.attachNic', { networkId, securityGroupIds: [web] }, instanceId);
    const row = await nicOf(instanceId, 1);
    const detached = await sim.submit('instance.detachNic', { nicId: row.id }, instanceId);
    const joined = await sim.submit('securityGroupMember.create', { nicId: row.id, securityGroupId: db }).catch(() => undefined);
    expect((await sim.ended(detached.operationId)).state).to.equal('succeeded');
    if (joined !== undefined) expect((await sim.ended(joined.operationId)).state).to.equal('failed');
    expect(await members()).to.deep.equal([]);
    expect((await stage.instance(instanceId)).state).to.equal('running');
  });
});
