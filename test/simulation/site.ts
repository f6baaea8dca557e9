import type { Directory } from '@pileus/core';
import { type Id, inProject, type JsonObject, type Principal } from '@pileus/core/kernel';
import type { KeptSort } from '@pileus/core/strategy';
import type { SimCloud } from '@pileus/core/testing';
import { layOutOutside, layOutVpc, plantInFabric } from './network-site.ts';
import { clusterOf, clustersOf, type Ground, hostNames, projectsOf, zoneOf } from './plan.ts';
import { upload } from './still-cloud.ts';
import { ROLES } from './wishes.ts';

const GIB = 2 ** 30;
/** What does not fit is part of the history. */
const SMALL = { cpus: 4, memoryBytes: 12 * GIB };
/** Networks are nothing without machines in them. */
const ROOMY = { cpus: 12, memoryBytes: 24 * GIB };

/** Somebody with a key. */
export interface Member {
  readonly name: string;
  readonly token: string;
  readonly keyId: string;
  readonly projectId: Id<'project'>;
  readonly accountId: Id<'account'>;
}

/** What is there when a history begins. */
export interface Site {
  /** Ids by the names that plans use: `image`, `network/a1/p1`, `project/a1/p1`, `key/a1/p1/viewer`. */
  readonly known: Map<string, string>;
  /** By `a1/p1/member`, account administrators by `a1/admin@a1/p1`. */
  readonly members: ReadonlyMap<string, Member>;
  /** Objects in the backends that nobody made here: ids, by what they are, `machine`, `network`, or of which sort that lies around networks. */
  readonly planted: readonly { readonly kind: 'machine' | 'network' | KeptSort; readonly id: string; readonly host: string }[];
}

/** The member at work, by his key. @throws CloudError `unauthenticated` */
export const principalOf = async (directory: Directory, { token, projectId }: Member): Promise<Principal> =>
  directory.byToken(token, projectId);

/** Hosts in clusters, with a pool each and a shared one for a cluster; an image for all; tenants with projects, members and quotas. */
export async function layOut(sim: SimCloud, ground: Ground): Promise<Site> {
  const known = new Map<string, string>();
  await hardware(sim, ground, known);
  const imageId = await sim.done('image.create', { name: 'image-1' });
  await upload(sim, imageId);
  known.set('image', imageId);
  await sim.done('share.create', { resourceKind: 'image', resourceId: imageId, with: 'all' });
  await sim.done('instanceType.create', { name: 'small', vcpus: 1, memoryBytes: GIB, vcpusMax: 4, memoryBytesMax: 4 * GIB });
  const networkId = await sim.done('network.create', {
    name: 'for-all',
    driver: 'simulated-shared',
    subnets: [{ name: 'subnet-1', cidr: '10.254.0.0/22' }],
  });
  known.set('network/shared', networkId);
  await sim.done('share.create', { resourceKind: 'network', resourceId: networkId, with: 'all' });
  if (ground.networks) await layOutOutside(sim, known);
  const members = new Map<string, Member>();
  for (const [index, project] of projectsOf(ground).entries()) await tenant(sim, project, index, ground, { known, members });
  return { known, members, planted: [...plant(sim, ground), ...(ground.networks ? plantInFabric(sim) : [])] };
}

async function hardware(sim: SimCloud, ground: Ground, known: Map<string, string>): Promise<void> {
  const names = hostNames(ground);
  const size = ground.networks ? ROOMY : SMALL;
  for (const name of names) sim.world.addHost(name, size);
  await sim.start();
  const clusters = Array.from({ length: clustersOf(ground) }, (_, cluster) => cluster);
  for (const name of new Set(clusters.map((cluster) => zoneOf(ground, cluster))))
    known.set(`zone/${name}`, await sim.done('zone.create', { name }));
  for (const cluster of clusters) {
    const zoneId = known.get(`zone/${zoneOf(ground, cluster)}`);
    const clusterId = await sim.done('cluster.create', { name: `cluster-${cluster + 1}`, zoneId, hypervisor: 'simulated' });
    known.set(`cluster/${cluster}`, clusterId);
    const name = `shared-${cluster + 1}`;
    known.set(
      `pool/${name}`,
      await sim.done('pool.create', { name, driver: 'simulated-shared', clusterId, settings: {}, storageClass: 'shared' }),
    );
  }
  for (const [index, name] of names.entries()) {
    const clusterId = known.get(`cluster/${clusterOf(ground, index)}`);
    const labels = { failureDomain: `rack-${Math.floor(index / 4) + 1}` };
    const hostId = await sim.done('host.create', { name, clusterId, uri: `sim://${name}`, ...labels });
    known.set(`host/${name}`, hostId);
    known.set(`pool/pool-${name}`, await sim.done('pool.create', { name: `pool-${name}`, driver: 'simulated', hostId, settings: {} }));
  }
}

