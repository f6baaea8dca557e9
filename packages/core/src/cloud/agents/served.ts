import type { AgentCommand, ServedMachine, ServedNames, ServedNetwork } from '../../agent/index.ts';
import { type AnyKind, equals, isCloudError, type Reader, type RowOf } from '../../kernel/index.ts';
import { instance, instanceType } from '../compute/contract.ts';
import { given } from '../naming.ts';
import { dnsRecord, type Fabric, namesakesOf, network, nic, subnet, vpc } from '../network/contract.ts';
import type { CloudServices } from '../services.ts';
import { cluster, host, zone } from '../topology/contract.ts';

type Services = Pick<CloudServices, 'reader' | 'fabrics' | 'secrets'>;
type NicRow = RowOf<typeof nic>;
type SubnetRow = RowOf<typeof subnet>;

/** What the agent of a host is to serve, by what it is about, e.g. `machines/018f…`; and the VPCs whose names it is to know. */
export interface Desired {
  readonly commands: ReadonlyMap<string, AgentCommand>;
  readonly vpcIds: ReadonlySet<string>;
  /** By what they are about: of these nothing is known while the driver of a network is not installed, so they stay as they are. */
  readonly unknown: ReadonlySet<string>;
}

/** Rows as they are now, each read once: what machines have in common is much. */
class Glance {
  readonly #reader: Reader;
  readonly #rows = new Map<string, Promise<unknown>>();

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  get<K extends AnyKind>(kind: K, id: string): Promise<RowOf<K>> {
    const known = this.#rows.get(id) ?? this.#reader.get(kind, id);
    this.#rows.set(id, known);
    return known as Promise<RowOf<K>>;
  }
}

const isThere = ({ state }: { readonly state: string }): boolean => state !== 'deleting' && state !== 'deleted' && state !== 'trashed';
const prefixLength = (cidr: string): number => Number(cidr.split('/')[1]);

/** The machines of a host, and the networks that they are on. */
export async function desiredOn(services: Services, hostId: string): Promise<Desired> {
  const { reader } = services;
  const glance = new Glance(reader);
  const commands = new Map<string, AgentCommand>();
  const networkIds = new Set<string>();
  const unknown = new Set<string>();
  for (const machine of await reader.list(instance, equals('hostId', hostId))) {
    if (!isThere(machine)) continue;
    const nics = (await reader.list(nic, equals('instanceId', machine.id))).filter(isThere);
    const answered = await answeredAmong(services, glance, nics);
    if (answered.size === 0) continue;
    for (const networkId of answered.keys()) networkIds.add(networkId);
    if ([...answered.values()].every(({ isUnknown }) => isUnknown)) unknown.add(`machines/${machine.id}`);
    else
      commands.set(`machines/${machine.id}`, {
        type: 'machine.serve',
        input: await machineOf(services, glance, machine, { nics, answered }),
      });
  }
  const vpcIds = new Set<string>();
  for (const networkId of networkIds) {
    const row = await reader.get(network, networkId);
    const fabric = await fabricOf(services, row);
    if (fabric === undefined) {
      unknown.add(`networks/${networkId}`);
      if (row.vpcId !== undefined) unknown.add(`names/${row.vpcId}`);
      continue;
    }
    const served = await networkOf(services, row, fabric);
    if (served === undefined) continue;
    commands.set(`networks/${networkId}`, { type: 'network.serve', input: served });
    if (served.vpcId !== undefined) vpcIds.add(served.vpcId);
  }
  return { commands, vpcIds, unknown };
}

/** Undefined where its driver is not installed, for the time being or for good: it keeps no other network from being served. */
async function fabricOf({ fabrics }: Services, row: RowOf<typeof network>): Promise<Fabric | undefined> {
  try {
    return await fabrics.of(row);
  } catch (error) {
    if (isCloudError(error) && error.code === 'unsupported') return undefined;
    throw error;
  }
}

interface Answer {
  readonly domain?: string;
  readonly mtuBytes?: number;
  /** Whether anybody answers there cannot be told. */
  readonly isUnknown?: true;
}
type Answered = ReadonlyMap<string, Answer>;

/** The networks among those of the NICs on which the cloud answers, as far as it can be told, and the domains of their VPCs. */
async function answeredAmong(services: Services, glance: Glance, nics: readonly NicRow[]): Promise<Answered> {
  const answered = new Map<string, Answer>();
  for (const { networkId } of nics) {
    const row = await glance.get(network, networkId);
    const { vpcId, mtuBytes } = row;
    if (vpcId !== undefined) answered.set(networkId, { domain: (await glance.get(vpc, vpcId)).domain, ...given({ mtuBytes }) });
    // One host's alone is that of its hypervisor, where nothing can be plugged in; it is not connected to for that.
    else if (row.hostId === undefined) {
      const fabric = await fabricOf(services, row);
      if (fabric === undefined) answered.set(networkId, { ...given({ mtuBytes }), isUnknown: true });
      else if (fabric.servicePort(networkId) !== undefined) answered.set(networkId, given({ mtuBytes }));
    }
  }
  return answered;
}

