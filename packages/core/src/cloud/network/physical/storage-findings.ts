import type { HostLink } from '../../../agent/index.ts';
import type { RowOf } from '../../../kernel/index.ts';
import type { host } from '../../topology/contract.ts';
import { parseCidr } from '../cidr.ts';
import type { physicalNetwork } from './physical-network.ts';
import { linkIn, linkOf, type Way, wayBy } from './way.ts';

export type PhysicalRow = Pick<RowOf<typeof physicalNetwork>, 'id' | 'name' | 'role' | 'label' | 'cidr' | 'mtuBytes' | 'encapsulation'>;
export type StorageNetwork = NonNullable<RowOf<typeof host>['storageNetworks']>[number];
type Found = Omit<StorageNetwork['findings'][number], 'since'>;
/** As a look finds it, without since when. */
export type SeenNetwork = Omit<StorageNetwork, 'findings'> & { readonly findings: readonly Found[] };

export interface Wanted {
  readonly speedMbits: number;
  readonly bond: 'required' | 'wanted' | 'ignored';
}

const MEMBERS_MIN = 2;
const error = (code: Found['code'], found: string, wanted: string): Found => ({ code, level: 'error', found, wanted });
const warning = (code: Found['code'], found: string, wanted: string): Found => ({ code, level: 'warning', found, wanted });
const mbits = (speed: number): string => `${speed} Mbit/s`;

/** How a host whose links are these stands to a physical network that carries storage; `others` are those of its cluster that are machines'. */
export function storageWay(
  of: PhysicalRow,
  links: readonly HostLink[] | undefined,
  wanted: Wanted,
  others: readonly PhysicalRow[],
): SeenNetwork {
  const physicalNetworkId = of.id;
  if (links === undefined)
    return { physicalNetworkId, findings: [warning('not_told', 'no agent that tells of its links', 'an agent that is connected')] };
  const first = linkFor(links, of);
  if (first === undefined) return { physicalNetworkId, findings: [notThere(of)] };
  const way = wayBy(links, first);
  return {
    physicalNetworkId,
    link: first.name,
    isUp: way.isUp,
    ...(way.speedMbits === undefined ? {} : { speedMbits: way.speedMbits }),
    ...(way.mtuBytes === undefined ? {} : { mtuBytes: way.mtuBytes }),
    ...bondIn(way),
    isOverlay: way.isOverlay,
    findings: [...findings(of, way, wanted), ...sharedBy(way, links, others)],
  };
}

function linkFor(links: readonly HostLink[], { cidr, label }: PhysicalRow): HostLink | undefined {
  const within = cidr === undefined ? undefined : parseCidr(cidr);
  return within === undefined ? linkOf(links, label) : linkIn(links, within);
}

const notThere = ({ cidr, label }: PhysicalRow): Found =>
  cidr === undefined
    ? error('not_there', `no link is called ${label}, and no bridge is told for it`, `a link to ${label}`)
    : error('not_there', `no link has an address in ${cidr}`, `an address in ${cidr}`);

const bondIn = ({ bond }: Way): Pick<StorageNetwork, 'bond'> =>
  bond === undefined
    ? {}
    : {
        bond: {
          name: bond.name,
          ...(bond.mode === undefined ? {} : { mode: bond.mode }),
          members: bond.members.map(({ name, isUp, speedMbits }) => ({ name, isUp, ...(speedMbits === undefined ? {} : { speedMbits }) })),
        },
      };

function* findings(of: PhysicalRow, way: Way, wanted: Wanted): Generator<Found> {
  const [first] = way.over;
  if (!way.isUp) yield error('down', `${first?.name} is down, or what it stands on`, 'a way that is up');
  if (way.isOverlay || of.encapsulation !== undefined) yield error('overlay', 'tunnels', 'links without tunnels');
  const { speedMbits, mtuBytes } = way;
  if (way.isUp && wanted.speedMbits > 0) {
    if (speedMbits === undefined) yield warning('speed_unknown', 'its links do not tell how fast they are', mbits(wanted.speedMbits));
    else if (speedMbits < wanted.speedMbits) yield error('slow', mbits(speedMbits), mbits(wanted.speedMbits));
  }
  yield* bondFindings(way, wanted);
  if (mtuBytes !== undefined && mtuBytes < of.mtuBytes) yield warning('small_mtu', `${mtuBytes} bytes`, `${of.mtuBytes} bytes`);
}

function* bondFindings({ bond }: Way, wanted: Wanted): Generator<Found> {
  if (wanted.bond === 'ignored') return;
  const members = bond?.members ?? [];
  if (members.length < MEMBERS_MIN) {
    const found = bond === undefined ? 'no bond' : `a bond of ${members.length}`;
    yield {
      code: 'not_bonded',
      level: wanted.bond === 'required' ? 'error' : 'warning',
      found,
      wanted: `a bond of ${MEMBERS_MIN} or more`,
    };
    return;
  }
  const up = members.filter(({ isUp }) => isUp).length;
  if (up < members.length) yield warning('bond_degraded', `${up} of ${members.length} members up`, `${members.length} members up`);
}

/** What machines send goes over the same links, and takes of what storage has. */
function* sharedBy({ over }: Way, links: readonly HostLink[], others: readonly PhysicalRow[]): Generator<Found> {
  const names = new Set(over.map(({ name }) => name));
  const meets = (first: HostLink) => wayBy(links, first).over.some(({ name }) => names.has(name));
  const alsoFor = others.filter((other) => {
    const first = linkFor(links, other);
    return first !== undefined && meets(first);
  });
  const shared = [
    ...(over.some(({ hasMachines }) => hasMachines === true) ? ['ports of machines'] : []),
    ...(links.some((link) => link.hasTunnels === true && meets(link)) ? ["tunnels of tenants' networks"] : []),
    ...alsoFor.map(({ name }) => `physical network ${name}`),
  ];
  if (shared.length > 0) yield warning('shared', shared.join(', '), 'links of its own');
}
