import { both, CloudError, equals, type JsonObject, type Reader, type Statement } from '../../../kernel/index.ts';
import { instance } from '../../compute/contract.ts';
import { host } from '../../topology/contract.ts';
import { backend } from '../balancing/backend.ts';
import { network } from '../network.ts';
import type { NetworkContext } from '../network-context.ts';
import { nic } from '../nic.ts';
import { fabricName, unconnectedTo } from '../physical/connected.ts';
import { physicalNetwork } from '../physical/physical-network.ts';
import { elasticIp } from './elastic-ip.ts';
import { portForward } from './port-forward.ts';

type Context = Pick<NetworkContext, 'fabrics' | 'reader'>;

/*
 * A NIC has a distributed elastic IP, or is a backend of a load balancer or behind a forwarded port, never both: its answers leave from its own host, and many of the
 * connections from outside never come about. Each side is refused with its reason when it is asked for, and guarded when it is written.
 */

const REASON =
  'Through a load balancer or a forwarded port a machine with a distributed elastic IP is not reached reliably: have that come in through the gateway, or take the NIC from the others.';

/** @throws CloudError conflict */
export async function refuseLedTo(reader: Reader, nicId: string): Promise<void> {
  const refuse = (params: JsonObject) => new CloudError('conflict', REASON, { pointer: '/distributed', params: { nicId, ...params } });
  const [behind] = await reader.list(backend, equals('nicId', nicId), { limit: 1 });
  if (behind !== undefined) throw refuse({ loadBalancerId: behind.loadBalancerId });
  const [forward] = await reader.list(portForward, equals('nicId', nicId), { limit: 1 });
  if (forward !== undefined) throw refuse({ portForwardId: forward.id });
}

export const isNotLedTo = (nicId: string): readonly Statement[] =>
  [backend, portForward].map(({ name }) => ({ op: 'vacant', table: name, where: { nicId } }));

/** @throws CloudError conflict */
export async function refuseDistributed(reader: Reader, nicId: string): Promise<void> {
  const [found] = await reader.list(elasticIp, both(equals('nicId', nicId), equals('distributed', true)), { limit: 1 });
  if (found !== undefined) throw new CloudError('conflict', REASON, { pointer: '/nicId', params: { nicId, elasticIpId: found.id } });
}

export const isNotDistributed = (nicId: string): Statement => ({
  op: 'vacant',
  table: elasticIp.name,
  where: { nicId, distributed: true },
});

/** Whether the machine's own host is one of those that are connected to the external network: only then can packets leave from there. */
export async function leavesItself(ctx: Context, nicId: string, externalNetworkId: string): Promise<boolean> {
  const { reader } = ctx;
  const external = await reader.get(network, externalNetworkId);
  const { physicalNetworkId } = external;
  const { hostId } = await reader.get(instance, (await reader.get(nic, nicId)).instanceId);
  if (physicalNetworkId === undefined || hostId === undefined) return true;
  const { clusterId } = await reader.get(physicalNetwork, physicalNetworkId);
  const at = await reader.get(host, hostId);
  return at.clusterId === clusterId && (await unconnectedTo(ctx, external))?.(fabricName(at)) === undefined;
}

/** @throws CloudError conflict */
export async function refuseElsewhere(ctx: Context, nicId: string, externalNetworkId: string): Promise<void> {
  if (!(await leavesItself(ctx, nicId, externalNetworkId)))
    throw new CloudError(
      'conflict',
      'The host of the machine is not connected to the external network: have it come in through the gateway.',
      {
        pointer: '/distributed',
        params: { nicId },
      },
    );
}
