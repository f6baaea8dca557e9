import { SocketAddress } from 'node:net';
import type { ServedMachine } from '@pileus/core/agent';
import type { ServedFiles } from './served.ts';

/** Where a connection comes from. Node throws for an address of a link whose index has no name here; nobody may end the service with that. */
export function peerOf(socket: { readonly remoteAddress?: string | undefined }): string {
  try {
    return socket.remoteAddress ?? '';
  } catch {
    return '';
  }
}

/** Machines by the addresses that they ask from. */
export class Machines {
  readonly #files: ServedFiles;
  /** By network and address. */
  readonly #held = new Map<string, ServedMachine>();
  readonly #keys = new Map<string, readonly string[]>();

  constructor(files: ServedFiles) {
    this.#files = files;
  }

  /** The zone of an address of the link is left out: it is always that of the network. */
  at(networkId: string, address: string): ServedMachine | undefined {
    return this.#held.get(`${networkId}/${address.split('%')[0]}`);
  }

  /** What is said of a machine has changed. */
  changed(id: string): void {
    for (const key of this.#keys.get(id) ?? []) if (this.#held.get(key)?.instanceId === id) this.#held.delete(key);
    this.#keys.delete(id);
    const machine = this.#files.get('machines', id);
    if (machine === undefined) return;
    const keys = machine.nics.flatMap(({ networkId, mac, addresses }) =>
      [...addresses.map(({ address }) => address), linkLocalOf(mac)].map((address) => `${networkId}/${address}`),
    );
    for (const key of keys) if (this.#isLast(id, this.#held.get(key))) this.#held.set(key, machine);
    this.#keys.set(id, keys);
  }

  /** An address that was one's and is another's is the one's of whom was told last: what was not withdrawn of the first may still be here. */
  #isLast(id: string, other: ServedMachine | undefined): boolean {
    return other === undefined || !this.#files.isOlder('machines', other.instanceId, this.#files.saidBy('machines', id));
  }
}

/** The address of the link that goes with a MAC (RFC 4291, appendix A), that a switch lets its machine have. Canonical. */
export function linkLocalOf(mac: string): string {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = mac.split(':').map((byte) => Number.parseInt(byte, 16));
  const groups = [(a ^ 2) * 256 + b, c * 256 + 0xff, 0xfe * 256 + d, e * 256 + f];
  return new SocketAddress({ address: `fe80::${groups.map((group) => group.toString(16)).join(':')}`, family: 'ipv6' }).address;
}
