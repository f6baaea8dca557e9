import {
  both,
  CloudError,
  change,
  create,
  equals,
  expectState,
  type Id,
  type Reader,
  type RowOf,
  revert,
  type Statement,
} from '../../../kernel/index.ts';
import { nameOr } from '../../naming.ts';
import { rowDeletion } from '../../row-only.ts';
import { subnet } from '../subnet.ts';
import { subnetsOf } from '../vpc/vpc-ranges.ts';
import { natGateway, natPortBlock } from './nat-gateway.ts';
import { portForward } from './port-forward.ts';

/** Comes and goes with its gateway and its subnet. */
export const natPortBlockDeletion = rowDeletion(natPortBlock, []);

/** Below are the ports that services are known by. */
const FIRST_PORT = 1024;
const LAST_PORT = 65_535;

export interface Ports {
  readonly firstPort: number;
  readonly lastPort: number;
}

/** Where blocks of so many ports may lie, from above: low ports are what forwards are mostly asked for. */
export function* blocksOf(length: number): Generator<Ports> {
  for (let lastPort = LAST_PORT; lastPort - length + 1 >= FIRST_PORT; lastPort -= length)
    yield { firstPort: lastPort - length + 1, lastPort };
}

export const overlap = (a: Ports, b: Ports): boolean => a.firstPort <= b.lastPort && b.firstPort <= a.lastPort;

/** So many blocks beside what is taken. @throws CloudError no_capacity */
export function freeBlocks(count: number, length: number, taken: readonly Ports[], pointer?: string): readonly Ports[] {
  const free: Ports[] = [];
  for (const block of blocksOf(length)) {
    if (free.length === count) break;
    if (!taken.some((other) => overlap(other, block))) free.push(block);
  }
  if (free.length === count) return free;
  const message = `The gateway has no free block of ${length} ports left for each subnet.`;
  throw new CloudError('no_capacity', message, { ...(pointer === undefined ? {} : { pointer }), params: { reasons: [`${length} ports`] } });
}

/** The gateway of a VPC, if it has one. */
export async function gatewayOf(reader: Reader, vpcId: string): Promise<RowOf<typeof natGateway> | undefined> {
  const [row] = await reader.list(natGateway, equals('vpcId', vpcId), { limit: 1 });
  return row;
}

/** The IPv4 subnets of a VPC: those that may have blocks of ports. */
export async function sourcesOf(reader: Reader, vpcId: string): Promise<readonly RowOf<typeof subnet>[]> {
  return (await subnetsOf(reader, vpcId)).filter(({ cidr, state }) => !cidr.includes(':') && state !== 'deleting');
}

/** What is taken of the gateway's ports. */
export async function takenPorts(
  reader: Reader,
  natGatewayId: string,
): Promise<{ readonly blocks: readonly RowOf<typeof natPortBlock>[]; readonly forwards: readonly Ports[] }> {
  const of = equals('natGatewayId', natGatewayId);
  const forwards = await reader.list(portForward, of);
  return {
    blocks: await reader.list(natPortBlock, of),
    forwards: forwards.map(({ externalPort }) => ({ firstPort: externalPort, lastPort: externalPort })),
  };
}

export function newBlock(
  {
    id,
    natGatewayId,
    subnetId,
    projectId,
  }: { readonly id: Id<'natPortBlock'>; readonly natGatewayId: string; readonly subnetId: string; readonly projectId: string },
  ports: Ports,
): Statement {
  const of = { natGatewayId: natGatewayId as Id<'natGateway'>, subnetId: subnetId as Id<'subnet'> };
  return create(natPortBlock, { id, projectId: projectId as Id<'project'>, name: nameOr(undefined, natPortBlock, id), ...of, ...ports });
}

/** One that is being deleted goes with that; one that has gone with its subnet or its gateway is as good. */
export const blockGone = (id: string): Statement => revert(natPortBlock, id as never, { from: ['available', 'deleted'], to: 'deleted' });

/** As long as the subnet is there: it may go, or its making fail, while a gateway is made or changed beside it. */
export const besideSubnet = (id: Id<'subnet'>): Statement => expectState(subnet, id, ['creating', 'available']);

/**
 * In the `unwound` of what makes subnets or a gateway: the blocks of these that there are by then, and no other beside them. Those that came with them may have gone
 * since, with the other of their two owners, and others may have come.
 */
export async function blocksGone(
  reader: Reader,
  field: 'subnetId' | 'natGatewayId',
  ids: readonly string[],
): Promise<readonly Statement[]> {
  const rows = await Promise.all(ids.map((id) => reader.list(natPortBlock, both(equals(field, id), equals('state', 'available')))));
  return [
    ...rows.flat().map(({ id }) => blockGone(id)),
    ...ids.map((id): Statement => ({ op: 'vacant', table: natPortBlock.name, where: { [field]: id } })),
  ];
}

/** Whoever takes ports of the gateway changes it: of two side by side the second is decided again, and sees the first. */
export const portsTaken = ({ id, generation }: RowOf<typeof natGateway>): Statement =>
  change(natGateway, id, {}, { generation, state: 'available' });

export const arePortsTaken = (statement: Statement | undefined): boolean =>
  statement?.op === 'update' && statement.table === natGateway.name;

/**
 * With new subnets of a VPC: their blocks of ports, where its gateway gives each subnet one of its own. Part of the accepting transaction; what takes that back
 * takes back these too, by `blocksGone`.
 * @throws CloudError no_capacity when there is none left
 */
export async function blocksFor(
  reader: Reader,
  { vpcId }: { readonly vpcId?: string },
  subnets: readonly { readonly id: Id<'subnet'>; readonly cidr: string; readonly projectId: string; readonly pointer?: string }[],
  mint: (kind: 'natPortBlock') => Id<'natPortBlock'>,
): Promise<readonly Statement[]> {
  const gateway = vpcId === undefined ? undefined : await gatewayOf(reader, vpcId);
  const reaching = subnets.filter(({ cidr }) => !cidr.includes(':'));
  if (gateway?.portsPerSubnet === undefined || reaching.length === 0) return [];
  const { blocks, forwards } = await takenPorts(reader, gateway.id);
  const free = freeBlocks(reaching.length, gateway.portsPerSubnet, [...blocks, ...forwards], reaching[0]?.pointer);
  const rows = reaching.map((of, index) => ({ id: mint('natPortBlock'), of, ports: free[index] as Ports }));
  return [
    portsTaken(gateway),
    ...rows.map(({ id, of, ports }) => newBlock({ id, natGatewayId: gateway.id, subnetId: of.id, projectId: of.projectId }, ports)),
  ];
}
