import { CloudError, change, create, equals, type Id, type Reader, type RowOf, revert, type Statement } from '../../../kernel/index.ts';
import { nameOr } from '../../naming.ts';
import { rowDeletion } from '../../row-only.ts';
import type { subnet } from '../subnet.ts';
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

export const blockGone = (id: string): Statement => revert(natPortBlock, id as never, { from: ['available', 'deleting'], to: 'deleted' });

/** Whoever takes ports of the gateway changes it: of two side by side the second is decided again, and sees the first. */
export const portsTaken = ({ id, generation }: RowOf<typeof natGateway>): Statement =>
  change(natGateway, id, {}, { generation, state: 'available' });

export const arePortsTaken = (statement: Statement | undefined): boolean =>
  statement?.op === 'update' && statement.table === natGateway.name;

/**
 * With new subnets of a VPC: their blocks of ports, where its gateway gives each subnet one of its own. Part of the accepting transaction; what takes that back
 * takes back these too, by `blockGone`.
 * @throws CloudError no_capacity when there is none left
 */
export async function blocksFor(
  reader: Reader,
  { vpcId }: { readonly vpcId?: string },
  subnets: readonly { readonly id: Id<'subnet'>; readonly cidr: string; readonly projectId: string; readonly pointer?: string }[],
  mint: (kind: 'natPortBlock') => Id<'natPortBlock'>,
): Promise<{ readonly ids: readonly Id<'natPortBlock'>[]; readonly statements: readonly Statement[] }> {
  const gateway = vpcId === undefined ? undefined : await gatewayOf(reader, vpcId);
  const reaching = subnets.filter(({ cidr }) => !cidr.includes(':'));
  if (gateway?.portsPerSubnet === undefined || reaching.length === 0) return { ids: [], statements: [] };
  const { blocks, forwards } = await takenPorts(reader, gateway.id);
  const free = freeBlocks(reaching.length, gateway.portsPerSubnet, [...blocks, ...forwards], reaching[0]?.pointer);
  const rows = reaching.map((of, index) => ({ id: mint('natPortBlock'), of, ports: free[index] as Ports }));
  return {
    ids: rows.map(({ id }) => id),
    statements: [
      portsTaken(gateway),
      ...rows.map(({ id, of, ports }) => newBlock({ id, natGatewayId: gateway.id, subnetId: of.id, projectId: of.projectId }, ports)),
    ],
  };
}
