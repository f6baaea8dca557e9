import type { NetworkSpec, SegmentSpec } from '@pileus/core/strategy';

/** What each host that carries a network says of it. Subnets are not among it: nothing here answers for addresses. */
export interface StoredNetwork {
  readonly id: string;
  readonly name: string;
  readonly owner: string;
  readonly segment: SegmentSpec;
}

type Ids = Readonly<Record<string, string | undefined>>;

const NIC = 'pileus-nic-';
/** Of whatever belongs to a network, ports on bridges of others too. */
export const NETWORK = 'pileus-network';
/** Of a tunnel: the host at its other end. */
export const PEER = 'pileus-peer';

export const storedOf = ({ id, name, owner, segment }: NetworkSpec & { readonly segment: SegmentSpec }): StoredNetwork => ({
  ...{ id, name, owner, segment },
});

export const networkMarks = ({ id, name, owner, segment }: StoredNetwork): Readonly<Record<string, string>> => ({
  [NETWORK]: id,
  'pileus-owner': owner,
  'pileus-name': name,
  'pileus-segment': JSON.stringify(segment),
});

/** Of a bridge as it is. Undefined for those that are not ours, or that somebody has spoilt beyond reading. */
export function readNetwork(ids: Ids): StoredNetwork | undefined {
  const { [NETWORK]: id, 'pileus-owner': owner, 'pileus-name': name = '', 'pileus-segment': text } = ids;
  if (id === undefined || owner === undefined || text === undefined) return undefined;
  try {
    const segment = JSON.parse(text) as SegmentSpec | null;
    return typeof segment?.physicalNetwork === 'string' ? { id, name, owner, segment } : undefined;
  } catch {
    return undefined;
  }
}

export const nicMark = (nicId: string): string => `${NIC}${nicId}`;

export const nicsOf = (ids: Ids): readonly string[] =>
  Object.keys(ids).flatMap((key) => (key.startsWith(NIC) ? key.slice(NIC.length) : []));
