import { BlockList } from 'node:net';
import type { SimCloud } from '@pileus/core/testing';
import type { Mirror, Row, Touched } from './mirror.ts';

type Say = (problem: string) => void;

/** Rows that have an address of a subnet, with the fields that tell of it. What is kept for one of them is its own. */
const HOLDERS: Readonly<Record<string, readonly (readonly [subnet: string, address: string])[]>> = {
  nic: [
    ['subnetId', 'address'],
    ['ipv6SubnetId', 'ipv6Address'],
  ],
  reservedAddress: [['subnetId', 'address']],
  elasticIp: [['subnetId', 'address']],
  natGateway: [
    ['subnetId', 'address'],
    ['ipv6SubnetId', 'ipv6Address'],
  ],
  loadBalancer: [['subnetId', 'address']],
};
const KEPT_FOR = ['natGatewayId', 'elasticIpId', 'loadBalancerId'] as const;

/** What is part of what, by kind: both are of one project. */
const PARTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  network: { vpcId: 'vpc' },
  subnet: { networkId: 'network' },
  route: { vpcId: 'vpc' },
  peering: { vpcId: 'vpc' },
  securityGroupRule: { securityGroupId: 'securityGroup', remoteGroupId: 'securityGroup' },
  securityGroupMember: { securityGroupId: 'securityGroup', nicId: 'nic', instanceId: 'instance' },
  dnsRecord: { vpcId: 'vpc' },
  natGateway: { vpcId: 'vpc' },
  natPortBlock: { natGatewayId: 'natGateway' },
  elasticIp: { nicId: 'nic', loadBalancerId: 'loadBalancer' },
  portForward: { natGatewayId: 'natGateway', nicId: 'nic' },
  reservedAddress: { natGatewayId: 'natGateway', elasticIpId: 'elasticIp', loadBalancerId: 'loadBalancer' },
  loadBalancer: { vpcId: 'vpc', subnetId: 'subnet' },
  listener: { loadBalancerId: 'loadBalancer' },
  backend: { listenerId: 'listener', nicId: 'nic' },
};

/** What must be true of VPCs and all that lies around networks at every instant, whatever goes wrong. */
export class NetworkInvariants {
  readonly #sim: SimCloud;
  readonly #mirror: Mirror;
  readonly #say: Say;
  /** By subnet and address: whose it is, with the rows that say so. */
  readonly #addresses = new Map<string, Map<string, string>>();
  /** Networks that were ever shared. */
  readonly #shared = new Set<unknown>();

  constructor(sim: SimCloud, mirror: Mirror, say: Say) {
    this.#sim = sim;
    this.#mirror = mirror;
    this.#say = say;
  }

  /** After each commit: what its rows have to do with. */
  committed(touched: readonly Touched[]): void {
    for (const { table, before, after } of touched) if (table === 'share') this.#shared.add((after ?? before)?.resourceId);
    for (const change of touched) this.#moves(change);
    // Whole commits alone make sense.
    for (const { table, id, before, after } of touched) {
      for (const row of [before, after]) if (row !== undefined) this.#owned(table, row);
      if (after !== undefined) this.#holds(table, id, after);
    }
  }

  /** In the fabric: an address that leads in leads to one place, or at least to none of somebody else's. */
  looked(): void {
    const objects = [...this.#sim.world.fabric.kept.of('elasticIps').values()];
    const seen = new Map<string, string>();
    for (const { spec } of objects) {
      const { id, externalAddress = '' } = spec as { readonly id: string; readonly externalAddress?: string };
      const other = seen.get(externalAddress);
      if (other !== undefined && this.#projectOf('elasticIp', other) !== this.#projectOf('elasticIp', id))
        this.#say(`in the fabric ${externalAddress} leads to what elastic IPs ${other} and ${id} of two projects are bound to`);
      seen.set(externalAddress, id);
    }
  }

  #projectOf(table: string, id: string): unknown {
    return this.#sim.row(table, id)?.projectId;
  }

  #moves({ table, id, before, after }: Touched): void {
    for (const [subnet, address] of HOLDERS[table] ?? []) {
      if (before?.[address] !== undefined) this.#addresses.get(keyOf(before, subnet, address))?.delete(`${table} ${id}`);
      if (after?.[address] === undefined) continue;
      const key = keyOf(after, subnet, address);
      const holders = this.#addresses.get(key) ?? new Map<string, string>();
      this.#addresses.set(key, holders.set(`${table} ${id}`, ownerOf(table, after)));
    }
  }

