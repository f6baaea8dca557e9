import { readdir, readFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import type { HostLink } from '@pileus/core/agent';

/** A link as the kernel shows it. */
export interface KernelLink extends HostLink {
  /** Made by a program, for whatever is behind it: mostly a machine. */
  readonly isTap: boolean;
}

const IFF_UP = 1;
const SORTS: Readonly<Record<string, string>> = { bond: 'bond', bridge: 'bridge', vlan: 'vlan' };
/** By what the kernel calls them; by their headers where it calls them nothing (IP in IP, GRE, in IPv6, too). */
const TUNNELS: ReadonlySet<string> = new Set(['vxlan', 'geneve', 'wireguard', 'gretap', 'ip6gretap', 'bareudp']);
const TUNNEL_HEADERS: ReadonlySet<string> = new Set(['768', '769', '776', '778', '823']);

/** What is in `/sys/class/net`, or in a directory like it. What goes while it is read is left out. */
export async function kernelLinks(directory = '/sys/class/net', addresses = ownAddresses()): Promise<readonly KernelLink[]> {
  const names = await readdir(directory);
  const links = await Promise.all(names.map((name) => linkAt(join(directory, name), name, addresses.get(name) ?? [])));
  return links.filter((link) => link !== undefined).sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function linkAt(path: string, name: string, addresses: readonly string[]): Promise<KernelLink | undefined> {
  const entries = await readdir(path).catch(() => undefined);
  // `bonding_masters` is a file among them.
  if (entries === undefined) return undefined;
  const text = async (file: string) => (await readFile(join(path, file), 'utf8').catch(() => '')).trim();
  const [uevent, type, flags, carrier, speed, mtu, mode, slaves, mii] = await Promise.all(
    ['uevent', 'type', 'flags', 'carrier', 'speed', 'mtu', 'bonding/mode', 'bonding/slaves', 'bonding_slave/mii_status'].map(text),
  );
  const speedMbits = Number(speed || -1);
  const lowers = entries.filter((entry) => entry.startsWith('lower_')).map((entry) => entry.slice('lower_'.length));
  return {
    name,
    sort: sortOf(/^DEVTYPE=(.*)$/m.exec(uevent ?? '')?.[1], type ?? '', entries),
    // Without a watch of its own a bond takes members for well that have no carrier.
    isUp: (Number(flags) & IFF_UP) !== 0 && carrier === '1' && mii !== 'down',
    // What cannot tell says -1, as older kernels do without a sign.
    ...(speedMbits > 0 && speedMbits < 0xffffffff ? { speedMbits } : {}),
    mtuBytes: Number(mtu),
    addresses: [...addresses],
    lowers: (slaves ? slaves.split(/\s+/) : lowers).sort(),
    ...(mode ? { bondMode: mode.split(' ')[0] ?? mode } : {}),
    isTap: entries.includes('tun_flags'),
  };
}

function sortOf(devtype: string | undefined, type: string, entries: readonly string[]): string {
  if (entries.includes('bonding')) return 'bond';
  if (devtype !== undefined && TUNNELS.has(devtype)) return 'tunnel';
  if (TUNNEL_HEADERS.has(type)) return 'tunnel';
  return SORTS[devtype ?? ''] ?? (entries.includes('device') ? 'device' : 'virtual');
}

const ownAddresses = (): ReadonlyMap<string, readonly string[]> =>
  new Map(Object.entries(networkInterfaces()).map(([name, all = []]) => [name, all.map(({ address }) => address)]));
