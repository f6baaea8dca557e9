import type { ElasticIpSpec, GatewaySide, GatewaySpec, PortForwardSpec } from '@pileus/core/strategy';
import { familyOf, readNetwork, socketAddress } from '../address.ts';
import type { Compiled } from '../compiled.ts';
import { Compilation } from '../compiled.ts';
import { derivedMac, gatewayPortName } from '../names.ts';
import { externalNotes } from './load-balancer.ts';
import { compileRoute } from './route.ts';

/** What a row of OVN's remembers: its host's own name. */
export const HOST_NOTE = 'pileus-host';

/** A host that may carry a gateway, and how OVN calls it. */
export interface Carrier {
  readonly host: string;
  readonly chassis: string;
}

/**
 * A gateway is a port of the VPC's router on the switch of an external network. One host at a time carries it.
 * @param hosts those that may carry it, the one that has it or is to have it first
 */
export function compileGateway(spec: GatewaySpec, hosts: readonly Carrier[]): Compiled {
  const object = new Compilation('gateways', spec);
  const name = gatewayPortName(spec.id);
  const sides = sidesOf(spec);
  const carriers = hosts.map(({ host, chassis }, at) =>
    object.part(
      'HA_Chassis',
      `chassis/${chassis}`,
      { chassis_name: chassis, priority: carrierPriority(hosts.length, at) },
      { notes: { [HOST_NOTE]: host } },
    ),
  );
  const group = object.part('HA_Chassis_Group', 'group', { name, ha_chassis: carriers });
  object.main(
    'Logical_Router_Port',
    {
      name,
      mac: derivedMac(spec.id, 'gateway'),
      networks: sides.map(({ address, externalCidr }) => `${address}/${readNetwork(externalCidr).prefix}`),
      ha_chassis_group: group,
    },
    { places: [`Logical_Router.ports:${spec.vpcId}`] },
  );
  object.part(
    'Logical_Switch_Port',
    'switch',
    {
      name: `external-${spec.id}`,
      type: 'router',
      addresses: ['router'],
      // A host that takes over tells the wire so, in the name of the gateway; addresses within the VPC are nobody's business there.
      options: { 'router-port': name, 'nat-addresses': 'router', 'exclude-lb-vips-from-garp': 'true' },
    },
    { places: [`Logical_Switch.ports:${spec.externalNetworkId}`] },
  );
  for (const { cidr, ports } of spec.sources)
    object.part(
      'NAT',
      `source/${cidr}`,
      {
        type: 'snat',
        external_ip: sides.find(({ address }) => familyOf(address) === readNetwork(cidr).family)?.address ?? spec.address,
        logical_ip: cidr,
        ...(ports === undefined ? {} : { external_port_range: `${ports.first}-${ports.last}` }),
      },
      { places: [`Logical_Router.nat:${spec.vpcId}`] },
    );
  // Whoever is next to it out there could send what is for a machine to the gateway: what is not translated was not asked for.
  object.part(
    'Logical_Router_Policy',
    'unasked',
    { priority: 100, match: `inport == "${name}" && !ct.trk`, action: 'drop' },
    { places: [`Logical_Router.policies:${spec.vpcId}`] },
  );
  for (const { nextHop } of sides) {
    const destination = familyOf(nextHop) === 4 ? '0.0.0.0/0' : '::/0';
    const role = nextHop === spec.nextHop ? 'default' : 'default/6';
    compileRoute(object, { routerId: spec.vpcId, role, destination, nextHop, outputPort: name });
  }
  return object;
}

const sidesOf = (spec: GatewaySpec): readonly GatewaySide[] => (spec.ipv6 === undefined ? [spec] : [spec, spec.ipv6]);

/** The first of several has the highest. */
export const carrierPriority = (count: number, at: number): number => 10 * (count - at);

/** An elastic IP that leaves from the machine's own host has a MAC of its own there. */
export function compileElasticIp(spec: ElasticIpSpec): Compiled {
  const object = new Compilation('elasticIps', spec);
  const distributed = { external_mac: derivedMac(spec.id, 'elastic'), logical_port: spec.nicId };
  object.main(
    'NAT',
    {
      type: 'dnat_and_snat',
      external_ip: spec.externalAddress,
      logical_ip: spec.nicAddress,
      ...(spec.distributed ? distributed : {}),
    },
    { places: [`Logical_Router.nat:${spec.vpcId}`] },
  );
  return object;
}

/** A forwarded port is a load balancer of the router with one machine behind it, in each family. */
export function compilePortForward(spec: PortForwardSpec): Compiled {
  const object = new Compilation('portForwards', spec);
  const ways = spec.ipv6 === undefined ? [spec] : [spec, spec.ipv6];
  object.main(
    'Load_Balancer',
    {
      name: `forward-${spec.id}`,
      protocol: spec.protocol,
      vips: Object.fromEntries(
        ways.map((way) => [socketAddress(way.externalAddress, spec.externalPort), socketAddress(way.nicAddress, spec.port)]),
      ),
    },
    {
      places: [`Logical_Router.load_balancer:${spec.vpcId}`],
      notes: externalNotes(spec.externalAddress, [
        { id: spec.id, nicId: spec.nicId, address: spec.nicAddress, port: spec.port, checked: false },
      ]),
    },
  );
  return object;
}
