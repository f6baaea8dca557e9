import { readdir } from 'node:fs/promises';
import { run } from '../../../tools/system/command.ts';
import { type OvnDatabase, ovnRows } from '../../../tools/system/ovn-rows.ts';
import type { Lab } from '../lab.ts';

/**
 * All that is of networks in a lab, one line a thing: rows of the northbound and southbound database, and on each host what its switch has, links, and the namespaces of its
 * machines. Two of them tell what an undertaking has left behind.
 */
export async function networkInventory(lab: Lab): Promise<readonly string[]> {
  const { northboundRemote, southboundRemote } = lab.ovn.central;
  const rows = async (what: string, remote: string, database: OvnDatabase) =>
    (await ovnRows(remote, database)).map((row) => `${what} ${row}`);
  const found = await Promise.all([
    rows('northbound', northboundRemote, 'OVN_Northbound'),
    rows('southbound', southboundRemote, 'OVN_Southbound'),
    ...lab.hosts.map(async ({ name, netns, switch: ovs }) => [
      ...(await ovs.rows()).map((row) => `${name} ${row}`),
      ...(await links(netns)).map((link) => `${name} link ${link}`),
      ...(await namespaces(netns)).map((machine) => `${name} namespace ${machine}`),
    ]),
  ]);
  return found.flat().sort();
}

async function links(netns: string): Promise<readonly string[]> {
  const lines = (await run(['ip', '-n', netns, '-oneline', 'link'])).split('\n');
  return lines.flatMap((line) => /^\d+: ([^:@]+)/.exec(line)?.[1] ?? []);
}

async function namespaces(ofHost: string): Promise<readonly string[]> {
  const prefix = `${ofHost}-`;
  return (await readdir('/run/netns')).flatMap((name) => (name.startsWith(prefix) ? [name.slice(prefix.length)] : []));
}
