// libvirt hangs its chains into the machine's packet filter and leaves them there when its networks end. This puts that right.
import { attempt, run } from './command.ts';

const FAMILIES = ['iptables', 'ip6tables'] as const;
const TABLES = ['filter', 'nat', 'mangle'] as const;

/** The chains of libvirt that exist, as `<family> <table> <chain>`. */
export type FirewallState = readonly string[];

export async function readFirewall(): Promise<FirewallState> {
  const found: string[] = [];
  for (const family of FAMILIES) {
    for (const table of TABLES) {
      for (const line of await rules(family, table)) {
        const chain = /^-N (LIBVIRT_\S+)$/.exec(line)?.[1];
        if (chain !== undefined) found.push(`${family} ${table} ${chain}`);
      }
    }
  }
  return found;
}

/** Removes libvirt's chains, and the jumps to them, that are not in `before`. Call it when no libvirt network is up. */
export async function restoreFirewall(before: FirewallState): Promise<void> {
  for (const entry of await readFirewall()) {
    if (before.includes(entry)) continue;
    const [family = '', table = '', chain = ''] = entry.split(' ');
    for (const line of await rules(family, table)) {
      if (line.startsWith('-A ') && line.endsWith(` -j ${chain}`))
        await run([family, '-w', '-t', table, '-D', ...line.split(' ').slice(1)]);
    }
    await run([family, '-w', '-t', table, '-F', chain]);
    await run([family, '-w', '-t', table, '-X', chain]);
  }
}

/** A machine without IPv6 or without a table answers nothing, and has nothing of libvirt's. */
async function rules(family: string, table: string): Promise<readonly string[]> {
  return (await attempt([family, '-w', '-t', table, '-S'])).stdout.split('\n');
}
