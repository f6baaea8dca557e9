import {
  announce,
  CloudError,
  change,
  create,
  equals,
  type KernelServices,
  type RowOf,
  timestamp,
  transition,
} from '../../../kernel/index.ts';
import type { Call, ContinuityMark } from '../../../strategy/index.ts';
import { fabricLost } from '../points.ts';
import { fabric } from './fabric.ts';

/** What is left in a fabric, to know it again. */
export interface MarkPlace {
  read(call: Call): Promise<ContinuityMark | undefined>;
  write(mark: ContinuityMark, call: Call): Promise<void>;
}

type Services = Pick<KernelServices, 'reader' | 'kernel' | 'ids' | 'environment'>;
type FabricRow = RowOf<typeof fabric>;

/** A copy that is older than this is known for one. What a younger one lacks, the next look makes again. */
export const MARK_EVERY_MS = 600_000;

/**
 * Whether a fabric is the one that we have left. Known once, it is believed until the next look: a control plane that was down meanwhile looks before it writes.
 */
export class Continuity {
  readonly #services: Services;
  readonly #driver: string;
  readonly #place: MarkPlace;
  #known: 'ready' | 'lost' | undefined;
  #checking: Promise<void> | undefined;
  #markedAtMs: number | undefined;

  constructor(services: Services, driver: string, place: MarkPlace) {
    this.#services = services;
    this.#driver = driver;
    this.#place = place;
  }

  /** Before anything is changed there. @throws CloudError conflict */
  async need(call: Call): Promise<void> {
    if (this.#known === undefined) await this.#checkOnce(call);
    this.refuseLost();
  }

  /** By what is known now: for requests, which are refused before anything is written for them. @throws CloudError conflict */
  refuseLost(): void {
    if (this.#known === 'lost')
      throw new CloudError(
        'conflict',
        `The network fabric ${this.#driver} is lost: it has come back empty, or as it was before. Nothing is changed there until an operator has looked at it and has it built anew (fabric.rebuild).`,
        { params: { driver: this.#driver } },
      );
  }

  /** At each look. Answers whether all is as it was left; from time to time that is marked. What nobody has used yet is as it was left. */
  async look(call: Call): Promise<boolean> {
    if ((await this.#row()) === undefined) return true;
    this.#known = undefined;
    await this.#checkOnce(call);
    if (this.#known !== 'ready') return false;
    const nowMs = this.#services.environment.clock.monotonicMs();
    this.#markedAtMs ??= nowMs;
    if (nowMs - this.#markedAtMs >= MARK_EVERY_MS) {
      this.#markedAtMs = nowMs;
      await this.#mark(call);
    }
    return true;
  }

  /** Built anew, or about to be: what was known of it is not. */
  forget(): void {
    this.#known = undefined;
  }

  /** Shared by all who wait for it. */
  #checkOnce(call: Call): Promise<void> {
    this.#checking ??= this.#check(call).finally(() => {
      this.#checking = undefined;
    });
    return this.#checking;
  }

  async #check(call: Call): Promise<void> {
    const row = (await this.#row()) ?? (await this.#begin(call));
    if (row.state === 'lost') {
      this.#known = 'lost';
      return;
    }
    const mark = await this.#place.read(call);
    const reason = problemOf(row, mark);
    if (reason !== undefined) await this.#lose(row, reason);
    this.#known = reason === undefined ? 'ready' : 'lost';
  }

  async #row(): Promise<FabricRow | undefined> {
    const [row] = await this.#services.reader.list(fabric, equals('driver', this.#driver), { limit: 1 });
    return row;
  }

  /** At first use. A mark that is there is ours: the store that knew it is gone. */
  async #begin(call: Call): Promise<FabricRow> {
    const { ids, kernel } = this.#services;
    const id = ids.mint('fabric');
    const there = await this.#place.read(call);
    const { life, serial } = there ?? { life: id, serial: 1 };
    if (there === undefined) await this.#place.write({ life, serial }, call);
    // `exists` means that another has begun meanwhile.
    await kernel().observe([create(fabric, { id, name: this.#driver, driver: this.#driver, life, serial })]);
    const row = await this.#row();
    if (row === undefined) throw new CloudError('unavailable', `The network fabric ${this.#driver} could not be taken into use.`);
    return row;
  }

  async #lose(row: FabricRow, message: string): Promise<void> {
    const { kernel, environment } = this.#services;
    environment.logger.error(
      { driver: this.#driver, reason: message },
      'a network fabric is not the one that was left; nothing is changed there',
    );
    const stateReason = { code: 'fabric_lost', message, at: timestamp(environment.clock) };
    await kernel().observe([
      transition(fabric, row.id, { from: 'ready', to: 'lost', set: { stateReason }, expect: { generation: row.generation } }),
      announce(fabricLost, `${row.id}/${row.generation}`, { fabricId: row.id, driver: this.#driver, reason: message }),
    ]);
  }

  /** First there, then here: what is there is never older than what is known. */
  async #mark(call: Call): Promise<void> {
    const row = await this.#row();
    if (row?.state !== 'ready') return;
    const serial = row.serial + 1;
    await this.#place.write({ life: row.life, serial }, call);
    await this.#services.kernel().observe([change(fabric, row.id, { serial }, { generation: row.generation })]);
  }
}

/** Why what is there is not what was left. */
function problemOf({ life, serial }: FabricRow, mark: ContinuityMark | undefined): string | undefined {
  if (mark === undefined) return 'It is empty: the mark that the cloud has left there is gone.';
  if (mark.life !== life) return 'It bears a mark of another life.';
  return mark.serial < serial ? `It is a copy of before: its mark is number ${mark.serial}, and ${serial} was the last.` : undefined;
}
