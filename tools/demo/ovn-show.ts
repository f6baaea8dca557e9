import type { Id, Image, Instance, Nic } from '@pileus/sdk';
import { getJson, getText, untilConsoleSays } from './guest-proof.ts';
import { type Means, REAL_MARKER, type Shown } from './show.ts';
import { registerHost, uploadImage } from './tour.ts';

const MIB = 2 ** 20;
/** Of both VPCs. */
const CIDR = '10.0.0.0/24';

interface Vpc {
  readonly vpcId: Id<'vpc'>;
  readonly networkId: Id<'network'>;
}
interface Machine {
  readonly instance: Instance;
  readonly nic: Nic;
  /** What its guest says on its console when it is there. A console tells nothing of before it was opened. */
  readonly said: Promise<string>;
}

/** Two VPCs with the same addresses, three machines, an elastic IP, and a connection that is refused, with the reason. */
export async function showOvn(means: Means): Promise<Shown> {
  const { cloud, ground, stages, progress, signal, log } = means;
  await stages.run('host', 'A zone, a cluster, a host of its own, a pool', () => registerHost(cloud, ground, progress, signal));
  const image = await stages.run('image', 'The guest image, uploaded', () => uploadImage(cloud, ground, signal));
  await progress.until(cloud.instanceTypes.create({ name: 'tiny', vcpus: 1, memoryBytes: 128 * MIB }), signal);
  const [red, blue] = await stages.run(
    'network',
    `Two VPCs, both with ${CIDR}`,
    async () => [await makeVpc(means, 'red'), await makeVpc(means, 'blue')] as const,
  );
  const machines = await stages.run(
    'instance',
    'Two machines in the one, and one in the other with an address that is taken there',
    async () =>
      [
        await makeMachine(means, { name: 'red-web', image, vpc: red, address: '10.0.0.10', open: true }),
        await makeMachine(means, { name: 'red-db', image, vpc: red, address: '10.0.0.11' }),
        await makeMachine(means, { name: 'blue-web', image, vpc: blue, address: '10.0.0.10' }),
      ] as const,
  );
  const [web, db] = machines;
  const address = await stages.run('elasticIp', 'An elastic IP for the first of them', () => giveElasticIp(means, red, web.nic));
  await stages.run('console', 'Their serial consoles, until the guests say that they are there', async () => {
    for (const { said } of machines) log(`  console              ${await said}`);
  });
  const guest = await stages.run('http', `http://${address}/, answered by the guest behind the elastic IP`, () =>
    getJson(`http://${address}/`, signal),
  );
  log(`  guest                ${JSON.stringify(guest)}`);
  if ((guest as { readonly instanceId?: string }).instanceId !== web.instance.id)
    throw new Error(`another machine than red-web answers at ${address}`);
  await stages.run('refused', 'What a security group refuses, and why', () => showRefused(means, { address, web, db }));
  const haveALook = [
    './pileus vpcs list',
    './pileus instances list',
    `curl http://${address}/`,
    `./pileus reach ${web.instance.name} ${db.instance.name} --port 80`,
  ];
  return { guest, haveALook };
}

async function makeVpc({ cloud, progress, signal }: Means, name: string): Promise<Vpc> {
  const vpc = await progress.until(cloud.vpcs.create({ name }), signal);
  const network = await progress.until(cloud.networks.create({ name, vpcId: vpc.id, subnets: [{ cidr: CIDR }] }), signal);
  return { vpcId: vpc.id, networkId: network.id };
}

interface Wish {
  readonly name: string;
  readonly image: Image;
  readonly vpc: Vpc;
  readonly address: string;
  /** Anybody may connect with its port 80. */
  readonly open?: boolean;
}

/** Each is in a group of its own, and may send to anybody. */
async function makeMachine({ cloud, progress, signal }: Means, { name, image, vpc, address, open = false }: Wish): Promise<Machine> {
  const group = await progress.until(cloud.securityGroups.create({ name, vpcId: vpc.vpcId }), signal);
  const rule = { securityGroupId: group.id, protocol: 'tcp', cidrs: ['0.0.0.0/0'] } as const;
  await progress.until(cloud.securityGroupRules.create({ ...rule, direction: 'outbound' }), signal);
  if (open) await progress.until(cloud.securityGroupRules.create({ ...rule, direction: 'inbound', firstPort: 80 }), signal);
  const nics = [{ networkId: vpc.networkId, address, securityGroupIds: [group.id] }];
  const instance = await progress.until(cloud.instances.create({ name, instanceType: 'tiny', imageId: image.id, nics }), signal);
  const nic = await cloud.nics.list({ where: { instanceId: instance.id } }).first();
  if (nic === undefined) throw new Error(`instance ${name} has no NIC`);
  const said = untilConsoleSays(cloud, instance.id, REAL_MARKER, signal);
  said.catch(() => {});
  return { instance, nic, said };
}

async function giveElasticIp({ cloud, ground, progress, signal }: Means, { vpcId }: Vpc, nic: Nic): Promise<string> {
  const { external } = ground;
  const cluster = await cloud.clusters.list().first();
  if (external === undefined || cluster === undefined) throw new Error('there is no external network');
  const { label, cidr, gateway } = external;
  const physical = await progress.until(
    cloud.physicalNetworks.create({ name: 'outside', clusterId: cluster.id, label, role: 'external' }),
    signal,
  );
  const subnets = [{ cidr, gateway }];
  const outside = await progress.until(
    cloud.networks.create({ name: 'outside', physicalNetworkId: physical.id, vlanId: 0, subnets }),
    signal,
  );
  await progress.until(cloud.natGateways.create({ vpcId, externalNetworkId: outside.id }), signal);
  const elasticIp = await progress.until(cloud.elasticIps.create({ name: 'demo', externalNetworkId: outside.id }), signal);
  await progress.until(cloud.elasticIps.bind(elasticIp.id, { nicId: nic.id }), signal);
  return elasticIp.address;
}

/** The first machine asks the second, which nobody may connect with; then the cloud is asked why. */
async function showRefused(
  { cloud, signal, log }: Means,
  { address, web, db }: { readonly address: string; readonly web: Machine; readonly db: Machine },
): Promise<void> {
  const through = await getText(`http://${address}/cgi-bin/probe.cgi?get=http://${db.nic.address}/`, signal);
  if (through !== '') throw new Error(`red-db answered though nobody may connect with it: ${through}`);
  const question = { fromNicId: web.nic.id, toNicId: db.nic.id, protocol: 'tcp', port: 80 } as const;
  const { verdict, reason, message } = await cloud.reachability.explain(question);
  log(`  red-web -> red-db    ${verdict}: ${reason ?? ''}: ${message}`);
  if (verdict !== 'blocked') throw new Error(`the cloud says that red-db is ${verdict}`);
}
