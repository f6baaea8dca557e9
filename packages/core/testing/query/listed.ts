import type { Principal } from '../../src/kernel/index.ts';
import type { Statement, Store } from '../../src/kernel/store.ts';
import { cloudRegistry } from './registry.ts';

/** More than the embedded store looks at to find out by which way there are fewest. */
export const LISTED_MACHINES = 1500;
const PROJECT = 'p-1' as Principal['projectId'];

/** Of the least cloud; a larger one has as many more. */
const HOSTS = LISTED_MACHINES / 10;
const SUBNETS = 150;
/** Where the addresses of machines begin, by the letter that their ids begin with. */
const NETS = { i: 10, o: 11, t: 12 } as const;

/** Who asks: a member of a project that has all machines. */
export const lister: Principal = { actor: 'test', projectId: PROJECT, accountId: 'a-1' as Principal['accountId'], allows: () => true };

const row = (table: string, id: string, fields: object): Statement => ({
  op: 'insert',
  table,
  row: { id, name: id, state: 'available', projectId: PROJECT, schemaVersion: 1, ...fields },
});

/** One in a hundred is of production. */
const tagOf = (resourceId: string, index: number, of: object): Statement =>
  row('tag', `t-${resourceId}`, { resourceKind: 'instance', resourceId, key: 'env', value: index % 100 === 7 ? 'prod' : 'test', ...of });

const idOf = (letter: string, index: number): string => `${letter}-${String(index).padStart(5, '0')}`;

function machine(index: number, hosts: number, letter: keyof typeof NETS = 'i', of: object = {}): Statement[] {
  const id = idOf(letter, index);
  const state = index % 2 === 0 ? 'running' : 'stopped';
  return [
    row('instance', id, { state, hostId: `h-${index % hosts}`, instanceTypeId: 't-1', memoryBytes: index, vcpus: 1, ...of }),
    tagOf(id, index, of),
    row('nic', `n-${id}`, {
      instanceId: id,
      networkId: 'net',
      subnetId: `s-${index % SUBNETS}`,
      mac: `m-${letter}${index}`,
      address: `${NETS[letter]}.0.0.${index}`,
      ...of,
    }),
    row('volume', `v-${id}`, { instanceId: id, poolId: `pool-${index % 3}`, sizeBytes: 512 * index, status: 'present', ...of }),
  ];
}

/** A store with machines of a project, each with a NIC, a volume and a tag, on a tenth as many hosts and in 150 subnets, and as many of five others. */
export async function layOutListed(store: Store, machines = LISTED_MACHINES): Promise<void> {
  await store.prepare(cloudRegistry().schema());
  const hosts = machines / 10;
  const statements = [
    row('cluster', 'c-1', { zoneId: 'z-1', hypervisor: 'kvm' }),
    ...Array.from({ length: hosts }, (_, index) => row('host', `h-${index}`, { clusterId: `c-${index % 6}`, status: 'connected' })),
    ...Array.from({ length: SUBNETS }, (_, index) => row('subnet', `s-${index}`, { networkId: 'net', cidr: `10.0.${index}.0/24` })),
    ...Array.from({ length: machines }, (_, index) => machine(index, hosts)).flat(),
    ...Array.from({ length: machines }, (_, index) => machine(index, hosts, 'o', { projectId: `p-${2 + (index % 5)}` })).flat(),
  ];
  await commit(store, statements);
}

/** More machines of the same make, of a project of their own, with a second tag that tells the last third: who asks is one of its members. */
export async function layOutTagged(store: Store, machines: number): Promise<Principal> {
  const of = { projectId: 'p-tagged' as Principal['projectId'] };
  const ages = Array.from({ length: machines }, (_, index) => {
    const value = index * 3 < machines * 2 ? 'old' : 'new';
    return row('tag', `a-${index}`, { resourceKind: 'instance', resourceId: idOf('t', index), key: 'age', value, ...of });
  });
  await commit(store, [...Array.from({ length: machines }, (_, index) => machine(index, HOSTS, 't', of)).flat(), ...ages]);
  return { ...lister, ...of };
}

async function commit(store: Store, statements: readonly Statement[]): Promise<void> {
  const result = await store.commit({ node: 'n', epoch: store.epoch, at: '2030-01-01T00:00:00.000Z', statements });
  if (!result.ok) throw new Error(JSON.stringify(result));
}

/** Tables of which a query must never look at all rows. */
export const LARGE: readonly string[] = ['instance', 'nic', 'volume', 'tag'];

interface Listed {
  readonly plural: string;
  readonly query: Readonly<Record<string, string>>;
}

/** Queries that are answered by indexes alone, on each store by its own: who adds one says for each of them by which. */
export const LISTED = {
  all: { plural: 'instances', query: {} },
  newest: { plural: 'instances', query: { sort: '-createdAt' } },
  byName: { plural: 'instances', query: { sort: 'name' } },
  oneName: { plural: 'instances', query: { filter: "name = 'i-00007'" } },
  oneId: { plural: 'instances', query: { filter: "id = 'i-00007'" } },
  ofHost: { plural: 'instances', query: { hostId: 'h-7' } },
  ofState: { plural: 'instances', query: { filter: "state = 'running'" } },
  ofSubnet: { plural: 'instances', query: { filter: "nics.subnet.cidr = '10.0.3.0/24'" } },
  runningOfAddress: { plural: 'instances', query: { filter: "state = 'running' and nics.address = '10.0.0.9'" } },
  ofHostWithVolume: { plural: 'instances', query: { filter: "hostId = 'h-7' and has(volumes: sizeBytes > 1KiB)" } },
  ofCluster: { plural: 'instances', query: { filter: "host.cluster.name = 'c-1'" } },
  volumesOfHosts: { plural: 'volumes', query: { filter: "instance.host.status = 'connected' and instance.name = 'i-00003'" } },
  nicsByMac: { plural: 'nics', query: { filter: "mac in ('m-i1', 'm-i2')" } },
  subnetsOfInstance: { plural: 'subnets', query: { filter: "nicsBySubnet.instance.name = 'i-00004'" } },
  ofFewTagged: { plural: 'instances', query: { filter: "tags.env = 'prod'" } },
  ofManyTaggedOnHost: { plural: 'instances', query: { filter: "tags.env = 'test' and hostId = 'h-7'" } },
  volumesOfTagged: { plural: 'volumes', query: { filter: "has(instance.tags: key = 'env' and value = 'prod')" } },
  hostsOfInstance: { plural: 'hosts', query: { filter: "has(instances: name = 'i-00004')" } },
} as const satisfies Readonly<Record<string, Listed>>;

export type ListedName = keyof typeof LISTED;

export const listedEntries = Object.entries(LISTED) as readonly (readonly [ListedName, Listed])[];
