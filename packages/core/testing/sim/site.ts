import type { Environment } from '../../src/kernel/environment.ts';

/** `refused`: connections fail at once. `partitioned`: packets vanish, both ways. */
export type Reach = 'connected' | 'refused' | 'partitioned';

/** A request on its way: exactly one of these is called, once. */
export interface Arrival {
  land(): void;
  /** The site cannot be reached, and the sender learns so. */
  refuse(): void;
  /** It vanishes, and the sender learns nothing. */
  lose(): void;
}

/** A place that answers calls: a host, or the servers of a shared storage. */
export class SimSite {
  readonly name: string;
  reach: Reach = 'connected';
  /** Requests that found it out of order: lost on the way, refused, held by a frozen one, or gone down with it. */
  readonly met = { lost: 0, refused: 0, held: 0, dropped: 0 };
  readonly #environment: Environment;
  readonly #latencyMs: () => number;
  #up = true;
  #frozen = false;
  #life = 0;
  #held: Arrival[] = [];

  constructor(name: string, environment: Environment, latencyMs: () => number) {
    this.name = name;
    this.#environment = environment;
    this.#latencyMs = latencyMs;
  }

  get up(): boolean {
    return this.#up;
  }

  get frozen(): boolean {
    return this.#frozen;
  }

  /** Down, frozen or out of reach. */
  get isTroubled(): boolean {
    return !this.#up || this.#frozen || this.reach !== 'connected';
  }

  /** Counts its crashes: an answer of an earlier life is lost. */
  get life(): number {
    return this.#life;
  }

  /** True if an answer made in `life` still gets out. */
  answers(life: number): boolean {
    return this.#up && !this.#frozen && this.reach !== 'partitioned' && life === this.#life;
  }

  receive(arrival: Arrival): void {
    if (this.reach === 'partitioned') {
      this.met.lost += 1;
      arrival.lose();
    } else if (!this.#up || this.reach === 'refused') {
      this.met.refused += 1;
      arrival.refuse();
    } else if (this.#frozen) {
      this.met.held += 1;
      this.#held.push(arrival);
    } else arrival.land();
  }

  freeze(): void {
    this.#frozen = true;
  }

  /** What was held lands now, each after a latency of its own: in any order, as a backend with many workers does it. */
  thaw(): void {
    this.#frozen = false;
    const life = this.#life;
    for (const arrival of this.#held.splice(0))
      this.#environment.timers.after(this.#latencyMs(), () => {
        if (this.#up && life === this.#life) arrival.land();
        else arrival.lose();
      });
  }

  crash(): void {
    this.#up = false;
    this.#frozen = false;
    this.#life += 1;
    this.met.dropped += this.#held.length;
    for (const arrival of this.#held.splice(0)) arrival.lose();
  }

  boot(): void {
    this.#up = true;
  }
}
