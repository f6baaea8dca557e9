import type { HostLink } from '../../../agent/index.ts';
import { type Cidr, contains, parseAddress } from '../cidr.ts';

/** How what a host sends by one of its links leaves it. */
export interface Way {
  /** It can: the link is up, and so is something of each below it. */
  readonly isUp: boolean;
  /** Of all of it, megabits a second; undefined where it does not tell. */
  readonly speedMbits: number | undefined;
  /** What fits through all of it. */
  readonly mtuBytes: number | undefined;
  readonly bond: { readonly name: string; readonly mode: string | undefined; readonly members: readonly HostLink[] } | undefined;
  /** It goes on inside of other packets. */
  readonly isOverlay: boolean;
  /** All links that it goes over, the first one first. */
  readonly over: readonly HostLink[];
}

/** One member of such a bond sends at a time. */
const isOneAtATime = (mode: string | undefined): boolean => mode === 'active-backup' || mode === 'broadcast';

/** The link that has an address in the network; of several the one of the first address. */
export const linkIn = (links: readonly HostLink[], { family, ...of }: Cidr): HostLink | undefined =>
  links.find(({ addresses }) =>
    addresses.some((text) => {
      const address = parseAddress(text.split('%')[0] ?? '');
      return address !== undefined && contains({ family, ...of }, address);
    }),
  );

/** The link that a label is for, or that is called so. */
export const linkOf = (links: readonly HostLink[], label: string): HostLink | undefined =>
  links.find(({ labels = [] }) => labels.includes(label)) ?? links.find(({ name }) => name === label);

export function wayBy(links: readonly HostLink[], first: HostLink): Way {
  const named = new Map(links.map((link) => [link.name, link]));
  const over = new Set<HostLink>([first]);
  // A set is gone through with what is added on the way: each link once, whatever leads to it.
  for (const link of over)
    for (const name of link.lowers) {
      const lower = named.get(name);
      if (lower !== undefined) over.add(lower);
    }
  const below = (link: HostLink) => link.lowers.flatMap((name) => named.get(name) ?? []);
  const all = [...over];
  const bond = all.find(({ sort }) => sort === 'bond');
  const mtus = all.flatMap(({ mtuBytes }) => mtuBytes ?? []);
  return {
    isUp: carries(first, below, new Set()),
    speedMbits: speedOf(first, below, new Set()),
    mtuBytes: mtus.length === 0 ? undefined : Math.min(...mtus),
    bond: bond && { name: bond.name, mode: bond.bondMode, members: below(bond) },
    isOverlay: all.some(({ sort }) => sort === 'tunnel'),
    over: all,
  };
}

type Below = (link: HostLink) => readonly HostLink[];

/** One that is below itself ends there. */
function carries(link: HostLink, below: Below, above: ReadonlySet<HostLink>): boolean {
  const lowers = below(link).filter((lower) => !above.has(lower));
  return link.isUp && (lowers.length === 0 || lowers.some((lower) => carries(lower, below, new Set([...above, link]))));
}

/** What stands on others says what it likes, or nothing: it is as fast as those. A bond is told by its kernel, where it is one of that. */
function speedOf(link: HostLink, below: Below, above: ReadonlySet<HostLink>): number | undefined {
  const lowers = below(link).filter((lower) => !above.has(lower));
  if (lowers.length === 0 || (link.sort === 'bond' && link.speedMbits !== undefined)) return link.speedMbits;
  const within = new Set([...above, link]);
  const speeds = lowers.flatMap((lower) => (lower.isUp ? (speedOf(lower, below, within) ?? []) : []));
  if (speeds.length === 0) return undefined;
  return link.sort === 'bond' && !isOneAtATime(link.bondMode) ? speeds.reduce((sum, each) => sum + each, 0) : Math.max(...speeds);
}
