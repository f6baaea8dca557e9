import { Type } from 'typebox';
import {
  both,
  CloudError,
  changeable,
  create,
  defineAction,
  defineDeletion,
  equals,
  expectState,
  type Id,
  type Reader,
  type RowOf,
  resourceName,
  type Statement,
  taken,
  transition,
  updateAction,
} from '../../../kernel/index.ts';
import { given, nameOr } from '../../naming.ts';
import type { CloudServices } from '../../services.ts';
import { type KeptKind, type KeptParams, keptCreation, keptRemoval } from '../kept.ts';
import { network } from '../network.ts';
import type { NetworkContext } from '../network-context.ts';
import { nic } from '../nic.ts';
import { vpc } from '../vpc/vpc.ts';
import { addressOf, attachedNic } from './bound-nic.ts';
import { isNotDistributed, refuseDistributed } from './distributed.ts';
import { natGateway } from './nat-gateway.ts';
import { arePortsTaken, overlap, portsTaken, takenPorts } from './port-blocks.ts';
import { portForward } from './port-forward.ts';

export const keptPortForward: KeptKind<typeof portForward, 'portForwards'> = {
  kind: portForward,
  sort: 'portForwards',
  fabric: async (ctx, row) => {
    const { vpcId } = await ctx.reader.get(natGateway, row.natGatewayId);
    return ctx.fabrics.of(await ctx.reader.get(vpc, vpcId));
  },
  spec: async (ctx, { id, state, natGatewayId, protocol, externalPort, nicId, port }) => {
    const target = await attachedNic(ctx, nicId);
    if (target === undefined && state === 'creating')
      throw new CloudError('conflict', 'The NIC is gone, or on its way out.', { pointer: '/nicId' });
    if (target === undefined || state === 'deleting') return undefined;
    const gateway = await ctx.reader.get(natGateway, natGatewayId);
    const [first = { externalAddress: gateway.address ?? gateway.ipv6Address ?? '', nicAddress: '' }, second] = waysOf(gateway, target);
    const from = { gatewayId: natGatewayId, protocol, externalPort };
    return { id, owner: ctx.cloudId, vpcId: gateway.vpcId, ...from, nicId, port, ...first, ...given({ ipv6: second }) };
  },
};

/** By each family that both have an address of, IPv4 first. */
function waysOf({ address, ipv6Address }: RowOf<typeof natGateway>, target: RowOf<typeof nic>) {
  return [address, ipv6Address].flatMap((externalAddress) => {
    const nicAddress = externalAddress === undefined ? undefined : addressOf(target, externalAddress);
    return externalAddress === undefined || nicAddress === undefined ? [] : [{ externalAddress, nicAddress }];
  });
}

const { properties } = portForward.schema;

export const createPortForward = (services: CloudServices, context: () => NetworkContext) =>
  defineAction({
    kind: portForward,
    verb: 'create',
    description: "Leads a port of a NAT gateway's address to a machine.",
    target: 'collection',
    input: Type.Object({
      name: Type.Optional(resourceName()),
      natGatewayId: properties.natGatewayId,
      protocol: properties.protocol,
      externalPort: properties.externalPort,
      nicId: properties.nicId,
      port: Type.Optional({ ...properties.port, description: "The machine's. Default: `externalPort`." }),
    }),
    accept: async ({ id, input, projectId, principal, reader }) => {
      const { natGatewayId, protocol, externalPort, nicId } = input;
      const gateway = await changeable(reader, natGateway, natGatewayId, principal, '/natGatewayId');
      const target = await changeable(reader, nic, nicId, principal, '/nicId');
      const { vpcId } = await reader.get(network, target.networkId);
      if (vpcId !== gateway.vpcId)
        throw new CloudError('conflict', 'The NIC is not in the VPC of the gateway.', {
          pointer: '/nicId',
          params: { vpcId: gateway.vpcId },
        });
      if (waysOf(gateway, target).length === 0)
        throw new CloudError('conflict', 'The NIC and the gateway have no addresses of the same family.', { pointer: '/nicId' });
      await refuseDistributed(reader, target.id);
      (await services.fabrics.of(await reader.get(vpc, gateway.vpcId))).keeper('portForwards');
      await refuseTwice(reader, { natGatewayId, protocol, externalPort });
      const row = create(portForward, {
        ...{ id, projectId, name: nameOr(input.name, portForward, id), natGatewayId: gateway.id, nicId: target.id },
        ...{ protocol, externalPort, port: input.port ?? externalPort },
      });
      return {
        params: { id } satisfies KeptParams,
        statements: [
          await besideBlocks(reader, gateway, externalPort),
          expectState(nic, target.id, ['attached']),
          isNotDistributed(target.id),
          row,
        ],
        keys: [gateway.id, target.id],
      };
    },
    refused: (_, statement) => (arePortsTaken(statement) ? 'again' : undefined),
    saga: keptCreation(keptPortForward),
    context,
    unwound: ({ id }) => [transition(portForward, id as Id<'portForward'>, { from: 'creating', to: 'deleted' })],
  });

export const updatePortForward = updateAction(portForward, []);

interface RemoveParams extends KeptParams {
  readonly natGatewayId: string;
  readonly nicId: string;
}

export const portForwardDeletion = (context: () => NetworkContext) =>
  defineDeletion({
    kind: portForward,
    from: ['available'],
    remove: keptRemoval<typeof portForward, 'portForwards', RemoveParams>(keptPortForward),
    context,
    params: ({ id, natGatewayId, nicId }: RowOf<typeof portForward>): RemoveParams => ({ id, natGatewayId, nicId }),
    shares: ({ natGatewayId, nicId }) => [natGatewayId, nicId],
  });

/** @throws CloudError name_taken, as the unique key would, with the field that a caller would change */
async function refuseTwice(
  reader: Reader,
  { natGatewayId, protocol, externalPort }: Pick<RowOf<typeof portForward>, 'natGatewayId' | 'protocol' | 'externalPort'>,
): Promise<void> {
  const same = both(equals('natGatewayId', natGatewayId), equals('protocol', protocol), equals('externalPort', externalPort));
  const [other] = await reader.list(portForward, same, { limit: 1 });
  if (other !== undefined) throw taken(portForward.name, ['externalPort']);
}

/** A port that subnets reach out from cannot lead in. @throws CloudError conflict */
async function besideBlocks(reader: Reader, gateway: RowOf<typeof natGateway>, port: number): Promise<Statement> {
  if (gateway.portsPerSubnet === undefined) return expectState(natGateway, gateway.id, ['available']);
  const { blocks } = await takenPorts(reader, gateway.id);
  const block = blocks.find((other) => overlap(other, { firstPort: port, lastPort: port }));
  if (block === undefined) return portsTaken(gateway);
  const { firstPort, lastPort, subnetId } = block;
  throw new CloudError('conflict', `A subnet reaches out from the ports ${firstPort} to ${lastPort} of the gateway.`, {
    pointer: '/externalPort',
    params: { firstPort, lastPort, subnetId },
  });
}
