import { join } from 'node:path';
import { type CommandRecord, mintedAtMs, type Outcome } from '@pileus/core/agent';
import { type Environment, Ids, type Json, timestamp } from '@pileus/core/kernel';
import { LogFile } from './log-file.ts';

/** A command as the agent keeps it. `input` is forgotten when it has ended: it may hold secrets. Refused: its outcome, by who was to be told. */
export interface Kept {
  readonly id: string;
  readonly type: string;
  /** Of type and input: tells a repeat from another command under the same id. */
  readonly digest: string;
  readonly acceptedAt: string;
  /** Of the span that it came from. */
  readonly traceparent?: string;
  input: Json;
  callbackUrl: string;
  attempts: number;
  state: 'queued' | 'running' | 'done';
  finishedAt?: string;
  outcome?: Outcome;
  acknowledgedAt?: string;
  refusedAt?: string;
}

/** Whether something is still to be done about it. */
export const isOpen = ({ acknowledgedAt, refusedAt }: Kept): boolean => acknowledgedAt === undefined && refusedAt === undefined;

/** Who may command: a newer incarnation of the store, or the same one in a later epoch. */
export interface Fence {
  readonly incarnation: string;
  readonly epoch: number;
}

type Entry =
  | { readonly t: 'agent'; readonly id: string }
  | { readonly t: 'fence'; readonly incarnation: string; readonly epoch: number }
  | { readonly t: 'forgot'; readonly untilMs: number }
  | { readonly t: 'command'; readonly command: Omit<Kept, 'input'> & { readonly input?: Json } }
  | { readonly t: 'begin'; readonly id: string }
  | { readonly t: 'callback'; readonly id: string; readonly url: string }
  | { readonly t: 'end'; readonly id: string; readonly at: string; readonly outcome: Outcome }
  | { readonly t: 'acknowledged'; readonly id: string; readonly at: string }
  | { readonly t: 'refused'; readonly id: string; readonly at: string; readonly url: string };

/** What a command is to do, apart from all else: it goes soon after its end. */
interface Told {
  readonly id: string;
  readonly input: Json;
}

export interface JournalOptions {
  readonly directory: string;
  readonly environment: Environment;
  /** Told once, when nothing can be promised any more. */
  readonly failed: (error: unknown) => void;
  /** How long a command is known after its outcome was acknowledged or refused. */
  readonly keepMs: number;
  /** And how many of them at most. */
  readonly keepMax: number;
}

/** Of garbage, before the file is made anew. */
const COMPACT_BYTES = 4 * 1024 * 1024;
/** After the end of a command, until what it was to do is on disk no more. */
const SCRUB_MS = 5_000;
const INCARNATIONS_MAX = 64;

/**
 * What the agent was told and what became of it, durable. A command is known from before its id is answered until long after its outcome was acknowledged; one
 * that is not known any more is told from one that comes late by the time in its id, and refused.
 */
export class Journal {
  readonly #options: JournalOptions;
  readonly #commands = new Map<string, Kept>();
  /** Oldest first; the last one holds. */
  #fences: Fence[] = [];
  #open = 0;
  #agentId = '';
  #forgotUntilMs = 0;
  #log: LogFile | undefined;
  #inputs: LogFile | undefined;
  #cancelScrub: (() => void) | undefined;
  #hasInputs = false;

  private constructor(options: JournalOptions) {
    this.#options = options;
  }

  static async open(options: JournalOptions): Promise<Journal> {
    const journal = new Journal(options);
    const told = new Map<string, Json>();
    const tell = (entry: Json) => {
      const { id, input } = entry as unknown as Told;
      told.set(id, input);
    };
    const path = join(options.directory, 'journal.log');
    journal.#log = await LogFile.open(path, (entry) => journal.#apply(entry as unknown as Entry), options.failed);
    try {
      journal.#inputs = await LogFile.open(join(options.directory, 'inputs.log'), tell, options.failed);
    } catch (error) {
      await journal.#log.close();
      throw error;
    }
    await journal.#join(told);
    if (journal.#agentId === '') {
      const { clock, random } = options.environment;
      await journal.#append({ t: 'agent', id: new Ids(clock, random).mint('agent') });
    }
    return journal;
  }

  get agentId(): string {
    return this.#agentId;
  }

  find(id: string): Kept | undefined {
    return this.#commands.get(id);
  }

