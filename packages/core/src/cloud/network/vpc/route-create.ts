import { Type } from 'typebox';
import {
  CloudError,
  create,
  defineAction,
  defineDeletion,
  equals,
  expectState,
  type Id,
  type Reader,
  type RowOf,
  resourceName,
  transition,
} from '../../../kernel/index.ts';
import { nameOr } from '../../naming.ts';
import { type Cidr, contains, formatAddress, parseAddress, parseCidr } from '../cidr.ts';
import { type PartParams, parentOf, partCreation, partRemoval } from '../kept.ts';
import type { NetworkContext } from '../network-context.ts';
import { invalid } from '../refusal.ts';
import { SPECIAL_RANGES } from '../special-ranges.ts';
import { subnet } from '../subnet.ts';
import { ownVpc } from './own-vpc.ts';
import { route } from './route.ts';
import { keptVpc } from './vpc-kept.ts';
import { isOvertaken, isWithin, peersOf, subnetsOf, vpcChanges } from './vpc-ranges.ts';

const { properties } = route.schema;
const routeCreation = partCreation(route, keptVpc);

export const createRoute = (context: () => NetworkContext) =>
  defineAction({
    kind: route,
    verb: 'create',
    description: 'Sends packets for a destination beyond the VPC to one of its addresses, or drops them.',
    target: 'collection',
    input: Type.Object({
      name: Type.Optional(resourceName()),
      vpcId: Type.String({ format: 'uuid' }),
      destination: properties.destination,
      nextHop: properties.nextHop,
    }),
    accept: async ({ id, input, projectId, principal, reader }) => {
      const parent = await ownVpc(reader, input.vpcId, principal);
      const subnets = await subnetsOf(reader, parent.id);
      const destination = destinationOf(input.destination, subnets);
      await refuseTwice(reader, parent.id, input.destination);
      await refusePeered(reader, parent.id, input.destination);
      const hop = input.nextHop === undefined ? undefined : nextHopOf(input.nextHop, destination, subnets);
      const row = create(route, {
        ...{ id, projectId, vpcId: parent.id, destination: input.destination, name: nameOr(input.name, route, id) },
        ...(hop === undefined ? {} : { nextHop: hop.nextHop }),
      });
      return {
        params: { id, parentId: parent.id } satisfies PartParams,
        statements: [vpcChanges(parent), ...(hop === undefined ? [] : [expectState(subnet, hop.subnetId, ['available'])]), row],
        keys: [parent.id],
      };
    },
    refused: (failure, statement) => (isOvertaken(failure, statement) ? 'again' : undefined),
    saga: routeCreation,
    context,
    unwound: ({ id }) => [transition(route, id as Id<'route'>, { from: 'creating', to: 'deleted' })],
  });

type SubnetRow = RowOf<typeof subnet>;

/** @throws CloudError invalid_input */
function destinationOf(text: string, subnets: readonly SubnetRow[]): Cidr {
  const destination = parseCidr(text);
  if (destination === undefined)
    throw invalid('/destination', 'This is no network in canonical form, such as 10.20.0.0/16 (host bits zero).');
  const special = SPECIAL_RANGES.find(({ range }) => isWithin(destination, range));
  if (special !== undefined) throw invalid('/destination', `No router sends packets there: ${special.text} is ${special.what}.`);
  const own = subnets.find(({ cidr }) => isWithin(destination, parseCidr(cidr) ?? destination));
  if (own !== undefined) throw invalid('/destination', `It lies in the subnet ${own.name}, which is reached without a route.`);
  return destination;
}

/** @throws CloudError name_taken */
async function refuseTwice(reader: Reader, vpcId: string, destination: string): Promise<void> {
  const same = (await reader.list(route, equals('vpcId', vpcId))).find((row) => row.destination === destination);
  if (same !== undefined)
    throw new CloudError('name_taken', `The route ${same.name} leads there already.`, {
      pointer: '/destination',
      params: { field: 'destination', kind: route.name },
    });
}

/** Two ways to one destination would share its packets. @throws CloudError conflict */
async function refusePeered(reader: Reader, vpcId: string, destination: string): Promise<void> {
  for (const peer of await peersOf(reader, vpcId))
    if ((await subnetsOf(reader, peer.id)).some(({ cidr }) => cidr === destination))
      throw new CloudError('conflict', 'It is a subnet of a VPC that this one is linked with: the peering leads there.', {
        pointer: '/destination',
      });
}

/** @throws CloudError invalid_input */
function nextHopOf(text: string, { family }: Cidr, subnets: readonly SubnetRow[]) {
  const pointer = '/nextHop';
  const address = parseAddress(text);
  if (address === undefined) throw invalid(pointer, 'This is no IP address.');
  if (address.family !== family) throw invalid(pointer, `The destination is one of IPv${family}.`);
  const own = subnets.find(({ cidr: of, state }) => {
    const cidr = parseCidr(of);
    return state === 'available' && cidr !== undefined && contains(cidr, address);
  });
  if (own === undefined) throw invalid(pointer, 'It leads nowhere: this is no address in a subnet of the VPC.');
  const nextHop = formatAddress(family, address.value);
  const numbers = [own.firstAddress, own.lastAddress].map((each) => parseAddress(each)?.value ?? 0n);
  if (address.value < (numbers[0] ?? 0n) || address.value > (numbers[1] ?? 0n))
    throw invalid(pointer, "It leads nowhere: the first and the last address of a network are nobody's.");
  if (nextHop === own.gateway || nextHop === own.serviceAddress)
    throw invalid(pointer, 'It leads back: this is an address of the router itself.');
  return { nextHop, subnetId: own.id };
}

export const routeDeletion = (context: () => NetworkContext) =>
  defineDeletion({
    kind: route,
    from: ['available'],
    remove: partRemoval(route, keptVpc),
    context,
    params: ({ id, vpcId }: RowOf<typeof route>): PartParams => ({ id, parentId: vpcId }),
    shares: parentOf,
  });

/** A subnet that routes lead through is kept for them. */
export async function routesThrough(reader: Reader, row: SubnetRow, vpcId: string): Promise<readonly RowOf<typeof route>[]> {
  const cidr = parseCidr(row.cidr);
  const routes = await reader.list(route, equals('vpcId', vpcId));
  return routes.filter(({ nextHop, state }) => {
    const hop = nextHop === undefined ? undefined : parseAddress(nextHop);
    return state !== 'deleting' && cidr !== undefined && hop !== undefined && contains(cidr, hop);
  });
}