async function machineOf(
  { secrets }: Services,
  glance: Glance,
  machine: RowOf<typeof instance>,
  { nics, answered }: { readonly nics: readonly NicRow[]; readonly answered: Answered },
): Promise<ServedMachine> {
  const sorted = nics.toSorted((a, b) => a.slot - b.slot);
  const domain = sorted.flatMap(({ networkId }) => answered.get(networkId)?.domain ?? [])[0];
  const userData = machine.userData === undefined ? undefined : await secrets.open(machine.userData);
  return {
    instanceId: machine.id,
    name: machine.name,
    hostname: machine.hostname,
    fqdn: domain === undefined ? machine.hostname : `${machine.hostname}.${domain}`,
    instanceType: (await glance.get(instanceType, machine.instanceTypeId)).name,
    zone: await zoneOf(glance, machine.hostId ?? ''),
    projectId: machine.projectId ?? '',
    sshKeys: [...machine.sshKeys],
    ...given({ imageId: machine.imageId, userData }),
    nics: await Promise.all(sorted.map((row) => nicOf(glance, row, answered.get(row.networkId)?.mtuBytes))),
  };
}

async function zoneOf(glance: Glance, hostId: string): Promise<string> {
  const { clusterId } = await glance.get(host, hostId);
  const { zoneId } = await glance.get(cluster, clusterId);
  return (await glance.get(zone, zoneId)).name;
}

async function nicOf(glance: Glance, row: NicRow, mtuBytes: number | undefined): Promise<ServedMachine['nics'][number]> {
  const of = await glance.get(subnet, row.subnetId);
  const also = row.ipv6SubnetId === undefined ? undefined : await glance.get(subnet, row.ipv6SubnetId);
  const address = (at: SubnetRow, text: string) => ({
    address: text,
    prefixLength: prefixLength(at.cidr),
    gateway: at.gateway,
    subnetId: at.id,
  });
  return {
    nicId: row.id,
    networkId: row.networkId,
    mac: row.mac,
    addresses: [address(of, row.address), ...(also === undefined || row.ipv6Address === undefined ? [] : [address(also, row.ipv6Address)])],
    dnsServers: [...of.dnsServers, ...(also?.dnsServers ?? [])],
    ...given({ mtuBytes }),
  };
}

/** Undefined where nobody answers for the cloud: the driver cannot, or in a VPC no subnet has an address for it. */
async function networkOf({ reader }: Services, row: RowOf<typeof network>, fabric: Fabric): Promise<ServedNetwork | undefined> {
  const { id: networkId, vpcId, mtuBytes } = row;
  const port = fabric.servicePort(networkId);
  if (port === undefined || !isThere(row)) return undefined;
  const subnets = (await reader.list(subnet, equals('networkId', networkId))).filter(isThere);
  const addresses = subnets.flatMap(({ serviceAddress, cidr }) =>
    serviceAddress === undefined ? [] : [{ address: serviceAddress, prefixLength: prefixLength(cidr) }],
  );
  const onLink = vpcId === undefined ? subnets.map(({ cidr }) => cidr) : undefined;
  if (addresses.length === 0 && (onLink ?? []).length === 0) return undefined;
  return { networkId, ...port, addresses, ...given({ vpcId, onLink, mtuBytes }) };
}

/**
 * The names that machines of a VPC find: its own, and those of VPCs with which it shares names. What is of its own domain it says alone; of two others with the
 * same name the one holds with which it has shared for longer.
 */
export async function namesOf(reader: Reader, vpcId: string): Promise<ServedNames> {
  const own = await reader.get(vpc, vpcId);
  const { byName, cidrs } = await ownNamesOf(reader, own);
  for (const other of await namesakesOf(reader, vpcId)) {
    const theirs = await ownNamesOf(reader, other);
    cidrs.push(...theirs.cidrs);
    for (const [name, addresses] of theirs.byName) if (!byName.has(name) && !name.endsWith(`.${own.domain}`)) byName.set(name, addresses);
  }
  const records = [...byName].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, addresses]) => ({ name, addresses: [...addresses].sort() }));
  return { vpcId, domain: own.domain, cidrs: cidrs.sort(), records };
}

/** Those of its owner's machines, and those that were given to it. A name that several have leads to all of them. */
async function ownNamesOf(reader: Reader, { id: vpcId, domain, projectId }: RowOf<typeof vpc>) {
  const byName = new Map<string, Set<string>>();
  const add = (name: string, addresses: readonly (string | undefined)[]) => {
    const known = byName.get(name) ?? new Set();
    byName.set(name, known);
    for (const address of addresses) if (address !== undefined) known.add(address);
  };
  const cidrs: string[] = [];
  for (const of of await reader.list(network, equals('vpcId', vpcId))) {
    for (const { cidr } of (await reader.list(subnet, equals('networkId', of.id))).filter(isThere)) cidrs.push(cidr);
    for (const row of (await reader.list(nic, equals('networkId', of.id))).filter((each) => isThere(each) && each.projectId === projectId))
      add(`${(await reader.get(instance, row.instanceId)).hostname}.${domain}`, [row.address, row.ipv6Address]);
  }
  for (const { hostname, addresses } of (await reader.list(dnsRecord, equals('vpcId', vpcId))).filter(isThere)) add(hostname, addresses);
  return { byName, cidrs };
}
