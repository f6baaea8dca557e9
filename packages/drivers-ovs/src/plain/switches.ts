import type { RealmHost, RealmHosts, Writer } from '@pileus/core/strategy';
import { Bounds } from '../ovn/bounds.ts';
import type { Address } from '../ovsdb/index.ts';
import type { SwitchFacts } from './compile.ts';
import { removalOf } from './difference.ts';
import { HostSwitch } from './host-switch.ts';

/** How long a host that is no more the cloud's may take to give back what it has of us. */
const LEAVING_MS = 5_000;

export interface KnownSwitch {
  readonly known: RealmHost;
  readonly at: HostSwitch;
}

/** The hosts of the cloud at one moment, with their switches. */
export interface Realm {
  readonly all: readonly KnownSwitch[];
  /** Those of them that are not known to be out of reach. All of them have been looked at. */
  readonly answering: readonly KnownSwitch[];
  /** Whether a host that is not among them is none of the cloud's for certain. */
  readonly isComplete: boolean;
}

/** The switches of the cloud's hosts, as these come and go. */
export class Switches {
  readonly #hosts: () => Promise<RealmHosts>;
  readonly #addressOf: (host: RealmHost) => Address;
  readonly #writer: Writer;
  readonly #opened = new Map<string, { readonly at: HostSwitch; readonly address: string }>();
  #isClosed = false;

  constructor(hosts: () => Promise<RealmHosts>, addressOf: (host: RealmHost) => Address, writer: Writer) {
    this.#hosts = hosts;
    this.#addressOf = addressOf;
    this.#writer = writer;
  }

  /** Resolves when we have what was there when it was called. */
  async look(bounds: Bounds): Promise<Realm> {
    const { hosts, isComplete } = await this.#hosts();
    if (isComplete) await this.#leave(new Set(hosts.map(({ host }) => host)));
    const all = hosts.map((known) => ({ known, at: this.#open(known) }));
    const answering = all.filter(({ known }) => known.answers);
    await Promise.all(answering.map(({ at }) => at.look(bounds)));
    return { all, answering, isComplete };
  }

  /** One host of the cloud, looked at alone: the others may answer or not. Undefined of who is none. @throws what keeps it from being looked at */
  async lookAt(host: string, bounds: Bounds): Promise<HostSwitch | undefined> {
    const known = (await this.#hosts()).hosts.find((each) => each.host === host);
    const at = known && this.#open(known);
    await at?.look(bounds);
    return at;
  }

  /** What a host has told when it was last looked at. Undefined of one that has told nothing yet. */
  factsOf(host: string): SwitchFacts | undefined {
    const at = this.#opened.get(host)?.at;
    return at?.view.isKnown === true ? at.view.facts() : undefined;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#opened.values()].map(({ at }) => at[Symbol.asyncDispose]()));
  }

  #open(known: RealmHost): HostSwitch {
    const address = this.#addressOf(known);
    const text = JSON.stringify(address);
    const opened = this.#opened.get(known.host);
    if (opened?.address === text) return opened.at;
    void opened?.at[Symbol.asyncDispose]();
    const at = new HostSwitch(known.host, address, this.#writer);
    this.#opened.set(known.host, { at, address: text });
    if (this.#isClosed) void at[Symbol.asyncDispose]();
    return at;
  }

  /** Those that are the cloud's no more. Their networks go, as far as nothing is plugged in; of one that does not answer nothing more can be done. */
  async #leave(there: ReadonlySet<string>): Promise<void> {
    const gone = [...this.#opened].filter(([host]) => !there.has(host));
    for (const [host] of gone) this.#opened.delete(host);
    await Promise.all(gone.map(([, { at }]) => this.#clear(at).catch(() => {})));
  }

  async #clear(at: HostSwitch): Promise<void> {
    const bounds = new Bounds({ signal: AbortSignal.timeout(LEAVING_MS), timeoutMs: LEAVING_MS });
    try {
      await at.look(bounds);
      for (const id of at.view.networkIds())
        await at.change(bounds, () => {
          const carried = at.view.carried(id);
          const isOurs = carried?.network.owner === this.#writer.cloudId;
          return !isOurs || carried.plugged.length > 0 || carried.nicIds.length > 0 ? [] : removalOf(at.view, id);
        });
    } finally {
      await at[Symbol.asyncDispose]();
    }
  }
}
