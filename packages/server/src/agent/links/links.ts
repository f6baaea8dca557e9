import type { HostLink } from '@pileus/core/agent';
import { describeChain, type Environment } from '@pileus/core/kernel';
import { type KernelLink, kernelLinks } from './kernel-links.ts';
import type { SwitchBridge, SwitchLinks, SwitchPort, SwitchWitness } from './switch-links.ts';

/** Older than this, they are looked at anew. */
const FRESH_MS = 4_000;
const TUNNELS: ReadonlySet<string> = new Set([
  'vxlan',
  'geneve',
  'gre',
  'ip6gre',
  'stt',
  'lisp',
  'gtpu',
  'erspan',
  'ip6erspan',
  'bareudp',
  'srv6',
]);
const OVS_DEFAULT_MODE = 'active-backup';

/** The links of this host. */
export class Links {
  readonly #environment: Environment;
  readonly #witness: SwitchWitness;
  #last: readonly HostLink[] | undefined;
  #readAtMs = 0;

  private constructor(environment: Environment, witness: SwitchWitness) {
    this.#environment = environment;
    this.#witness = witness;
  }

  /** Those that are known from the first. */
  static async of(environment: Environment, witness: SwitchWitness): Promise<Links> {
    const links = new Links(environment, witness);
    await links.#read();
    return links;
  }

  /** As they were seen last, without waiting. Undefined when a part of them cannot be told: who has half of it would take what is missing for gone. */
  now(): readonly HostLink[] | undefined {
    if (this.#environment.clock.monotonicMs() - this.#readAtMs >= FRESH_MS) void this.#read();
    return this.#last;
  }

  async #read(): Promise<void> {
    this.#readAtMs = this.#environment.clock.monotonicMs();
    try {
      const [kernel, switched] = await Promise.all([kernelLinks(), this.#witness.look(new AbortController().signal)]);
      this.#last = joined(kernel, switched);
    } catch (error) {
      this.#last = undefined;
      this.#environment.logger.warn({ error: describeChain(error) }, 'the links of this host cannot be told');
    }
  }
}

/** What the kernel shows, with what Open vSwitch knows of it: the kernel sees no bond of it, and nothing that it does not drive. */
export function joined(kernel: readonly KernelLink[], switched: SwitchLinks | undefined): readonly HostLink[] {
  const links = new Map<string, HostLink>();
  const taps = new Set(kernel.filter(({ isTap }) => isTap).map(({ name }) => name));
  for (const { isTap, ...link } of kernel)
    if (!isTap || link.addresses.length > 0 || link.sort === 'tunnel') links.set(link.name, withoutMachines(link, taps));
  if (switched !== undefined) {
    const shown = new Map<string, HostLink>(kernel.map(({ isTap: _, ...link }) => [link.name, link]));
    for (const bridge of switched.bridges) addBridge(links, shown, bridge, switched);
    for (const [name, link] of links)
      if (link.addresses.some((address) => switched.tunnelAddresses.includes(address))) links.set(name, { ...link, hasTunnels: true });
  }
  return [...links.values()].filter(({ name }) => name !== 'lo').sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Ports of a bridge that are made by programs are machines', and lead nowhere. Of others those count that are real, where there are such. */
function withoutMachines(link: HostLink, taps: ReadonlySet<string>): HostLink {
  if (link.sort !== 'bridge') return link;
  const lowers = link.lowers.filter((name) => !taps.has(name));
  return { ...link, lowers, ...(lowers.length < link.lowers.length ? { hasMachines: true } : {}) };
}

function addBridge(
  links: Map<string, HostLink>,
  shown: ReadonlyMap<string, HostLink>,
  { name, ports }: SwitchBridge,
  { mappings }: SwitchLinks,
): void {
  const isOut = ({ interfaces }: SwitchPort) =>
    interfaces.some(({ type, isServed }) => !isServed && type !== 'internal' && type !== 'patch');
  const out = ports.filter(isOut);
  const labels = mappings.flatMap(([label, bridge]) => (bridge === name ? [label] : []));
  links.set(name, {
    // With the kernel's datapath of no other use its own port may be off.
    ...{ isUp: true, addresses: [], ...shown.get(name), name, sort: 'bridge' },
    lowers: out.map((port) => port.name).sort(),
    ...(labels.length === 0 ? {} : { labels }),
    ...(ports.some(({ interfaces }) => interfaces.some(({ isServed }) => isServed)) ? { hasMachines: true } : {}),
  });
  for (const port of out) addPort(links, shown, port);
  for (const { interfaces } of ports)
    for (const { type, name: inner } of interfaces) {
      const link = shown.get(inner);
      if (type === 'internal' && inner !== name && link !== undefined) links.set(inner, { ...link, sort: 'virtual', lowers: [name] });
    }
}

function addPort(links: Map<string, HostLink>, shown: ReadonlyMap<string, HostLink>, { name, bondMode, interfaces }: SwitchPort): void {
  for (const { name: of, type, isUp, speedMbits, mtuBytes } of interfaces) {
    const speed = speedMbits === undefined ? {} : { speedMbits };
    const mtu = mtuBytes === undefined ? {} : { mtuBytes };
    const known = shown.get(of) ?? { name: of, sort: 'device', isUp, ...speed, ...mtu, addresses: [], lowers: [] };
    links.set(of, TUNNELS.has(type) ? { ...known, sort: 'tunnel' } : known);
  }
  if (interfaces.length < 2) return;
  links.set(name, {
    ...{ name, sort: 'bond', isUp: interfaces.some(({ isUp }) => isUp), addresses: [] },
    lowers: interfaces.map((each) => each.name).sort(),
    bondMode: bondMode ?? OVS_DEFAULT_MODE,
  });
}
