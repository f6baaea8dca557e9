import type { BackendHealth, ElasticIpSpec, LoadBalancerSpec, PortForwardSpec } from '@pileus/core/strategy';
import { readRemembered } from './compile/load-balancer.ts';
import { DriverError } from './driver-error.ts';
import type { Inventory } from './inventory.ts';
import { balancersOf, routerPortOf, servicePortOf } from './names.ts';
import type { Southbound } from './southbound.ts';

/**
 * Connections from outside through a load balancer, or through a forwarded port, to a machine that also has a distributed elastic IP fail: answers leave from the
 * machine's own host, past the gateway that knows the connection. So one of the two is refused.
 */
const CLASH = 'connections from outside through a load balancer or a forwarded port fail to a machine that has a distributed elastic IP';

/** @throws DriverError unsupported */
export function refuseDistributed({ distributed, nicId, vpcId }: ElasticIpSpec, inventory: Inventory): void {
  if (!distributed) return;
  const { Load_Balancer_Group, Logical_Router } = inventory.tables;
  const balancers = Load_Balancer_Group.get(balancersOf(vpcId))?.load_balancer ?? [];
  const forwards = Logical_Router.get(vpcId)?.load_balancer ?? [];
  for (const uuid of [...balancers, ...forwards]) {
    const row = inventory.tables.Load_Balancer.get(uuid);
    if (row?.external_ids['pileus-external'] === undefined) continue;
    if (readRemembered(row.external_ids).some((backend) => backend.nicId === nicId))
      throw new DriverError('unsupported', CLASH, { pointer: '/distributed' });
  }
}

/** @throws DriverError unsupported */
export function refuseForwarded({ nicId }: PortForwardSpec, inventory: Inventory): void {
  if (isDistributed(nicId, inventory)) throw new DriverError('unsupported', CLASH, { pointer: '/nicId' });
}

const isDistributed = (nicId: string, inventory: Inventory): boolean =>
  inventory.tables.NAT.find({ logical_port: nicId }).some((row) => inventory.marks(row._uuid) !== undefined);

/** @throws DriverError unsupported */
export function refuseBalanced(spec: LoadBalancerSpec, inventory: Inventory): void {
  refuseSources(spec, inventory);
  const { externalAddress, listeners } = spec;
  if (externalAddress === undefined) return;
  listeners.forEach(({ backends }, at) => {
    backends.forEach(({ nicId }, index) => {
      if (isDistributed(nicId, inventory)) throw new DriverError('unsupported', CLASH, { pointer: `/listeners/${at}/backends/${index}` });
    });
  });
}

/** Hosts answer on the network for the address that asks, in their own name: whatever else is at that address would be out of reach. */
function refuseSources({ listeners }: LoadBalancerSpec, inventory: Inventory): void {
  listeners.forEach(({ healthCheck }, at) => {
    for (const [networkId, source] of Object.entries(healthCheck?.sources ?? {})) {
      const service = inventory.tables.Logical_Switch_Port.get(servicePortOf(networkId))?.addresses ?? [];
      const router = inventory.tables.Logical_Router_Port.get(routerPortOf(networkId))?.networks ?? [];
      const taken = [...service.flatMap((text) => text.split(' ')), ...router.map((text) => text.split('/')[0])];
      if (taken.includes(source))
        throw new DriverError('invalid', `${source} is an address of the cloud itself: nothing else may be where the question comes from`, {
          pointer: `/listeners/${at}/healthCheck/sources/${networkId}`,
        });
    }
  });
}

/** What hosts tell of the machines behind a load balancer, by id of the backend. */
export function healthOf(id: string, inventory: Inventory, southbound: Southbound): Readonly<Record<string, BackendHealth>> {
  const told = new Map(
    [...southbound.replica.tables.Service_Monitor].map((monitor) => [
      `${monitor.protocol ?? 'tcp'} ${monitor.logical_port} ${monitor.ip} ${monitor.port}`,
      monitor.status,
    ]),
  );
  const rows = [...inventory.rowsOf(`loadBalancers/${id}`).keys()].flatMap((uuid) => inventory.tables.Load_Balancer.get(uuid) ?? []);
  const entries = rows.flatMap(({ protocol = 'tcp', external_ids }) =>
    readRemembered(external_ids).map((backend): [string, BackendHealth] => {
      const status = told.get(`${protocol} ${backend.nicId} ${backend.address} ${backend.port}`);
      if (!backend.checked || status === undefined) return [backend.id, 'unchecked'];
      return [backend.id, status === 'online' ? 'online' : 'offline'];
    }),
  );
  return Object.fromEntries(entries);
}
