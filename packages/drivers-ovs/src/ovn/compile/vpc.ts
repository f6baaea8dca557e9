import type { RouteSpec, VpcSpec } from '@pileus/core/strategy';
import { HALVES } from '../address.ts';
import type { Compiled } from '../compiled.ts';
import { Compilation } from '../compiled.ts';
import { balancersOf, dnsOf, filteredName, filteredOf } from '../names.ts';
import { PRIORITY } from './acl.ts';
import { METADATA_ADDRESS, METADATA_ADDRESS_6 } from './metadata.ts';
import { compileRoute } from './route.ts';

/**
 * A VPC is a distributed router. With it come what its networks share: names, load balancers, and the group of ports that are filtered. That group says what
 * passes whatever the security groups say, so that a guest gets its address, and drops all that no group allows.
 */
export function compileVpc(spec: VpcSpec): Compiled {
  const object = new Compilation('vpcs', spec);
  const balancers = object.add('Load_Balancer_Group', balancersOf(spec.id), { name: balancersName(spec) }, {});
  for (const uuid of dnsOf(spec.id)) object.add('DNS', uuid, {}, {});
  object.main('Logical_Router', { name: spec.id, load_balancer_group: [balancers], options: {} }, { notes: { 'pileus-name': spec.name } });
  for (const route of spec.routes)
    for (const destination of destinationsOf(route, spec))
      compileRoute(object, { routerId: spec.id, role: `route/${route.id}/${destination}`, destination, nextHop: route.nextHop });
  compileFiltered(object, spec.id);
  return object;
}

/**
 * A gateway has a route to everywhere, which gives way to one of the VPC: two of the same destination would share the packets. So that of the VPC is one to each
 * half, but for a half that it has a route to anyway.
 */
function destinationsOf({ destination }: RouteSpec, { routes }: VpcSpec): readonly string[] {
  const halves = HALVES[destination];
  return halves === undefined ? [destination] : halves.filter((half) => routes.every((route) => route.destination !== half));
}

/** The table of these has no other column for marks. */
export const balancersName = ({ id, owner }: Pick<VpcSpec, 'id' | 'owner'>): string => `pileus/${owner}/vpcs/${id}`;

function compileFiltered(object: Compilation, vpcId: string): void {
  const group = filteredName(vpcId);
  const always = (role: string, direction: 'from-lport' | 'to-lport', match: string): string =>
    object.part('ACL', `filtered/${role}`, {
      name: role,
      priority: PRIORITY.always,
      direction,
      match: `${direction === 'from-lport' ? 'inport' : 'outport'} == @${group} && ${match}`,
      action: 'allow-related',
    });
  const drop = (role: string, direction: 'from-lport' | 'to-lport', port: 'inport' | 'outport'): string =>
    object.part('ACL', `filtered/${role}`, {
      name: role,
      priority: PRIORITY.drop,
      direction,
      match: `${port} == @${group}`,
      action: 'drop',
    });
  const acls = [
    always('dhcpv4', 'from-lport', 'ip4 && udp.src == 68 && udp.dst == 67'),
    always('dhcpv6', 'from-lport', 'ip6 && udp.src == 546 && udp.dst == 547'),
    always('neighbours-out', 'from-lport', '(arp || nd || nd_rs)'),
    always('neighbours-in', 'to-lport', '(arp || nd || nd_ra)'),
    always('metadata', 'from-lport', `ip4.dst == ${METADATA_ADDRESS} && tcp.dst == 80`),
    always('metadata6', 'from-lport', `ip6.dst == ${METADATA_ADDRESS_6} && tcp.dst == 80`),
    drop('drop-out', 'from-lport', 'inport'),
    drop('drop-in', 'to-lport', 'outport'),
  ];
  object.add('Port_Group', filteredOf(vpcId), { name: group, acls }, {});
}
