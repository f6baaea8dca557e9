import { run } from '../../../tools/system/command.ts';
import { type OvnDatabase, ovnRows } from '../../../tools/system/ovn-rows.ts';
import type { Lab } from '../lab.ts';

/**
 * All that is of networks in a lab, one line a thing: rows of the northbound and southbound database, and on each host ports of its switch and links.
 * Two of them tell what an undertaking has left behind.
 */
export async function networkInventory(lab: Lab): Promise<readonly string[]> {
  const { northboundRemote, southboundRemote } = lab.ovn.central;
  const rows = async (what: string, remote: string, database: OvnDatabase) =>
    (await ovnRows(remote, database)).map((row) => `${what} ${row}`);
  const found = await Promise.all([
    rows('northbound', northboundRemote, 'OVN_Northbound'),
    rows('southbound', southboundRemote, 'OVN_Southbound'),
    ...lab.hosts.map(async ({ name, netns, switch: ovs }) => [
      ...(await ovs.ports()).map((port) => `${name} port ${port}`),
      ...(await links(netns)).map((link) => `${name} link ${link}`),
    ]),
  ]);
  return found.flat().sort();
}

async function links(netns: string): Promise<readonly string[]> {
  const lines = (await run(['ip', '-n', netns, '-oneline', 'link'])).split('\n');
  return lines.flatMap((line) => /^\d+: ([^:@]+)/.exec(line)?.[1] ?? []);
}
