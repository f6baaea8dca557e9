import { expect } from 'chai';
import { peering } from '../../../../src/cloud/index.ts';
import { operation, type Principal } from '../../../../src/kernel/index.ts';
import type { PeeringSpec } from '../../../../src/strategy/index.ts';
import { MachineStage } from '../../compute/machine-stage.ts';
import { codeOf } from '../../little-cloud.ts';

const STUCK_MS = 15 * 60_000;
const NOBODYS = '00000000-0000-7000-8000-00000000dead';

/** Two projects with a VPC each, which may have the same addresses. */
async function twoSides(cidrs: readonly [string, string] = ['10.1.0.0/24', '10.2.0.0/24']) {
  const stage = await MachineStage.with({ network: false });
  const { sim } = stage;
  const projectId = await sim.done('project.create', { name: 'theirs' });
  const theirs = { ...sim.principal, projectId: projectId as Principal['projectId'] };
  const ask = async (principal: Principal, action: string, input: object, resourceId?: string) => {
    const request = { action, input, principal, ...(resourceId === undefined ? {} : { resourceId }) };
    const accepted = await sim.environment.complete(sim.kernel.submit(request));
    const ended = await sim.ended(accepted.operationId);
    if (ended.state !== 'succeeded') throw new Error(`${action} ${ended.state}: ${JSON.stringify(ended.error)}`);
    return accepted.resourceId;
  };
  const side = async (principal: Principal, name: string, cidr: string) => {
    const vpcId = await ask(principal, 'vpc.create', { name });
    const networkId = await ask(principal, 'network.create', { name, vpcId, subnets: [{ cidr }] });
    return { principal, vpcId, networkId };
  };
  const a = await side(sim.principal, 'vpc-a', cidrs[0]);
  const b = await side(theirs, 'vpc-b', cidrs[1]);
  const link = () => [...sim.world.fabric.kept.of('peerings').values()].map(({ spec }) => spec as PeeringSpec);
  const stateOf = async (id: string) => (await stage.row(peering, id)).state;
  const agree = (from: typeof a, to: typeof a) => ask(from.principal, 'peering.create', { vpcId: from.vpcId, peerVpcId: to.vpcId });
  const refusal = async (principal: Principal, action: string, input: object) => {
    const error = await ask(principal, action, input).then(
      () => undefined,
      (cause: unknown) => cause as { code: string; pointer?: string; message: string },
    );
    return [error?.code, error?.pointer, error?.message];
  };
  return { stage, a, b, ask, link, stateOf, agree, refusal };
}

