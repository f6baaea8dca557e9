import {
  CloudError,
  create,
  equals,
  expectState,
  type Id,
  onContribution,
  type Reader,
  type RowOf,
  revert,
  rowsNeeded,
  type Statement,
} from '../../../kernel/index.ts';
import { nameOr } from '../../naming.ts';
import type { CloudServices } from '../../services.ts';
import type { Addresses, Asked, Resting } from '../addresses.ts';
import { nic } from '../nic.ts';
import { subnet } from '../subnet.ts';
import { reservedAddress } from './reserved-address.ts';
import { elasticIpReuseSeconds } from './settings.ts';

/** What addresses are chosen with. */
export type Choosing = Pick<CloudServices, 'settings' | 'environment' | 'reader'> & { readonly addresses: Addresses };

/** Whose it is: one of the three, or nobody's but the project's. */
export interface Holder {
  readonly natGatewayId?: Id<'natGateway'>;
  readonly elasticIpId?: Id<'elasticIp'>;
  readonly loadBalancerId?: Id<'loadBalancer'>;
}

export interface Reservation {
  readonly id: Id<'reservedAddress'>;
  readonly address: string;
  readonly statements: readonly Statement[];
}

/**
 * An address of an external subnet, the one asked for or a free one: what others let go of lately is refused by name and never chosen.
 * @throws CloudError no_capacity, invalid_input, name_taken, conflict
 */
export async function chooseRested(
  tools: Choosing,
  of: RowOf<typeof subnet>,
  projectId: string,
  asked: Asked | undefined,
): Promise<string> {
  const { addresses, reader } = tools;
  const first = asked === undefined ? undefined : await addresses.choose(of, reader, asked);
  // Looked at after the address was found to be free: what is let go of in between is among them.
  const resting = await restingIn(tools, of.id, projectId);
  if (first === undefined || asked === undefined) return addresses.choose(of, reader, undefined, resting);
  refuseResting(first, resting.until.get(first), asked);
  return first;
}

/** Keeps an address of the subnet, the one asked for or a free one. @throws CloudError no_capacity, invalid_input, name_taken, conflict */
export async function reserve(
  tools: Choosing,
  of: RowOf<typeof subnet>,
  {
    id,
    projectId,
    name,
    ...holder
  }: Holder & { readonly id: Id<'reservedAddress'>; readonly projectId: Id<'project'>; readonly name?: string },
  { asked, rests = false }: { readonly asked?: Asked | undefined; readonly rests?: boolean } = {},
): Promise<Reservation> {
  const address = rests ? await chooseRested(tools, of, projectId, asked) : await tools.addresses.choose(of, tools.reader, asked);
  const row = create(reservedAddress, {
    ...{ id, projectId, name: nameOr(name, reservedAddress, id) },
    ...{ subnetId: of.id, address, ...holder },
  });
  return { id, address, statements: [expectState(subnet, of.id, ['available']), ...noNicHas(of.id, address), row] };
}

/** The `unwound` of an action that has reserved one. */
export const notKept = (id: string): Statement => revert(reservedAddress, id as never, { from: ['available', 'deleting'], to: 'deleted' });

const noNicHas = (subnetId: string, address: string): readonly Statement[] => [
  { op: 'vacant', table: nic.name, where: { subnetId, address } },
  ...(address.includes(':') ? [{ op: 'vacant', table: nic.name, where: { ipv6SubnetId: subnetId, ipv6Address: address } } as const] : []),
];

/** Another was faster. One that was asked for by name is refused by a second look. */
export const isAddressClash = (statement: Statement | undefined): boolean =>
  (statement?.op === 'insert' && statement.table === reservedAddress.name) || (statement?.op === 'vacant' && statement.table === nic.name);

interface RestingUntil extends Resting {
  /** By address that was another project's: when it may be given out, RFC 3339. */
  readonly until: ReadonlyMap<string, string>;
}

/** Since when what was let go of rests. */
function restingSince({ settings, environment }: Pick<Choosing, 'settings' | 'environment'>): {
  readonly restMs: number;
  readonly since: string;
} {
  const restMs = settings.global(elasticIpReuseSeconds) * 1000;
  return { restMs, since: new Date(environment.clock.nowMs() - restMs).toISOString() };
}

/** Rows of addresses that rest are kept: what is known of them is known by these. */
export const restingRows = (tools: Choosing) =>
  onContribution(rowsNeeded, async ({ kind, ids }) => {
    if (kind !== reservedAddress.name) return [];
    const { since } = restingSince(tools);
    const where = { and: [{ field: 'deletedAt', op: '>=', value: since } as const, { field: 'id', op: 'in', value: ids } as const] };
    return (await tools.reader.list(reservedAddress, where, { deleted: true })).map(({ id }) => id);
  });

/** What was let go of within the time that the setting says. */
async function restingIn(tools: Choosing, subnetId: string, projectId: string): Promise<RestingUntil> {
  const { restMs, since } = restingSince(tools);
  const { reader } = tools;
  const rows = restMs === 0 ? [] : await letGoSince(reader, subnetId, since);
  const until = new Map<string, string>();
  const ours = new Set<string>();
  for (const row of rows) {
    if (row.projectId === projectId) ours.add(row.address);
    else until.set(row.address, new Date(Date.parse(row.deletedAt ?? '') + restMs).toISOString());
  }
  return { ours, others: new Set(until.keys()), until };
}

/** Only those that were somebody's out there: what was kept within a VPC rests not. */
async function letGoSince(reader: Reader, subnetId: string, since: string): Promise<readonly RowOf<typeof reservedAddress>[]> {
  const where = { and: [{ field: 'deletedAt', op: '>=', value: since } as const, equals('subnetId', subnetId)] };
  return reader.list(reservedAddress, where, { deleted: true, order: [{ field: 'deletedAt' }] });
}

function refuseResting(address: string, until: string | undefined, { pointer }: Asked): void {
  if (until === undefined) return;
  throw new CloudError('conflict', `The address ${address} was another project's a short time ago; it can be had from ${until} on.`, {
    pointer,
    params: { address, until },
  });
}
