import type { JsonObject } from '@pileus/core/kernel';
import { SHARED_SITE, type SimCloud } from '@pileus/core/testing';
import { DOMAIN, LABELS, OUTSIDE, ownRange, WIRE } from './network-wishes.ts';
import type { Site } from './site.ts';

/** A network that leads out and one for machines, of the switches that the hosts of the first cluster are connected to, for all to use. */
export async function layOutOutside(sim: SimCloud, known: Map<string, string>): Promise<void> {
  const clusterId = known.get('cluster/0') ?? '';
  const cables = (name: string, role: string, label: string) => sim.done('physicalNetwork.create', { name, role, label, clusterId });
  const physicalNetworkId = await cables('uplink', 'external', LABELS[0]);
  const subnets = [
    { name: 'outside-4', cidr: OUTSIDE.ipv4 },
    { name: 'outside-6', cidr: OUTSIDE.ipv6 },
  ];
  const networkId = await sim.done('network.create', { name: 'outside', physicalNetworkId, subnets });
  known.set('outside', networkId);
  const [ipv6] = sim.rows('subnet').filter(({ cidr }) => cidr === OUTSIDE.ipv6);
  known.set('outside/ipv6', String(ipv6?.id));
  const wire = {
    name: 'wire',
    physicalNetworkId: await cables('wire', 'tenant', LABELS[1]),
    vlanId: 0,
    subnets: [{ name: 'wire', cidr: WIRE }],
  };
  known.set('wire', await sim.done('network.create', wire));
  for (const name of ['outside', 'wire'])
    await sim.done('share.create', { resourceKind: 'network', resourceId: known.get(name) ?? '', with: 'all' });
}

type Done = (action: string, input: JsonObject, resourceId?: string) => Promise<string>;

/** A VPC with a network and two machines, and a way out: most of what is asked for needs some of it. */
export async function layOutVpc(done: Done, project: string, index: number, known: Map<string, string>): Promise<void> {
  const vpcId = await done('vpc.create', { name: 'own', domain: DOMAIN });
  known.set(`vpc/${project}`, vpcId);
  const networkId = await done('network.create', { name: 'routed', vpcId, subnets: [{ name: 'routed', cidr: ownRange(index) }] });
  await done('natGateway.create', { name: 'own', vpcId, externalNetworkId: known.get('outside') ?? '' });
  const machine = { instanceType: 'small', imageId: known.get('image') ?? '', rootVolume: { storageClass: 'shared' } };
  for (const name of ['routed-1', 'routed-2']) await done('instance.create', { ...machine, name, nics: [{ networkId }] });
}

/** In the fabric, too, there is what this cloud has no history of: of others, and with its own mark. */
export function plantInFabric(sim: SimCloud): Site['planted'] {
  const { kept } = sim.world.fabric;
  const [theirs, mine] = [sim.world.newUuid(), sim.world.newUuid()];
  kept.addForeign('vpcs', theirs);
  kept.ensure('vpcs', { id: mine, owner: 'simulated-cloud' }, () => false);
  return [theirs, mine].map((id) => ({ kind: 'vpcs', id, host: SHARED_SITE }));
}
