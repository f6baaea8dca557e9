import { asAfterRestart, type Live } from './live-operation.ts';
import type { Queues } from './queues.ts';

interface PassingPorts {
  readonly queues: Queues;
  readonly live: (id: string) => Live | undefined;
  readonly ready: (id: string) => void;
  /** Runs it to its end. */
  readonly drive: (live: Live) => Promise<void>;
}

/**
 * A head that is stuck stands aside for a forced operation behind it, and so for what waits between the two. When there is no way back for a deletion that takes
 * its resource along, the head ends as it is, its effects are for that deletion to remove. Where the forced one comes to nothing, as its plan has changed, the head
 * goes on: else nobody would end what it has begun.
 */
export class Passing {
  readonly #ports: PassingPorts;
  readonly #aside = new Set<Live>();

  constructor(ports: PassingPorts) {
    this.#ports = ports;
  }

  /** One whose resource it does not take along the forced one waits for. */
  pass(forced: Live): void {
    for (const key of forced.keys) {
      const head = this.#ports.live(this.#ports.queues.of(key)[0] ?? '');
      if (head?.run?.stuck !== true || head.asideFor !== undefined) continue;
      if (forced.cancelRequested || !forced.keys.includes(head.resourceId)) continue;
      head.asideFor = forced.id;
      head.run.park();
    }
  }

  /** A head that gets stuck may have a forced operation behind it already. */
  yieldToForced(stuck: Live): void {
    const behind = stuck.keys.flatMap((key) => this.#ports.queues.of(key)).map((id) => this.#ports.live(id));
    const forced = behind.find((live) => live?.forced === true && live !== stuck && live.keys.includes(stuck.resourceId));
    if (forced !== undefined) this.pass(forced);
  }

  /** Its run is parked. */
  standAside(head: Live): void {
    asAfterRestart(head);
    this.#aside.add(head);
    for (const next of this.#ports.queues.aside(head.id)) if (this.#ports.live(next) !== undefined) this.#ports.ready(next);
  }

  /** What a deletion that is about to begin has to do before there is no way back for it; undefined where nobody stands aside. */
  supersedes(deletion: Live): (() => Promise<void>) | undefined {
    const heads = [...this.#aside].filter(({ resourceId }) => deletion.keys.includes(resourceId));
    return heads.length === 0 ? undefined : () => this.#supersede(deletion, heads);
  }

  async #supersede(deletion: Live, heads: readonly Live[]): Promise<void> {
    for (const head of heads) {
      if (!this.#aside.delete(head)) continue;
      head.supersededBy = deletion.id;
      await this.#ports.drive(head);
      if (this.#ports.live(head.id) !== undefined) throw new Error(`operation ${head.id}, which ${deletion.id} supersedes, has not ended`);
    }
  }

  /** They are the first again, before anybody else can be; what is answered lets them go on. */
  giveBack(forced: Live): () => void {
    const heads = [...this.#aside].filter(({ asideFor }) => asideFor === forced.id);
    for (const head of heads) {
      this.#aside.delete(head);
      delete head.asideFor;
      this.#ports.queues.back(head.id);
    }
    return () => {
      for (const { id } of heads) this.#ports.ready(id);
    };
  }
}
