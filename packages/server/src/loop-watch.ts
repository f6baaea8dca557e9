import type { Environment, Marks } from '@pileus/core/kernel';

/** What holds the event loop for longer is named. */
const HELD_MS = 50;
/** How often the loop is looked at while there is something to do: what holds it begins at most so long before it is missed. */
const TICK_MS = 10;
/** Marks kept: those of many times `HELD_MS`. */
const MARKS = 2048;
const LOG_EVERY_MS = 10_000;
const PATH_INDEX = /\[[^\]]*\]/g;
/** No single piece took long: too many came in one turn. */
const MANY = 'many pieces';

interface Mark {
  readonly atMs: number;
  readonly ended: boolean;
  readonly area: string;
  readonly name: string;
  readonly id: string;
}

/** Between two marks, or since the last. */
interface Held {
  readonly what: string;
  readonly id: string;
  readonly ms: number;
}

/**
 * Names what holds the event loop. While there is work a timer is due all the time; when it comes late, the marks of that time tell what took so long: the
 * piece that began before the gap between two of them, or the one that ended after it. Costs a clock reading for each mark, and nothing at rest.
 */
export class LoopWatch implements Marks {
  readonly #environment: Environment;
  readonly #told: (what: string, seconds: number) => void;
  readonly #cpuMs: () => number;
  #marks: Mark[] = [];
  #armed = false;
  #loggedMs = Number.NEGATIVE_INFINITY;
  /** Since the last line. */
  #unlogged = 0;

  constructor(environment: Environment, told: (what: string, seconds: number) => void, cpuMs = threadCpuMs) {
    this.#environment = environment;
    this.#told = told;
    this.#cpuMs = cpuMs;
  }

  begin(area: string, name: string, id: string): void {
    this.#note({ atMs: this.#environment.clock.monotonicMs(), ended: false, area, name, id });
  }

  end(area: string, name: string, id: string): void {
    this.#note({ atMs: this.#environment.clock.monotonicMs(), ended: true, area, name, id });
  }

  #note(mark: Mark): void {
    if (this.#marks.length < MARKS) this.#marks.push(mark);
    if (!this.#armed) this.#arm(mark.atMs);
  }

  #arm(atMs: number): void {
    this.#armed = true;
    const cpuMs = this.#cpuMs();
    this.#environment.timers.after(TICK_MS, () => this.#tick(atMs, cpuMs));
  }

  #tick(fromMs: number, fromCpuMs: number): void {
    const nowMs = this.#environment.clock.monotonicMs();
    const marks = this.#marks;
    this.#marks = [];
    this.#armed = false;
    if (nowMs - fromMs > HELD_MS) this.#report(marks, nowMs - fromMs, nowMs, this.#cpuMs() - fromCpuMs);
    if (marks.length > 0) this.#arm(nowMs);
  }

  #report(marks: readonly Mark[], turnMs: number, nowMs: number, cpuMs: number): void {
    const holders = holdersOf(marks, nowMs);
    const found: readonly Held[] = holders.length > 0 ? holders : [{ what: MANY, id: '', ms: turnMs }];
    for (const { what, ms } of found) this.#told(what, ms / 1000);
    this.#unlogged += found.length;
    if (nowMs - this.#loggedMs < LOG_EVERY_MS) return;
    const [first] = found.toSorted((a, b) => b.ms - a.ms);
    const times = this.#unlogged;
    this.#loggedMs = nowMs;
    this.#unlogged = 0;
    // Much less processor time than that: the machine had none to give, or something waited without letting go.
    this.#environment.logger.info({ ...first, ms: Math.round(first?.ms ?? 0), cpuMs: Math.round(cpuMs), times }, 'the event loop was held');
  }
}

function holdersOf(marks: readonly Mark[], nowMs: number): readonly Held[] {
  // Of what came after the last that was kept nothing is known.
  const untilMs = marks.length < MARKS ? nowMs : (marks.at(-1)?.atMs ?? nowMs);
  return marks.flatMap((mark, index) => {
    const next = marks[index + 1];
    const ms = (next?.atMs ?? untilMs) - mark.atMs;
    if (ms <= HELD_MS) return [];
    // What has just ended held it; else what had begun; between two of them, what the next was begun by.
    const { area, name, id } = next !== undefined && (next.ended || mark.ended) ? next : named(mark, marks);
    return [{ what: `${area} ${name.replaceAll(PATH_INDEX, '[]')}`, id, ms }];
  });
}

/** Only its end knows which route a request has. */
const named = (mark: Mark, marks: readonly Mark[]): Mark =>
  marks.find((other) => other.ended && other.area === mark.area && other.id === mark.id && other.name.startsWith(mark.name)) ?? mark;

function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
