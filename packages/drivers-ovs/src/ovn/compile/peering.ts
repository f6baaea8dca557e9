import type { PeeringSpec } from '@pileus/core/strategy';
import { familyOf, overlap } from '../address.ts';
import type { Compiled } from '../compiled.ts';
import { Compilation } from '../compiled.ts';
import { DriverError } from '../driver-error.ts';
import { derivedMac, derivedUuid } from '../names.ts';
import { compileRoute } from './route.ts';

/** Two routers with a port to each other, and routes to what is behind the other. From there comes nothing that is not of there. */
export function compilePeering(spec: PeeringSpec): Compiled {
  const object = new Compilation('peerings', spec);
  const transit = transitOf(spec);
  const portName = (side: 0 | 1): string => `peering-${spec.id}-${side}`;
  for (const side of [0, 1] as const) {
    const other = side === 0 ? 1 : 0;
    const { vpcId } = spec.sides[side];
    object.part(
      'Logical_Router_Port',
      `port/${side}`,
      {
        name: portName(side),
        peer: portName(other),
        mac: derivedMac(spec.id, `peering/${side}`),
        networks: [`${transit[4][side]}/30`, `${transit[6][side]}/64`],
      },
      { places: [`Logical_Router.ports:${vpcId}`] },
    );
    compileSources(object, {
      side,
      portName: portName(side),
      vpcId,
      sources: [...spec.sides[other].cidrs, transit[4][other], transit[6][other]],
    });
    for (const cidr of spec.sides[other].cidrs) {
      const nextHop = transit[familyOf(cidr.split('/')[0] ?? '')][other];
      compileRoute(object, { routerId: vpcId, role: `route/${side}/${cidr}`, destination: cidr, nextHop, outputPort: portName(side) });
    }
  }
  return object;
}

interface Sources {
  readonly side: 0 | 1;
  readonly portName: string;
  readonly vpcId: string;
  /** Networks of the other side, and what its router answers from. */
  readonly sources: readonly string[];
}

/** Machines may be allowed to send from addresses that are not theirs: to the other side they would pass for members of its groups. */
function compileSources(object: Compilation, { side, portName, vpcId, sources }: Sources): void {
  const of = (family: 4 | 6) => sources.filter((text) => familyOf(text.split('/')[0] ?? '') === family).join(', ');
  const links = { places: [`Logical_Router.policies:${vpcId}`] } as const;
  const from = `inport == "${portName}"`;
  object.part(
    'Logical_Router_Policy',
    `sources/${side}`,
    { priority: 200, match: `${from} && (ip4.src == {${of(4)}} || ip6.src == {${of(6)}})`, action: 'allow' },
    links,
  );
  object.part('Logical_Router_Policy', `others/${side}`, { priority: 100, match: from, action: 'drop' }, links);
}

interface Transit {
  readonly 4: readonly [string, string];
  readonly 6: readonly [string, string];
}

/** Where addresses between two routers come from: the shared address space (RFC 6598), and what anybody may use for himself. */
const ROOM = { 4: '100.64.0.0/10', 6: 'fd00::/8' } as const;
/** Where a hundredth of it is free, it is found in so many for certain. */
const TURNS_MAX = 1_000;

/**
 * Addresses between two routers, out of a million pairs, and of no subnet behind them.
 * @throws DriverError exhausted where these subnets take all there is
 */
export function transitOf({ id, sides }: PeeringSpec): Transit {
  const cidrs = sides.flatMap((side) => side.cidrs).filter((cidr) => overlap(cidr, ROOM[4]) || overlap(cidr, ROOM[6]));
  for (let turn = 0; turn < TURNS_MAX; turn += 1) {
    const seed = derivedUuid(id, `transit/${turn}`).replaceAll('-', '');
    const pair = Number.parseInt(seed.slice(0, 5), 16);
    const base = 100 * 2 ** 24 + 64 * 2 ** 16 + pair * 4;
    const ipv4 = (offset: number): string => [24, 16, 8, 0].map((shift) => Math.floor((base + offset) / 2 ** shift) % 256).join('.');
    const prefix = `fd${seed.slice(5, 7)}:${hextet(seed.slice(8, 12))}:${hextet(seed.slice(13, 16))}:${hextet(seed.slice(20, 24))}`;
    if (cidrs.every((cidr) => !overlap(cidr, `${ipv4(0)}/30`) && !overlap(cidr, `${prefix}::/64`)))
      return { 4: [ipv4(1), ipv4(2)], 6: [`${prefix}::1`, `${prefix}::2`] };
  }
  throw new DriverError('exhausted', `the subnets leave nothing of ${ROOM[4]} or ${ROOM[6]} for what is between the routers`, {
    pointer: '/sides',
  });
}

const hextet = (digits: string): string => (Number.parseInt(digits, 16) || 1).toString(16);