  #owned(table: string, row: Row): void {
    for (const [subnet, address] of HOLDERS[table] ?? []) {
      const holders = this.#addresses.get(keyOf(row, subnet, address));
      if (holders !== undefined && new Set(holders.values()).size > 1)
        this.#say(`${row[address]} of subnet ${row[subnet]} is that of ${[...holders.keys()].join(' and of ')}`);
    }
  }

  #holds(table: string, id: string, row: Row): void {
    this.#ownParts(table, row);
    if (table === 'nic' || table === 'securityGroup') this.#guests(table, row);
    if (table === 'subnet') this.#ranges(this.#mirror.row('network', row.networkId)?.vpcId);
    if (table === 'peering') this.#ranges(row.vpcId);
    if (table === 'portForward' || table === 'natPortBlock') this.#ports(String(row.natGatewayId));
    if (table === 'elasticIp') this.#bound(id, row);
    if (table === 'natGateway') this.#alone(table, row, ['vpcId']);
    if (table === 'backend' || table === 'portForward' || table === 'elasticIp') this.#ledTo(row.nicId);
  }

  #ownParts(table: string, row: Row): void {
    for (const [field, kind] of Object.entries(PARTS[table] ?? {})) {
      const other = row[field] === undefined ? undefined : this.#mirror.row(kind, row[field]);
      if (other !== undefined && other.projectId !== row.projectId)
        this.#say(`${table} ${row.id} is part of ${kind} ${row[field]} of another project`);
    }
  }

  /** In a network, or in the VPC of one, of others only where that was shared at some time. */
  #guests(table: 'nic' | 'securityGroup', row: Row): void {
    const owner = table === 'nic' ? this.#mirror.row('network', row.networkId) : this.#mirror.row('vpc', row.vpcId);
    if (owner === undefined || owner.projectId === row.projectId) return;
    const isShared =
      table === 'nic'
        ? this.#shared.has(row.networkId)
        : [...this.#shared].some((id) => this.#sim.row('network', String(id))?.vpcId === row.vpcId);
    if (!isShared)
      this.#say(`${table} ${row.id} is in what another project has, which it has shared with nobody: ${JSON.stringify(owner)}`);
  }

  /** No address of a VPC, or of one that it is linked with, means two places. */
  #ranges(vpcId: unknown): void {
    if (vpcId === undefined) return;
    const peerings = [...this.#mirror.rows('peering').values()];
    const linked = peerings.filter((row) => row.vpcId === vpcId && row.state === 'active').map(({ peerVpcId }) => peerVpcId);
    const own = this.#subnetsOf(vpcId);
    for (const [at, one] of own.entries())
      for (const other of own.slice(at + 1))
        if (overlap(one, other)) this.#say(`subnets ${one.id} and ${other.id} of VPC ${vpcId} overlap`);
    for (const peer of linked)
      for (const other of this.#subnetsOf(peer))
        for (const one of own)
          if (overlap(one, other)) this.#say(`subnets ${one.id} and ${other.id} of the linked VPCs ${vpcId} and ${peer} overlap`);
  }

  #subnetsOf(vpcId: unknown): readonly Row[] {
    return [...this.#mirror.rows('subnet').values()].filter(({ networkId }) => this.#mirror.row('network', networkId)?.vpcId === vpcId);
  }

  /** A port of a gateway leads in to one machine, or out from one subnet. */
  #ports(natGatewayId: string): void {
    const of = (table: string) => [...this.#mirror.rows(table).values()].filter((row) => row.natGatewayId === natGatewayId);
    const blocks = of('natPortBlock').map(({ id, firstPort, lastPort }) => ({ id, first: Number(firstPort), last: Number(lastPort) }));
    const forwards = of('portForward').map(({ id, externalPort }) => ({ id, first: Number(externalPort), last: Number(externalPort) }));
    for (const [at, one] of blocks.entries())
      for (const other of [...blocks.slice(at + 1), ...forwards])
        if (one.first <= other.last && other.first <= one.last)
          this.#say(`of gateway ${natGatewayId} ${one.id} and ${other.id} have the same ports`);
  }

  #bound(id: string, { state, nicId, loadBalancerId, natGatewayId }: Row): void {
    const isLed = nicId !== undefined || loadBalancerId !== undefined;
    if (isLed !== (state === 'binding' || state === 'bound' || state === 'unbinding' || (state === 'deleting' && isLed)))
      this.#say(`elastic IP ${id} is ${state}, bound to ${nicId ?? loadBalancerId ?? 'nothing'} through ${natGatewayId}`);
    const row = this.#mirror.row('elasticIp', id);
    if (row === undefined) return;
    if (nicId !== undefined) this.#alone('elasticIp', row, ['nicId', 'family']);
    if (loadBalancerId !== undefined) this.#alone('elasticIp', row, ['loadBalancerId']);
  }

  #alone(table: string, row: Row, fields: readonly string[]): void {
    const same = [...this.#mirror.rows(table).values()].filter((other) => fields.every((field) => other[field] === row[field]));
    if (same.length > 1) this.#say(`${same.map(({ id }) => `${table} ${id}`).join(' and ')} have the same ${fields.join(' and ')}`);
  }

  /** Answers of a machine with a distributed elastic IP leave from its own host: nothing else may lead to it. */
  #ledTo(nicId: unknown): void {
    const of = (table: string) => [...this.#mirror.rows(table).values()].filter((row) => row.nicId === nicId && row.state !== 'deleting');
    if (nicId === undefined || !of('elasticIp').some(({ distributed }) => distributed === true)) return;
    for (const table of ['backend', 'portForward'])
      for (const { id } of of(table)) this.#say(`${table} ${id} leads to NIC ${nicId}, which has a distributed elastic IP`);
  }
}

const keyOf = (row: Row, subnet: string, address: string): string => `${row[subnet]} ${row[address]}`;

const ownerOf = (table: string, row: Row): string =>
  String((table === 'reservedAddress' ? KEPT_FOR.map((field) => row[field]).find((id) => id !== undefined) : undefined) ?? row.id);

function overlap(a: Row, b: Row): boolean {
  const [one, other] = [String(a.cidr), String(b.cidr)];
  return covers(one, other) || covers(other, one);
}

function covers(cidr: string, other: string): boolean {
  const [base = '', prefix] = cidr.split('/');
  const [address = ''] = other.split('/');
  const family = (text: string) => (text.includes(':') ? 'ipv6' : 'ipv4');
  if (family(base) !== family(address)) return false;
  const list = new BlockList();
  list.addSubnet(base, Number(prefix), family(base));
  return list.check(address, family(address));
}