describe('a peering of two VPCs', () => {
  it('is there once both owners agree, and no longer than that', async () => {
    const { stage, a, b, ask, link, stateOf, agree } = await twoSides();
    const own = await agree(a, b);
    expect([await stateOf(own), link()]).to.deep.equal(['pending', []]);
    const theirs = await agree(b, a);
    expect([await stateOf(own), await stateOf(theirs)]).to.deep.equal(['active', 'active']);
    expect(link().map(({ id, sides }) => ({ id, sides }))).to.deep.equal([
      {
        id: own,
        sides: [
          { vpcId: a.vpcId, cidrs: ['10.1.0.0/24'] },
          { vpcId: b.vpcId, cidrs: ['10.2.0.0/24'] },
        ],
      },
    ]);
    await ask(a.principal, 'peering.delete', {}, own);
    expect([await stateOf(theirs), link()]).to.deep.equal(['pending', []]);
    const again = await agree(a, b);
    expect([await stateOf(again), await stateOf(theirs), link()[0]?.id]).to.deep.equal(['active', 'active', theirs]);
    await ask(b.principal, 'vpc.delete', { recursive: true }, b.vpcId);
    expect([await stateOf(again), link()]).to.deep.equal(['pending', []]);
    await ask(a.principal, 'vpc.delete', { recursive: true }, a.vpcId);
    expect(stage.sim.world.fabric.kept.of('vpcs').size).to.equal(0);
  });

  it('is one until its link is gone: nothing is made meanwhile that it could not come back to', async () => {
    const { stage, a, b, ask, agree, refusal } = await twoSides();
    const own = await agree(a, b);
    await agree(b, a);
    const { sim } = stage;
    const mended = sim.world.faults.add({ command: 'peerings.remove', effect: 'fail' });
    const { operationId } = await sim.submit('peering.delete', {}, own);
    await sim.run(STUCK_MS);
    const meets = { name: 'meets', vpcId: a.vpcId, subnets: [{ cidr: '10.2.0.0/25' }] };
    expect(await refusal(a.principal, 'network.create', meets)).to.deep.equal([
      'invalid_input',
      '/subnets/0/cidr',
      'It overlaps with a subnet of a VPC that it is linked with.',
    ]);
    mended();
    expect((await sim.ended(operationId)).state).to.equal('succeeded');
    await ask(a.principal, 'network.create', meets);
  });

  it('ends where an operator passes over a link that its fabric does not take away: the other side waits, and the link goes when it can', async () => {
    const { stage, a, b, link, stateOf, agree } = await twoSides();
    const own = await agree(a, b);
    const theirs = await agree(b, a);
    const { sim } = stage;
    const mended = sim.world.faults.add({ command: 'peerings.remove', effect: 'fail' });
    const { operationId } = await sim.submit('peering.delete', {}, own);
    await sim.run(STUCK_MS);
    expect((await stage.row(operation, operationId)).attention?.step).to.match(/unlink$/);
    await sim.environment.complete(sim.kernel.operations.steer(operationId, 'skip'));
    expect((await sim.ended(operationId)).state).to.equal('succeeded');
    expect([await stateOf(theirs), link().length]).to.deep.equal(['pending', 1]);
    mended();
    await sim.run(STUCK_MS);
    expect(link()).to.deep.equal([]);
    const again = await agree(a, b);
    expect([await stateOf(again), await stateOf(theirs), link().length]).to.deep.equal(['active', 'active', 1]);
  });

  it('and a route of either side never lead to the same subnet, whichever comes later', async () => {
    const { a, b, ask, agree, refusal } = await twoSides();
    const routeTo = (from: typeof a, destination: string) => ask(from.principal, 'route.create', { vpcId: from.vpcId, destination });
    const own = await routeTo(a, '10.2.0.0/24');
    await agree(a, b);
    const agrees = () => refusal(b.principal, 'peering.create', { vpcId: b.vpcId, peerVpcId: a.vpcId });
    const [code, pointer, hidden] = await agrees();
    expect([code, pointer]).to.deep.equal(['conflict', '/peerVpcId']);
    expect(hidden).to.match(/^A route of the other VPC leads elsewhere with the addresses of the subnet \S+ \(10\.2\.0\.0\/24\)\.$/);
    await ask(a.principal, 'route.delete', {}, own);
    const back = await routeTo(b, '10.1.0.0/24');
    expect((await agrees())[2]).to.equal('A route of this VPC leads to 10.1.0.0/24, which is a subnet of the other.');
    await ask(b.principal, 'route.delete', {}, back);
    await agree(b, a);
    await routeTo(a, '10.9.0.0/24');
    await routeTo(a, '10.0.0.0/8');
    const message = 'A route of a VPC that it is linked with leads elsewhere with just these addresses.';
    const { principal, networkId, vpcId } = b;
    expect(await refusal(principal, 'subnet.create', { networkId, cidr: '10.9.0.0/24' })).to.deep.equal([
      'invalid_input',
      '/cidr',
      message,
    ]);
    const subnets = [{ cidr: '10.8.0.0/24' }, { cidr: '10.9.0.0/24' }];
    expect(await refusal(principal, 'network.create', { vpcId, subnets })).to.deep.equal(['invalid_input', '/subnets/1/cidr', message]);
    await ask(principal, 'subnet.create', { networkId, cidr: '10.9.0.0/25' });
    await ask(principal, 'subnet.create', { networkId, cidr: '10.8.0.0/24' });
  });

  it('is agreed to once by each side', async () => {
    const { a, b, agree, refusal } = await twoSides();
    await agree(a, b);
    const again = await refusal(a.principal, 'peering.create', { vpcId: a.vpcId, peerVpcId: b.vpcId });
    expect(again.slice(0, 2)).to.deep.equal(['name_taken', '/peerVpcId']);
  });

  it('is one when both agree at once', async () => {
    const { stage, a, b, link } = await twoSides();
    const { kernel, environment } = stage.sim;
    const asked = [
      { principal: a.principal, input: { vpcId: a.vpcId, peerVpcId: b.vpcId } },
      { principal: b.principal, input: { vpcId: b.vpcId, peerVpcId: a.vpcId } },
    ].map((request) => kernel.submit({ action: 'peering.create', ...request }));
    for (const { operationId } of await environment.complete(Promise.all(asked))) await stage.sim.ended(operationId);
    expect((await stage.rows(peering)).map(({ state }) => state)).to.deep.equal(['active', 'active']);
    expect(link()).to.have.length(1);
  });

  it('tells nothing of the VPC of somebody else: one that is not there looks the same', async () => {
    const { a, b, refusal, stage } = await twoSides(['10.1.0.0/24', '10.1.0.0/24']);
    const answers = [];
    for (const peerVpcId of [b.vpcId, NOBODYS]) {
      const id = await stage.sim.done('peering.create', { vpcId: a.vpcId, peerVpcId });
      const { id: _, name, peerVpcId: to, revision, createdAt, updatedAt, ...row } = await stage.row(peering, id);
      answers.push(row);
    }
    expect(answers[0]).to.deep.equal(answers[1]);
    const foreign = await refusal(a.principal, 'peering.create', { vpcId: b.vpcId, peerVpcId: a.vpcId });
    const absent = await refusal(a.principal, 'peering.create', { vpcId: NOBODYS, peerVpcId: a.vpcId });
    expect(foreign).to.deep.equal(absent.map((part) => part?.replace(NOBODYS, b.vpcId)));
    expect(foreign.slice(0, 2)).to.deep.equal(['not_found', '/vpcId']);
    expect((await refusal(a.principal, 'peering.create', { vpcId: a.vpcId, peerVpcId: a.vpcId })).slice(0, 2)).to.deep.equal([
      'invalid_input',
      '/peerVpcId',
    ]);
  });

  it('is the only way to its destinations: a route to just there would take half of the packets', async () => {
    const { a, b, agree, ask, refusal } = await twoSides();
    const there = { vpcId: a.vpcId, destination: '10.2.0.0/24', nextHop: '10.1.0.9' };
    await agree(a, b);
    await agree(b, a);
    expect((await refusal(a.principal, 'route.create', there)).slice(0, 2)).to.deep.equal(['conflict', '/destination']);
    await ask(a.principal, 'route.create', { ...there, destination: '10.2.0.128/25' });
  });

  it('is not made of VPCs whose subnets overlap, and knows those that come later, which do not overlap either', async () => {
    const { stage, a, b, ask, link, stateOf, agree, refusal } = await twoSides(['10.1.0.0/16', '10.1.7.0/24']);
    const own = await agree(a, b);
    const refused = await refusal(b.principal, 'peering.create', { vpcId: b.vpcId, peerVpcId: a.vpcId });
    expect(refused.slice(0, 2)).to.deep.equal(['conflict', '/peerVpcId']);
    expect(refused[2]).to.not.contain('10.1.0.0/16');
    expect(await stateOf(own)).to.equal('pending');
    const c = { principal: b.principal, vpcId: await ask(b.principal, 'vpc.create', { name: 'vpc-c' }), networkId: '' };
    await agree(a, c);
    await agree(c, a);
    const subnets = (cidr: string) => ({ vpcId: c.vpcId, subnets: [{ cidr }] });
    const overlapping = await refusal(b.principal, 'network.create', subnets('10.1.9.0/24'));
    expect(overlapping.slice(0, 2)).to.deep.equal(['invalid_input', '/subnets/0/cidr']);
    const networkId = await ask(b.principal, 'network.create', { name: 'net-c', ...subnets('10.3.0.0/24') });
    expect(link()[0]?.sides.map(({ cidrs }) => cidrs)).to.deep.equal([['10.1.0.0/16'], ['10.3.0.0/24']]);
    await ask(a.principal, 'subnet.create', { networkId: a.networkId, cidr: '10.4.0.0/24' });
    expect(link()[0]?.sides.map(({ cidrs }) => cidrs)).to.deep.equal([['10.1.0.0/16', '10.4.0.0/24'], ['10.3.0.0/24']]);
    const { kernel, environment } = stage.sim;
    const codes = await environment.complete(
      Promise.all(
        [
          { principal: a.principal, input: { networkId: a.networkId, cidr: '10.8.0.0/16' } },
          { principal: b.principal, input: { networkId, cidr: '10.8.1.0/24' } },
        ].map((request) => codeOf(kernel.submit({ action: 'subnet.create', ...request }))),
      ),
    );
    expect(codes.toSorted()).to.deep.equal(['invalid_input', 'succeeded']);
    await ask(b.principal, 'network.delete', {}, networkId).catch(() => ask(b.principal, 'network.delete', { recursive: true }, networkId));
    await stage.sim.run(1000);
    expect(link()[0]?.sides[1].cidrs).to.deep.equal([]);
  });
});
