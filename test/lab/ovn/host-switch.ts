// A lab host's part of OVN: its cards, its bridges, and where its daemons find each other.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { attempt, run } from '../../../tools/system/command.ts';
import { OvsHost, presentAsSystem, withoutChecksumOffload } from '../../../tools/system/ovs-host.ts';
import { cardAddress, fabricNetns, hostNetns, ipBatch } from '../fabric.ts';
import type { HostPlace, LabHost } from '../host.ts';

/** The bridge that owns the card of the tunnels, and with it their address: tunnels in user space need it so. */
const TUNNEL_BRIDGE = 'br-phys';
/** The bridge that joins the external physical network. */
export const EXTERNAL_BRIDGE = 'br-ex';
/** How hosts name that network. */
export const PHYSICAL_NETWORK = 'physnet1';
/** Room for what a tunnel puts around a guest's 1,500 bytes. */
export const TUNNEL_MTU = 1600;

type Place = Pick<HostPlace, 'slot' | 'index'>;

export function tunnelAddress({ slot, index }: Place): string {
  return `10.79.${slot}.${11 + index}`;
}

/** Where the hosts' controllers reach the southbound database: over the management network. */
export function centralAddress(slot: number): string {
  return `10.77.${slot}.1`;
}

/** How OVN calls a host of this name. */
export const chassisName = (host: string): string => `${host}-id`;

export function switchOf(host: LabHost, place: HostPlace): OvsHost {
  return new OvsHost({
    runDir: join(host.rootDir, 'run/openvswitch'),
    databasePath: join(host.rootDir, 'openvswitch/conf.db'),
    run: (argv, options) => host.exec(argv, options),
    settings: {
      // As on real hosts it is not the host's name.
      'system-id': chassisName(host.name),
      hostname: host.name,
      'ovn-remote': `tcp:${centralAddress(place.slot)}:6642`,
      'ovn-encap-type': 'geneve',
      'ovn-encap-ip': tunnelAddress(place),
      'ovn-bridge': 'br-int',
      'ovn-bridge-datapath-type': 'netdev',
      'ovn-bridge-mappings': `${PHYSICAL_NETWORK}:${EXTERNAL_BRIDGE}`,
    },
  });
}

/** Plugs the cards in, starts the switch where libvirt looks for it, and then the controller. */
export async function bootSwitch(host: LabHost, ovs: OvsHost, place: HostPlace): Promise<void> {
  await plugCards(place);
  await presentAsSystem(join(host.rootDir, 'run/openvswitch'), (argv, options) => host.exec(argv, options));
  await ovs.start([
    { name: TUNNEL_BRIDGE, uplinks: ['eth2'] },
    { name: EXTERNAL_BRIDGE, uplinks: ['eth3'] },
  ]);
  const netns = hostNetns(place.slot, place.index);
  await ipBatch(netns, [
    `addr replace ${tunnelAddress(place)}/24 dev ${TUNNEL_BRIDGE}`,
    `link set ${TUNNEL_BRIDGE} mtu ${TUNNEL_MTU} up`,
    `link set ${EXTERNAL_BRIDGE} up`,
  ]);
  await withoutChecksumOffload(netns, TUNNEL_BRIDGE);
  await ovs.controller.start();
}

async function plugCards({ slot, index }: Place): Promise<void> {
  const fabric = fabricNetns(slot);
  const host = hostNetns(slot, index);
  const n = index + 1;
  await ipBatch(fabric, [
    `link add h${n}t mtu ${TUNNEL_MTU} type veth peer name eth2 mtu ${TUNNEL_MTU} address ${cardAddress(slot, index, 2)} netns ${host}`,
    `link add h${n}x type veth peer name eth3 address ${cardAddress(slot, index, 3)} netns ${host}`,
    `link set h${n}t master underlay up`,
    `link set h${n}x master external up`,
  ]);
  await ipBatch(host, ['link set eth2 up', 'link set eth3 up']);
  await Promise.all([
    withoutChecksumOffload(fabric, `h${n}t`),
    withoutChecksumOffload(fabric, `h${n}x`),
    withoutChecksumOffload(host, 'eth2'),
    withoutChecksumOffload(host, 'eth3'),
  ]);
}

/** Cuts or joins the cable of a host's tunnels. */
export async function setTunnelLink({ slot, index }: Place, state: 'up' | 'down'): Promise<void> {
  await run(['ip', '-n', fabricNetns(slot), 'link', 'set', `h${index + 1}t`, state]);
}

/** Takes the machines of a host that is off away. */
export async function removeMachines(host: LabHost): Promise<void> {
  const names = await readdir('/run/netns').catch(() => []);
  for (const name of names) if (name.startsWith(`${host.netns}-`)) await attempt(['ip', 'netns', 'del', name]);
}
