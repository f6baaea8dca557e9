import { randomInt } from 'node:crypto';
import type { ServedNetwork } from '@pileus/core/agent';
import { linkLocalOf } from './machines.ts';
import { hasIpv6, INNER, METADATA_ADDRESS, METADATA_ADDRESS_6, namespaceOf } from './place.ts';
import { runProgram } from './program.ts';

/** Names of interfaces have fifteen characters at most: the end of an id is what is random in it. */
const short = (networkId: string): string => networkId.replaceAll('-', '').slice(-12);

/** The end that is plugged into the switch. */
export const outerOf = (networkId: string): string => `pls${short(networkId)}`;
/** Of routes for answers that must not travel on. */
const ONE_HOP_TABLE = '254169';
/** Indexes of interfaces that the kernel, which counts up from 1, does not come to. */
const INDEX_MIN = 2 ** 28;
const INDEX_MAX = 2 ** 31 - 1;

const ip = (...args: readonly string[]) => runProgram('ip', args);

/**
 * A namespace on this host for a network: one end of a pair of interfaces is in it, with the cloud's addresses, the other is plugged into the switch. What is
 * there already is left alone, so that a repeat interrupts nothing.
 */
export async function ensureNamespace(network: ServedNetwork): Promise<void> {
  const { networkId, mac, mtuBytes, addresses, onLink = [] } = network;
  const name = namespaceOf(networkId);
  const within = (...args: readonly string[]) => ip('-n', name, ...args);
  const names = (await ip('netns', 'list')).split('\n').map((line) => line.split(' ')[0]);
  if (!names.includes(name)) await ip('netns', 'add', name);
  if (!(await hasPair(networkId))) {
    // What an interrupted try has left.
    await ip('link', 'delete', outerOf(networkId)).catch(() => undefined);
    // One index for both ends: who asks from an address of the link is told with the index of the inner one, which has to be one here, too, to have a name.
    const index = ['index', String(randomInt(INDEX_MIN, INDEX_MAX))];
    await ip('link', 'add', outerOf(networkId), ...index, 'type', 'veth', 'peer', 'name', INNER, ...index, 'netns', name);
  }
  if (mtuBytes !== undefined) await within('link', 'set', INNER, 'mtu', String(mtuBytes));
  await within('link', 'set', INNER, 'address', mac);
  await within('link', 'set', 'lo', 'up');
  await within('link', 'set', INNER, 'up');
  await ip('link', 'set', outerOf(networkId), 'up');
  await leaveChecksumsToUs(name);
  await setAddresses(name, network);
  const cidrs = addresses.flatMap(({ address, prefixLength }) => (address.includes(':') ? [] : [networkOf(address, prefixLength)]));
  for (const cidr of [...cidrs, ...onLink.filter((each) => !each.includes(':'))])
    await within('route', 'replace', cidr, 'dev', INNER, 'table', ONE_HOP_TABLE, 'hoplimit', '1');
  // Metadata is for the machine that asks: an answer that somebody forwards for another is dropped on its next hop.
  const rules = await within('rule', 'show');
  if (!rules.includes(`from ${METADATA_ADDRESS} `)) await within('rule', 'add', 'from', METADATA_ADDRESS, 'lookup', ONE_HOP_TABLE);
}

/** Whether both ends are there, with one index. */
async function hasPair(networkId: string): Promise<boolean> {
  const indexOf = async (end: string, ...where: readonly string[]) => {
    const links = JSON.parse((await ip('-j', ...where, 'link', 'show')) || '[]') as readonly {
      readonly ifname: string;
      readonly ifindex: number;
    }[];
    return links.find(({ ifname }) => ifname === end)?.ifindex;
  };
  const inner = await indexOf(INNER, '-n', namespaceOf(networkId));
  return inner !== undefined && inner === (await indexOf(outerOf(networkId)));
}

async function setAddresses(name: string, network: ServedNetwork): Promise<void> {
  const wanted = [
    ...network.addresses.map(({ address, prefixLength }) => `${address}/${prefixLength}`),
    `${METADATA_ADDRESS}/32`,
    ...(hasIpv6(network) ? [`${METADATA_ADDRESS_6}/64`] : []),
  ];
  const [link] = JSON.parse(await ip('-j', '-n', name, 'address', 'show', 'dev', INNER)) as readonly {
    readonly addr_info: readonly { readonly local: string; readonly prefixlen: number; readonly scope: string }[];
  }[];
  const present = (link?.addr_info ?? [])
    .filter(({ local }) => !local.startsWith('fe80:') || local === METADATA_ADDRESS_6)
    .map(({ local, prefixlen }) => `${local}/${prefixlen}`);
  for (const address of wanted.filter((one) => !present.includes(one)))
    await ip('-n', name, 'address', 'add', address, 'dev', INNER, ...(address.includes(':') ? ['nodad'] : []));
  for (const address of present.filter((one) => !wanted.includes(one))) await ip('-n', name, 'address', 'delete', address, 'dev', INNER);
}

/**
 * Where machines of a network are that ask from addresses of the link. They could be asked, but OVN up to 23.03 drops what they would answer, as it takes the 255
 * hops of it for 225. An address of the link has its MAC in it, so what is left of a machine that has gone is never wrong.
 */
export async function addNeighbours(networkId: string, macs: readonly string[]): Promise<void> {
  for (const mac of macs)
    await ip('-n', namespaceOf(networkId), '-6', 'neighbour', 'replace', linkLocalOf(mac), 'lladdr', mac, 'dev', INNER, 'nud', 'permanent');
}

/** Absent is done. */
export async function removeNeighbours(networkId: string, macs: readonly string[]): Promise<void> {
  for (const mac of macs)
    await ip('-n', namespaceOf(networkId), '-6', 'neighbour', 'delete', linkLocalOf(mac), 'dev', INNER).catch(() => undefined);
}

/** A switch in user space passes on what the kernel has left undone: TCP would be dead. Where the program is not there, the kernel switches. */
async function leaveChecksumsToUs(name: string): Promise<void> {
  await runProgram('ip', ['netns', 'exec', name, 'ethtool', '-K', INNER, 'tx', 'off']).catch(() => undefined);
}

function networkOf(address: string, prefixLength: number): string {
  const bits = address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  const size = 2 ** (32 - prefixLength);
  const first = Math.floor(bits / size) * size;
  return `${[24, 16, 8, 0].map((shift) => Math.floor(first / 2 ** shift) % 256).join('.')}/${prefixLength}`;
}

/** Takes both ends of the pair with it. Absent is done. */
export async function removeNamespace(networkId: string): Promise<void> {
  const name = namespaceOf(networkId);
  const names = (await ip('netns', 'list')).split('\n').map((line) => line.split(' ')[0]);
  await ip('link', 'delete', outerOf(networkId)).catch(() => undefined);
  if (names.includes(name)) await ip('netns', 'delete', name);
}