  /** How many are not done, or not acknowledged. */
  get open(): number {
    return this.#open;
  }

  /** In the order in which they were accepted. */
  all(): IterableIterator<Kept> {
    return this.#commands.values();
  }

  /** Whether it may have been done and forgotten. */
  mayBeForgotten(id: string): boolean {
    return mintedAtMs(id) <= this.#forgotUntilMs;
  }

  /** Answers whether who says so may command, and keeps that he did. An incarnation that another one has followed is history. */
  async admits(fence: Fence): Promise<boolean> {
    const place = this.#fences.findIndex(({ incarnation }) => incarnation === fence.incarnation);
    const newest = this.#fences.at(-1);
    const isAhead = place === -1 || (place === this.#fences.length - 1 && fence.epoch > (newest?.epoch ?? 0));
    if (isAhead) await this.#append({ t: 'fence', ...fence });
    // Another may have come meanwhile, and be ahead of this one.
    const last = this.#fences.at(-1);
    return last?.incarnation === fence.incarnation && last.epoch === fence.epoch;
  }

  /** Known from now on, answered when that is durable. */
  async accept(command: Pick<Kept, 'id' | 'type' | 'digest' | 'input' | 'callbackUrl' | 'traceparent'>): Promise<void> {
    const kept: Kept = { ...command, acceptedAt: timestamp(this.#options.environment.clock), attempts: 0, state: 'queued' };
    this.#add(kept);
    const { input, ...known } = kept;
    const told: Told = { id: kept.id, input };
    await Promise.all([this.#inputsOpened.append(told as unknown as Json), this.#append({ t: 'command', command: known })]);
  }

  /** Answers when all that was said so far is durable. */
  async settled(): Promise<void> {
    await Promise.all([this.#inputsOpened.settled(), this.#opened.settled()]);
  }

  async begin(id: string): Promise<void> {
    await this.#append({ t: 'begin', id });
  }

  async callBackTo(id: string, url: string): Promise<void> {
    await this.#append({ t: 'callback', id, url });
  }

  /** The outcome can be seen when it is durable: nobody is told one that a crash could take back. */
  async end(id: string, outcome: Outcome): Promise<void> {
    await this.#append({ t: 'end', id, at: timestamp(this.#options.environment.clock), outcome });
    this.#cancelScrub ??= this.#options.environment.timers.after(SCRUB_MS, () => this.#scrub());
  }

  async acknowledge(id: string): Promise<void> {
    await this.#append({ t: 'acknowledged', id, at: timestamp(this.#options.environment.clock) });
  }

  /** Its outcome is told no more there. If it is to be told elsewhere by now, that holds. */
  async refuse(id: string, url: string): Promise<void> {
    await this.#append({ t: 'refused', id, at: timestamp(this.#options.environment.clock), url });
  }

  /** Forgets what was acknowledged or refused long ago. */
  async forget(): Promise<void> {
    const { environment, keepMs, keepMax } = this.#options;
    const settled = [...this.#commands.values()].filter((command) => !isOpen(command));
    const mintedMs = settled.map(({ id }) => mintedAtMs(id)).sort((a, b) => a - b);
    const tooMany = mintedMs[mintedMs.length - keepMax - 1] ?? 0;
    const untilMs = Math.max(environment.clock.nowMs() - keepMs, tooMany);
    const [oldest] = mintedMs;
    if (oldest !== undefined && oldest <= untilMs) await this.#append({ t: 'forgot', untilMs });
  }

  async close(): Promise<void> {
    if (this.#cancelScrub !== undefined) this.#scrub();
    await this.#inputsOpened.close();
    await this.#opened.close();
  }

  get #opened(): LogFile {
    if (this.#log === undefined) throw new Error('the journal is not open');
    return this.#log;
  }

  get #inputsOpened(): LogFile {
    if (this.#inputs === undefined) throw new Error('the journal is not open');
    return this.#inputs;
  }

  /** What commands are to do is with them again. One whose part of it is not there was never answered: the agent died before. */
  async #join(told: ReadonlyMap<string, Json>): Promise<void> {
    const log = this.#inputsOpened;
    const moved: Promise<void>[] = [];
    for (const command of this.#commands.values()) {
      if (command.state === 'done') continue;
      const { id, input } = command;
      // Releases before kept it in the one file.
      if (input !== null && !told.has(id)) moved.push(log.append({ id, input }));
      if (input !== null) continue;
      command.input = told.get(id) ?? null;
      if (command.input !== null) continue;
      this.#commands.delete(id);
      this.#open -= 1;
    }
    await Promise.all(moved);
    if (this.#hasInputs) this.#opened.compact(() => this.#entries());
    if (told.size > 0) this.#scrub();
  }

  /** Nothing is left on disk of what ended commands were to do. */
  #scrub(): void {
    this.#cancelScrub?.();
    this.#cancelScrub = undefined;
    const open = () => [...this.#commands.values()].filter(({ state }) => state !== 'done');
    this.#inputsOpened.compact(() => open().map(({ id, input }) => ({ id, input })));
  }

  async #append(entry: Entry): Promise<void> {
    const log = this.#opened;
    if (log.sizeBytes > 2 * log.compactedBytes + COMPACT_BYTES) log.compact(() => this.#entries());
    await log.append(entry as unknown as Json, () => this.#apply(entry));
  }

  #apply(entry: Entry): void {
    switch (entry.t) {
      case 'agent':
        this.#agentId = entry.id;
        return;
      case 'fence':
        this.#applyFence(entry);
        return;
      case 'forgot':
        this.#forgotUntilMs = Math.max(this.#forgotUntilMs, entry.untilMs);
        for (const command of this.#commands.values())
          if (!isOpen(command) && this.mayBeForgotten(command.id)) this.#commands.delete(command.id);
        return;
      case 'command':
        if (entry.command.input !== undefined) this.#hasInputs = true;
        if (!this.#commands.has(entry.command.id)) this.#add({ input: null, ...entry.command });
        return;
      default:
        this.#applyTo(this.#commands.get(entry.id), entry);
    }
  }

  #add(command: Kept): void {
    this.#commands.set(command.id, command);
    if (isOpen(command)) this.#open += 1;
  }

  /** Only forward: of two that were asked for at once the one that is ahead holds, whichever was written last. */
  #applyFence({ incarnation, epoch }: Fence): void {
    const place = this.#fences.findIndex((fence) => fence.incarnation === incarnation);
    if (place === -1) this.#fences = [...this.#fences, { incarnation, epoch }].slice(-INCARNATIONS_MAX);
    else if (place === this.#fences.length - 1 && epoch > (this.#fences.at(-1)?.epoch ?? 0)) this.#fences[place] = { incarnation, epoch };
  }

  #applyTo(command: Kept | undefined, entry: Extract<Entry, { t: 'begin' | 'callback' | 'end' | 'acknowledged' | 'refused' }>): void {
    if (command === undefined) return;
    const wasOpen = isOpen(command);
    if (entry.t === 'begin') Object.assign(command, { state: 'running', attempts: command.attempts + 1 });
    if (entry.t === 'callback') {
      command.callbackUrl = entry.url;
      delete command.refusedAt;
    }
    if (entry.t === 'end') Object.assign(command, { state: 'done', finishedAt: entry.at, outcome: entry.outcome, input: null });
    if (entry.t === 'acknowledged') command.acknowledgedAt = entry.at;
    if (entry.t === 'refused' && command.callbackUrl === entry.url) command.refusedAt = entry.at;
    this.#open += Number(isOpen(command)) - Number(wasOpen);
  }

  /** All of it, in as few words as there are. */
  #entries(): readonly Json[] {
    const entries: readonly Entry[] = [
      { t: 'agent', id: this.#agentId },
      ...this.#fences.map((fence) => ({ t: 'fence' as const, ...fence })),
      { t: 'forgot', untilMs: this.#forgotUntilMs },
      ...[...this.#commands.values()].map(({ input: _, ...command }) => ({ t: 'command' as const, command })),
    ];
    return entries as unknown as readonly Json[];
  }
}

/** As it is shown. */
export const recordOf = (kept: Kept): CommandRecord => ({
  commandId: kept.id,
  type: kept.type,
  state: kept.state,
  acceptedAt: kept.acceptedAt,
  attempts: kept.attempts,
  ...(kept.finishedAt === undefined ? {} : { finishedAt: kept.finishedAt }),
  ...(kept.acknowledgedAt === undefined ? {} : { acknowledgedAt: kept.acknowledgedAt }),
  ...(kept.refusedAt === undefined ? {} : { refusedAt: kept.refusedAt }),
  ...(kept.outcome === undefined ? {} : { outcome: kept.outcome }),
});
