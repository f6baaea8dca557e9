import type { SegmentSpec } from '@pileus/core/strategy';
import { DriverError } from '../ovn/driver-error.ts';
import { bridgeName, patchName, tunnelName, wireName } from './names.ts';
import { NETWORK, networkMarks, PEER, type StoredNetwork } from './stored-network.ts';

/** What a host says of itself. */
export interface SwitchFacts {
  readonly host: string;
  /** Where tunnels of other hosts reach it. */
  readonly tunnelAddress?: string;
  /** By physical network: the bridge that its cables are on. */
  readonly bridges: Readonly<Record<string, string>>;
  /** Those of them whose own port takes untagged frames: the host itself is on the wire. */
  readonly open: readonly string[];
  /** `netdev` where the switch runs in user space. */
  readonly datapathType: '' | 'netdev';
}

/**
 * What is known of another host of the cloud: it has machines on the network, it has none (or cannot take part), or it does not answer. One that is
 * not among the others is none of the cloud's.
 */
export type Other =
  | { readonly host: string; readonly part: 'in'; readonly tunnelAddress: string }
  | { readonly host: string; readonly part: 'out' | 'unknown' };

export interface Others {
  readonly all: readonly Other[];
  /** Whether who is not among them is out for certain. */
  readonly isComplete: boolean;
}

export interface CompiledPort {
  readonly name: string;
  /** What it is a port of. */
  readonly bridge: string;
  readonly type: 'internal' | 'patch' | 'vxlan' | 'geneve';
  readonly options: Readonly<Record<string, string>>;
  /** An access port of this VLAN: frames with tags do not come in, and 0 is none. */
  readonly tag?: number;
  /** Passes nothing to others that are protected, too. */
  readonly isProtected: boolean;
  readonly ids: Readonly<Record<string, string>>;
}

/** What a network is on one host. */
export interface CompiledBridge {
  readonly name: string;
  readonly datapathType: '' | 'netdev';
  readonly marks: Readonly<Record<string, string>>;
  readonly ports: readonly CompiledPort[];
  /** Whether a tunnel to that host that is there stays as it is, whatever is known. */
  keeps(peer: string): boolean;
}

/** Why a host cannot carry a network. */
export function lacking({ segment }: Pick<StoredNetwork, 'segment'>, here: SwitchFacts): string | undefined {
  const missing = missingFor(segment, here);
  return missing === undefined ? undefined : `host ${here.host} ${missing}`;
}

/** What a host does not tell that it would have to, or what of it would be within reach of machines. */
export function missingFor({ physicalNetwork, tunnel, apartFromHosts }: SegmentSpec, here: SwitchFacts): string | undefined {
  if (tunnel !== undefined) return here.tunnelAddress === undefined ? 'tells no address of its tunnels' : undefined;
  const bridge = here.bridges[physicalNetwork];
  if (bridge === undefined) return `tells no bridge for ${physicalNetwork}`;
  if (apartFromHosts !== true || !here.open.includes(bridge)) return undefined;
  return `is on ${physicalNetwork} itself: the own port of bridge ${bridge} is up and in no VLAN, so machines would reach the host`;
}

/**
 * The network as it has to be on this host. `isIn`: machines on it are here, so that the host is a part of the mesh.
 * @throws DriverError conflict where the host cannot carry it
 */
export function compileNetwork(network: StoredNetwork, here: SwitchFacts, isIn: boolean, others: Others): CompiledBridge {
  const lack = lacking(network, here);
  if (lack !== undefined) throw new DriverError('conflict', lack);
  const name = bridgeName(network.id);
  const known = new Map(others.all.map((other) => [other.host, other.part]));
  return {
    name,
    datapathType: here.datapathType,
    marks: networkMarks(network),
    ports: [
      { name, bridge: name, type: 'internal', options: {}, isProtected: false, ids: { [NETWORK]: network.id } },
      ...(network.segment.tunnel === undefined ? wire(network, here) : isIn ? tunnels(network, here, others) : []),
    ],
    keeps: (peer) => isIn && peer !== here.host && (known.get(peer) ?? (others.isComplete ? 'out' : 'unknown')) === 'unknown',
  };
}

/** One way out to the cable: there is no second, so nothing comes back by it. */
function wire({ id, segment: { physicalNetwork, vlanId = 0 } }: StoredNetwork, { bridges }: SwitchFacts): readonly CompiledPort[] {
  const [inner, outer] = [patchName(id), wireName(id)];
  const common = { type: 'patch', isProtected: false, ids: { [NETWORK]: id } } as const;
  return [
    { ...common, name: inner, bridge: bridgeName(id), options: { peer: outer } },
    { ...common, name: outer, bridge: bridges[physicalNetwork] as string, options: { peer: inner }, tag: vlanId },
  ];
}

/** One to each host in the mesh. What comes out of one goes into none of the others: each host has sent it to all by itself. */
function tunnels({ id, segment: { tunnel } }: StoredNetwork, here: SwitchFacts, { all }: Others): readonly CompiledPort[] {
  if (tunnel === undefined) return [];
  return all.flatMap((other) =>
    other.part !== 'in' || other.host === here.host
      ? []
      : {
          name: tunnelName(id, other.host),
          bridge: bridgeName(id),
          type: tunnel.encapsulation,
          options: { key: String(tunnel.key), local_ip: here.tunnelAddress as string, remote_ip: other.tunnelAddress },
          isProtected: true,
          ids: { [NETWORK]: id, [PEER]: other.host },
        },
  );
}
