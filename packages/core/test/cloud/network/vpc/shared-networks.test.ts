import { expect } from 'chai';
import { namesOf } from '../../../../src/cloud/agents/served.ts';
import { joinedVpc } from '../../../../src/cloud/network/vpc/own-vpc.ts';
import { CloudError, type Reader } from '../../../../src/kernel/index.ts';
import { codeOf } from '../../little-cloud.ts';
import { ReachStage } from '../reach/reach-stage.ts';

/** A reader whose store does not answer after so many looks. */
function awayAfter(reader: Reader, looks: number): Reader {
  let left = looks;
  return new Proxy(reader, {
    get: (target, name) => {
      const own: unknown = Reflect.get(target, name);
      if (typeof own !== 'function') return own;
      return (...given: unknown[]) => {
        left -= 1;
        return left < 0 ? Promise.reject(new CloudError('unavailable', 'The store is away.')) : (own.apply(target, given) as unknown);
      };
    },
  });
}

/** A VPC, a network of which is shared with a stranger. */
async function shared() {
  const at = await ReachStage.ready();
  const vpc = await at.vpc('shop');
  const networkId = await at.network(vpc.id, '10.0.0.0/24', '10.0.1.0/24');
  const stranger = await at.stranger();
  await at.sim.done('share.create', { resourceKind: 'network', resourceId: networkId, with: stranger.projectId });
  return { at, vpc, networkId, stranger };
}

describe('a network of a VPC that is shared', () => {
  it('takes no names from machines of others: they might call themselves as those of its owner', async () => {
    const { at, vpc, networkId, stranger } = await shared();
    const own = await at.nic(networkId);
    const theirs = await stranger.nic(networkId);
    const portOf = (nicId: string) => at.sim.world.fabric.networks.get(networkId)?.ports.get(nicId);
    expect(portOf(own.id)).to.include({ domain: 'shop.internal' });
    expect(portOf(theirs.id)).not.to.have.property('domain');
    const { records } = await at.sim.environment.complete(namesOf(at.sim.kernel.reader, vpc.id));
    expect(records.flatMap(({ addresses }) => addresses)).to.deep.equal([own.address]);
  });

  it('trusts machines of others only where somebody says so: they have groups of their own', async () => {
    const { at, vpc, networkId, stranger } = await shared();
    const theirs = await stranger.nic(networkId);
    const portOf = (nicId: string) => at.sim.world.fabric.networks.get(networkId)?.ports.get(nicId);
    expect(portOf(theirs.id)).to.deep.include({ securityGroupIds: [] });
    const { kernel, environment } = at.sim;
    const { done } = stranger;
    const securityGroupId = await done('securityGroup.create', { vpcId: vpc.id, name: 'guests' });
    await done('securityGroupRule.create', { securityGroupId, direction: 'inbound' });
    await done('securityGroupMember.create', { securityGroupId, nicId: theirs.id });
    expect(portOf(theirs.id)).to.deep.include({ securityGroupIds: [securityGroupId] });
    await done('instance.delete', {}, theirs.instanceId);
    await at.sim.done('vpc.delete', { recursive: true }, vpc.id);
    expect(at.sim.row('securityGroup', securityGroupId)).to.include({ state: 'deleted' });
    const other = await at.vpc('closed');
    const asked = kernel.submit({ action: 'securityGroup.create', input: { vpcId: other.id }, principal: stranger.principal });
    expect(await environment.complete(codeOf(asked))).to.equal('not_found');
  });

  it('is not taken for one that is not there while the store is away', async () => {
    const { at, vpc, stranger } = await shared();
    const { kernel, environment } = at.sim;
    const codes: (string | undefined)[] = [];
    for (let looks = 0; codes.at(-1) !== 'found'; looks += 1) {
      const asked = joinedVpc(awayAfter(kernel.reader, looks), vpc.id, stranger.principal).then(
        () => 'found',
        (error: CloudError) => error.code,
      );
      codes.push(await environment.complete(asked));
    }
    expect(codes.length).to.be.above(3);
    expect(new Set(codes)).to.deep.equal(new Set(['unavailable', 'found']));
  });

  it('lets machines of others send from their own addresses alone', async () => {
    const { at, networkId, stranger } = await shared();
    const own = await at.nic(networkId);
    const nics = [{ networkId, allowedAddresses: [{ cidr: `${own.address}/32` }] }];
    const input = { name: 'spoofer', instanceType: 'small', nics };
    const { kernel, environment } = at.sim;
    const { imageId } = stranger;
    const asked = kernel.submit({ action: 'instance.create', input: { ...input, imageId }, principal: stranger.principal });
    expect(await environment.complete(codeOf(asked))).to.equal('unsupported');
  });

  it('tells nobody of NICs of others, also not by what is refused', async () => {
    const { at, networkId, stranger } = await shared();
    const own = await at.nic(networkId);
    const theirs = await stranger.nic(networkId);
    const { kernel, environment } = at.sim;
    const told = async (nicId: string) => {
      const request = { action: 'instance.detachNic', input: { nicId }, resourceId: theirs.instanceId, principal: stranger.principal };
      const error = await environment.complete(kernel.submit(request)).then(
        () => undefined,
        (cause: CloudError) => cause,
      );
      return [error?.code, error?.pointer, error?.publicMessage.replace(nicId, '')];
    };
    expect(await told(own.id)).to.deep.equal(await told('00000000-0000-7000-8000-00000000dead'));
  });
});
