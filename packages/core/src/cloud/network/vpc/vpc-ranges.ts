import { both, change, equals, expectState, type Reader, type RowOf, type Statement } from '../../../kernel/index.ts';
import { type Cidr, overlaps, parseCidr } from '../cidr.ts';
import { network } from '../network.ts';
import { invalid } from '../refusal.ts';
import { subnet } from '../subnet.ts';
import { peering } from './peering.ts';
import { route } from './route.ts';
import { vpc } from './vpc.ts';

/** All subnets of a VPC, of each of its networks. */
export const subnetsOf = (reader: Reader, vpcId: string): Promise<readonly RowOf<typeof subnet>[]> =>
  reader.list(subnet, { exists: { table: network.name, local: 'networkId', remote: 'id', where: equals('vpcId', vpcId) } });

/** The other side of a peering, if its owner has named this one, and is not about to take that back. */
export async function otherSide(
  reader: Reader,
  { vpcId, peerVpcId }: Pick<RowOf<typeof peering>, 'vpcId' | 'peerVpcId'>,
): Promise<RowOf<typeof peering> | undefined> {
  return (await answersTo(reader, { vpcId, peerVpcId })).find(({ state }) => state !== 'deleting');
}

const answersTo = (reader: Reader, { vpcId, peerVpcId }: Pick<RowOf<typeof peering>, 'vpcId' | 'peerVpcId'>) =>
  reader.list(peering, both(equals('vpcId', peerVpcId), equals('peerVpcId', vpcId)));

/** VPCs that this one is linked with, as both sides want it. Still so while one takes it back: until then packets go, and it may come to nothing. */
export async function peersOf(reader: Reader, vpcId: string): Promise<readonly RowOf<typeof vpc>[]> {
  const own = await reader.list(peering, equals('vpcId', vpcId));
  const answers = await Promise.all(own.map((row) => answersTo(reader, row)));
  return Promise.all([...new Set(answers.flat().map((row) => row.vpcId))].map((id) => reader.get(vpc, id)));
}

/** VPCs whose names its machines find, too: both sides want it. Those that have agreed for longer come first. */
export async function namesakesOf(reader: Reader, vpcId: string): Promise<readonly RowOf<typeof vpc>[]> {
  const sharing = ({ state, sharesNames }: RowOf<typeof peering>) => state === 'active' && sharesNames === true;
  const own = (await reader.list(peering, equals('vpcId', vpcId))).filter(sharing).sort((a, b) => (a.id < b.id ? -1 : 1));
  const others = await Promise.all(own.map((row) => otherSide(reader, row)));
  return Promise.all(others.flatMap((other) => (other !== undefined && sharing(other) ? [reader.get(vpc, other.vpcId)] : [])));
}

export interface NamedRange {
  readonly cidr: Cidr;
  /** For who may see it. */
  readonly name: string;
}

const rangesOf = (rows: readonly RowOf<typeof subnet>[], nameOf: (row: RowOf<typeof subnet>) => string): readonly NamedRange[] =>
  rows.flatMap((row) => {
    const cidr = parseCidr(row.cidr);
    return cidr === undefined ? [] : [{ cidr, name: nameOf(row) }];
  });

/** Subnets of a network that stands for itself. */
export const networkRanges = async (reader: Reader, networkId: string): Promise<readonly NamedRange[]> =>
  rangesOf(await reader.list(subnet, equals('networkId', networkId)), ({ name, cidr }) => `the subnet ${name} (${cidr})`);

/** Part of every change of what a VPC's addresses are: of two that are accepted side by side the second is decided again, and sees the first. */
export const vpcChanges = ({ id, generation }: RowOf<typeof vpc>): Statement => change(vpc, id, {}, { generation, state: 'available' });

/** Something else of the same VPC, network or group was accepted first: what is asked for is decided again. */
export const isOvertaken = ({ reason }: { readonly reason: string }, statement: Statement | undefined): boolean =>
  reason === 'stale' && statement?.op === 'update';

/** What new subnets of a VPC may not overlap with, those of its peers among them; and guards that it stays so. */
export async function vpcRanges(
  reader: Reader,
  row: RowOf<typeof vpc>,
): Promise<{ readonly ranges: readonly NamedRange[]; readonly guards: readonly Statement[] }> {
  const peers = await peersOf(reader, row.id);
  const theirs = await Promise.all(
    peers.map(async ({ id }) => rangesOf(await subnetsOf(reader, id), () => 'a subnet of a VPC that it is linked with')),
  );
  const own = rangesOf(await subnetsOf(reader, row.id), ({ name, cidr }) => `the subnet ${name} (${cidr})`);
  const guards = peers.map(({ id, state, generation }) => expectState(vpc, id, [state], { generation }));
  return { ranges: [...own, ...theirs.flat()], guards: [vpcChanges(row), ...guards] };
}

/** Nothing would come to the subnet where a route leads elsewhere, be it here or in a VPC that this one is linked with. @throws CloudError invalid_input */
export async function refuseRouted(
  reader: Reader,
  vpcId: string,
  subnets: readonly { readonly cidr: Cidr; readonly pointer: string }[],
): Promise<void> {
  for (const { name, destination } of await reader.list(route, equals('vpcId', vpcId))) {
    const cidr = parseCidr(destination);
    const hidden = subnets.find((entry) => cidr !== undefined && isWithin(cidr, entry.cidr));
    if (hidden !== undefined) throw invalid(hidden.pointer, `The route ${name} to ${destination} leads away from it.`);
  }
  for (const peer of await peersOf(reader, vpcId)) {
    const routed = await routedTo(reader, peer.id);
    const hidden = subnets.find(({ cidr }) => routed.some((other) => isSame(cidr, other)));
    if (hidden !== undefined)
      throw invalid(hidden.pointer, 'A route of a VPC that it is linked with leads elsewhere with just these addresses.');
  }
}

/** Where the routes of a VPC lead to. */
export const routedTo = async (reader: Reader, vpcId: string): Promise<readonly Cidr[]> =>
  (await reader.list(route, equals('vpcId', vpcId))).flatMap(({ destination }) => parseCidr(destination) ?? []);

export const isSame = (a: Cidr, b: Cidr): boolean => a.prefix === b.prefix && overlaps(a, b);

/** Whether the first is the second or a part of it. */
export const isWithin = (a: Cidr, b: Cidr): boolean => a.prefix >= b.prefix && overlaps(a, b);
