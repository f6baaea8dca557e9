import type { Writer } from '@pileus/core/strategy';
import type { Bounds } from '../ovn/bounds.ts';
import { DriverError } from '../ovn/driver-error.ts';
import { Milestone } from '../ovn/milestone.ts';
import { type Address, everyRow, type OpenVswitch, type Operation, OvsdbClient, OvsdbError, openVswitch } from '../ovsdb/index.ts';
import { clearLeftQueues } from './left-queues.ts';
import { SELECTION, type SwitchReplica, SwitchView } from './switch-view.ts';

const { Open_vSwitch } = openVswitch.tables;

export type Change = 'same' | 'changed' | 'overtaken';

/** The database of one host's switch, as a place where networks are kept. */
export class HostSwitch implements AsyncDisposable {
  readonly host: string;
  readonly view: SwitchView;
  readonly #client: OvsdbClient<OpenVswitch>;
  readonly #replica: SwitchReplica;
  readonly #epochKey: string;
  readonly #epoch: number;
  readonly #milestone: Milestone;

  constructor(host: string, address: Address, { cloudId, epoch }: Writer, milestone = new Milestone()) {
    this.#milestone = milestone;
    this.host = host;
    this.#client = new OvsdbClient({ database: openVswitch, remotes: [address] });
    this.#replica = this.#client.replicate(SELECTION);
    this.view = new SwitchView(host, this.#replica);
    this.#epochKey = `pileus-epoch-${cloudId}`;
    this.#epoch = epoch;
  }

  /** Resolves when we have what was there when it was called. */
  async look(bounds: Bounds): Promise<void> {
    await this.#replica.ready(bounds.left);
    await this.#recorded(bounds);
  }

  /** Whether the switch does what its database says: it counts up to where it was told that has come. */
  async follows(bounds: Bounds): Promise<boolean> {
    const asked = this.#milestone.isTime ? [Open_vSwitch.mutate(everyRow, { next_cfg: { add: 1 } })] : [];
    const results = await this.#client.transact([Open_vSwitch.select(everyRow, ['cur_cfg', 'next_cfg']), ...asked], bounds.left);
    const [row] = results[0];
    if (row === undefined) return false;
    if (asked.length > 0) this.#milestone.tell(row.next_cfg + 1);
    return !this.#milestone.isAhead(row.cur_cfg);
  }

  /**
   * Does what `difference` finds in what is there at that moment. When it was overtaken nothing was done, and who decides by more than this host has to look at
   * all of it again.
   * @throws DriverError conflict a newer epoch writes
   */
  async change(bounds: Bounds, difference: () => readonly Operation[]): Promise<Change> {
    const operations = difference();
    if (operations.length === 0) return 'same';
    await this.#claim(bounds);
    try {
      await this.#client.transact([this.#asRecorded(), ...operations], bounds.left);
      return 'changed';
    } catch (error) {
      if (!(error instanceof OvsdbError) || !OVERTAKEN.has(error.code)) throw error;
      if (bounds.passed) throw new DriverError('unavailable', `others keep changing what is on host ${this.host}`, { cause: error });
      return 'overtaken';
    }
  }

  /** Takes away what libvirt has left of machines that are off. */
  clearLeft(bounds: Bounds): Promise<void> {
    return clearLeftQueues(this.#client, bounds.left);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.close();
  }

  #asRecorded(): Operation {
    const recorded = { [this.#epochKey]: String(this.#epoch) };
    return Open_vSwitch.wait([['external_ids', 'includes', recorded]], { until: '!=', columns: ['bridges'], rows: [] });
  }

  /** Has our epoch in the database. @throws DriverError conflict when a newer one is there */
  async #claim(bounds: Bounds): Promise<void> {
    for (let recorded = await this.#recorded(bounds); recorded !== this.#epoch; recorded = await this.#recorded(bounds)) {
      if (recorded !== undefined && recorded > this.#epoch)
        throw new DriverError('conflict', `the epoch here is ${this.#epoch}; a node with ${recorded} writes to host ${this.host} now`);
      const is = recorded === undefined ? 'excludes' : 'includes';
      // In place of the key's absence: no epoch is -1.
      const seen = { [this.#epochKey]: String(recorded ?? -1) };
      await this.#client
        .transact(
          [
            Open_vSwitch.wait([['external_ids', is, seen]], { until: '!=', columns: ['bridges'], rows: [] }),
            Open_vSwitch.mutate(everyRow, { external_ids: { put: { [this.#epochKey]: String(this.#epoch) } } }),
          ],
          bounds.left,
        )
        .catch((error: unknown) => {
          if (!(error instanceof OvsdbError && error.code === 'wait_failed')) throw error;
        });
    }
  }

  /** The answer comes after the replica has all that went before. */
  async #recorded(bounds: Bounds): Promise<number | undefined> {
    const [rows] = await this.#client.transact([Open_vSwitch.select(everyRow, ['external_ids'])], bounds.left);
    const [row] = rows;
    if (row === undefined) throw new DriverError('unavailable', `the switch of host ${this.host} has never been started`);
    const text = row.external_ids[this.#epochKey];
    return text === undefined ? undefined : Number(text);
  }
}

/** What it was computed from is not what is there: a row has changed, is new, or is gone. */
const OVERTAKEN: ReadonlySet<string> = new Set(['wait_failed', 'constraint_violation', 'broken_reference']);