interface Filled {
  readonly known: Map<string, string>;
  readonly members: Map<string, Member>;
}

/** A project, its account first where it is the account's first, with a network, groups, and a member for each role. */
async function tenant(sim: SimCloud, project: string, index: number, ground: Ground, { known, members }: Filled): Promise<void> {
  const [account = ''] = project.split('/');
  if (!known.has(`account/${account}`)) known.set(`account/${account}`, await sim.done('account.create', { name: account }));
  const accountId = known.get(`account/${account}`) as Id<'account'>;
  const projectId = (await sim.done('project.create', { name: project.replace('/', '-'), accountId })) as Id<'project'>;
  known.set(`project/${project}`, projectId);
  const operator = inProject(sim.principal, projectId, accountId);
  const done = async (action: string, input: JsonObject, resourceId?: string) => {
    const request = { action, input, principal: operator, ...(resourceId === undefined ? {} : { resourceId }) };
    const accepted = await sim.environment.complete(sim.kernel.submit(request));
    const { state, error } = await sim.ended(accepted.operationId);
    if (state !== 'succeeded') throw new Error(`${action} ${state}: ${JSON.stringify(error)}`);
    return accepted.resourceId;
  };
  const member = async (name: string, role: string, level: 'project' | 'account') => {
    const label = name.replaceAll(/[/@]/g, '-').toLowerCase();
    const serviceAccountId = await done('serviceAccount.create', { name: label });
    await done('roleBinding.create', { name: label, role, level, serviceAccountId });
    const body = { name: label, serviceAccountId };
    const answer = sim.call('POST', '/api-keys', { principal: operator, body });
    const { id: keyId, key: token } = (await sim.environment.complete(answer)) as { readonly id: string; readonly key: string };
    known.set(`key/${name}`, keyId);
    members.set(name, { name, token, keyId, projectId, accountId });
  };
  const rules = [{ permissions: ['instance.*', 'volume.*', 'network.*', '*.read'], when: "name like 'r%1'" }];
  const own = `named-${project.replace('/', '-')}`;
  await done('role.create', { name: own, rules });
  for (const role of ROLES) await member(`${project}/${role}`, role === 'named' ? own : role, 'project');
  await member(`${account}/admin@${project}`, 'accountAdmin', 'account');
  const cidr = `10.255.${index}.0/24`;
  known.set(
    `network/${project}`,
    await done('network.create', { name: 'own', driver: 'simulated-shared', subnets: [{ name: 'subnet-1', cidr }] }),
  );
  if (ground.networks) await layOutVpc(done, project, index, known);
  for (const [place, policy] of ['antiAffinity', 'affinity', 'softAntiAffinity'].entries())
    known.set(`group/${project}/${place}`, await done('placementGroup.create', { name: `group-${place}`, policy }));
  // Soon used up: some tenants have less than it would take.
  if (index % 3 !== 0) return;
  const share = Math.ceil((2 * ground.hosts) / projectsOf(ground).length) + (ground.networks ? 3 : 0);
  const limits = { instances: 2 + share, vcpus: 3 + 2 * share, volumes: 4 + 3 * share, volumeBytes: (4 + 3 * share) * 16_384, networks: 3 };
  if (ground.networks) Object.assign(limits, { networks: 6, vpcs: 3, elasticIps: 3, securityGroups: 6, portForwards: 2, backends: 4 });
  await done('project.setQuota', { limits }, projectId);
  const bound = { instances: 3 + 2 * share, memoryBytes: (4 + 3 * share) * GIB };
  await sim.done('account.setQuota', { limits: bound }, accountId);
}

/** What this cloud has no history of: foreign, and with its own mark, as a store that was restored from yesterday would find it. None of it may ever go. */
function plant(sim: SimCloud, ground: Ground): Site['planted'] {
  const [host = ''] = hostNames(ground);
  const at = sim.world.host(host);
  const mine = 'simulated-cloud';
  const spec = { name: 'from-yesterday', vcpus: 1, vcpusMax: 1, memoryBytes: GIB, memoryBytesMax: GIB, disks: [], nics: [] } as const;
  const machine = sim.world.newUuid();
  at.define({ ...spec, id: machine, owner: mine, guestOs: 'linux', firmware: 'bios', diskBus: 'virtio' });
  const network = sim.world.newUuid();
  at.ensureNetwork({ id: network, name: 'from-yesterday', owner: mine, mode: 'nat', subnets: [] });
  return [
    { kind: 'machine', id: at.addForeignMachine('theirs').spec.id, host },
    { kind: 'network', id: at.addForeignNetwork('theirs'), host },
    { kind: 'machine', id: machine, host },
    { kind: 'network', id: network, host },
  ];
}
