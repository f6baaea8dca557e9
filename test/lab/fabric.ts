// The lab's wires. A fabric namespace stands for the switches: bridge `mgmt` joins the hosts' management cards and this machine,
// bridge `guests` joins the hosts' guest networks. A host has eth0 (management) and the bridge br0 over eth1 (guests).
import { attempt, run } from '../../tools/system/command.ts';

/** Every namespace, link and control group of a lab starts with this; the slot's number follows. */
export const MARK = 'pileuslab';

export function fabricNetns(slot: number): string {
  return `${MARK}${slot}`;
}

export function hostNetns(slot: number, index: number): string {
  return `${MARK}${slot}-h${index + 1}`;
}

export function managementAddress(slot: number, index: number): string {
  return `10.77.${slot}.${11 + index}`;
}

/** This machine's own on the management network. */
export function machineAddress(slot: number): string {
  return `10.77.${slot}.254`;
}

/** The fabric's own on the management network, for servers that run in its namespace. */
export function fabricAddress(slot: number): string {
  return `10.77.${slot}.1`;
}

/** The first guest bridge address, the fabric's: guests can take it as their gateway. */
export function guestGateway(slot: number): string {
  return `10.78.${slot}.1`;
}

export async function buildFabric(slot: number): Promise<void> {
  const fabric = fabricNetns(slot);
  await run(['ip', 'netns', 'add', fabric]);
  await ipBatch(fabric, [
    'link set lo up',
    'link add mgmt type bridge',
    'link set mgmt up',
    `addr add ${fabricAddress(slot)}/24 dev mgmt`,
    'link add guests type bridge',
    'link set guests up',
    `addr add ${guestGateway(slot)}/24 dev guests`,
    `link add m0 type veth peer name ${machineLink(slot)} netns ${process.pid}`,
    'link set m0 master mgmt up',
  ]);
  await run(['ip', 'addr', 'add', `${machineAddress(slot)}/24`, 'dev', machineLink(slot)]);
  await run(['ip', 'link', 'set', machineLink(slot), 'up']);
}

/** This machine's own card on the management network. */
export function machineLink(slot: number): string {
  return `${MARK}${slot}m`;
}

/**
 * The address of a host's card. A machine keeps its cards over a loss of power: with other addresses, those that had talked to it before would send into
 * the void until their neighbour tables expire, which takes half a minute.
 */
export function cardAddress(slot: number, index: number, card: number): string {
  return `02:77:00${[slot, index, card].map((part) => `:${part.toString(16).padStart(2, '0')}`).join('')}`;
}

/** Adds a host's namespace and cards: what a machine has after power-on. */
export async function plugHost(slot: number, index: number): Promise<void> {
  const host = hostNetns(slot, index);
  const n = index + 1;
  await run(['ip', 'netns', 'add', host]);
  await ipBatch(fabricNetns(slot), [
    `link add h${n}m type veth peer name eth0 address ${cardAddress(slot, index, 0)} netns ${host}`,
    `link add h${n}g type veth peer name eth1 address ${cardAddress(slot, index, 1)} netns ${host}`,
    `link set h${n}m master mgmt up`,
    `link set h${n}g master guests up`,
  ]);
  await ipBatch(host, [
    'link set lo up',
    `addr add ${managementAddress(slot, index)}/24 dev eth0`,
    'link set eth0 up',
    'link add br0 type bridge',
    'link set eth1 master br0 up',
    'link set br0 up',
  ]);
}

/** Takes a host's namespace away, with every bridge and address rule that libvirt made in it. Absent is fine. */
export async function unplugHost(slot: number, index: number): Promise<void> {
  const n = index + 1;
  // A namespace's own links go later, in the background: its cables are cut here first, those of its switch too, so that the names are free at once.
  for (const link of [`h${n}m`, `h${n}g`, `h${n}t`, `h${n}x`]) await attempt(['ip', '-n', fabricNetns(slot), 'link', 'del', link]);
  await attempt(['ip', 'netns', 'del', hostNetns(slot, index)]);
}

export async function removeFabric(slot: number): Promise<void> {
  await attempt(['ip', 'link', 'del', machineLink(slot)]);
  await attempt(['ip', 'netns', 'del', fabricNetns(slot)]);
}

/** Cuts or joins a host's management cable. The host's unix socket still answers: it is a file of this machine. */
export async function setManagementLink(slot: number, index: number, state: 'up' | 'down'): Promise<void> {
  await run(['ip', '-n', hostNetns(slot, index), 'link', 'set', 'eth0', state]);
}

/** Lines of ip(8), done in a namespace. */
export async function ipBatch(netns: string, lines: readonly string[]): Promise<void> {
  await run(['ip', '-n', netns, '-batch', '-'], { input: `${lines.join('\n')}\n` });
}
