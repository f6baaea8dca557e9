import type { CallOptions } from './calls.ts';
import type { MonCommand } from './cluster.ts';

export interface BlocklistEntry {
  /** `10.0.0.7:0/3401295713`. */
  readonly address: string;
  readonly until: Date;
}

/**
 * Clients that the cluster refuses: after `add` answered, and `settle` of the pool after it, nothing of them is written any more, also what they sent before.
 * The caps `profile rbd` are enough to add.
 */
export class RadosBlocklist {
  readonly #monCommand: (command: MonCommand, options?: CallOptions) => Promise<unknown>;
  readonly #catchUp: (options?: CallOptions) => Promise<unknown>;

  constructor(
    monCommand: (command: MonCommand, options?: CallOptions) => Promise<unknown>,
    catchUp: (options?: CallOptions) => Promise<unknown>,
  ) {
    this.#monCommand = monCommand;
    this.#catchUp = catchUp;
  }

  /**
   * Repeatable: one that is on it stays as long as was said first. An address is a watcher's or locker's. Disks hear of it from whoever knows: this client does when it answers, so a disk
   * that it asks for anything after that has heard.
   */
  async add(address: string, forMs: number, options?: CallOptions): Promise<void> {
    // The monitors take seconds as a fraction only: a whole number is another type to them.
    const expire = Math.floor(forMs / 1_000) + 0.5;
    await this.#monCommand({ prefix: 'osd blocklist', blocklistop: 'add', addr: address, expire }, options);
    await this.#catchUp(options);
  }

  /** Removing what is absent succeeds. A client that was on it needs a new connection. */
  async remove(address: string, options?: CallOptions): Promise<void> {
    await this.#monCommand({ prefix: 'osd blocklist', blocklistop: 'rm', addr: address }, options);
  }

  async list(options?: CallOptions): Promise<readonly BlocklistEntry[]> {
    const answer = await this.#monCommand({ prefix: 'osd blocklist ls' }, options);
    // Monitors write two lists one after the other, of addresses and of ranges: that is no JSON, and each entry is.
    const text = typeof answer === 'string' ? answer : JSON.stringify(answer);
    return [...text.matchAll(/"addr":"([^"]+)","until":"([^"]+)"/g)].map(([, address = '', until = '']) => ({
      address,
      until: new Date(until.replace(/(\.\d{3})\d*([+-]\d\d)(\d\d)$/, '$1$2:$3')),
    }));
  }
}
