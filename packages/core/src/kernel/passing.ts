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
 * A head that is stuck stands aside for a forced operation behind it. When there is no way back for that one, the head ends as it is, its effects are for the
 * forced one to remove. Where the forced one comes to nothing, as its plan has changed, the head goes on: else nobody would end what it has begun.
 */
export class Passing {
  readonly #ports: PassingPorts;

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
  standAside(head: Live, forced: Live): void {
    asAfterRestart(head);
    forced.passed = [...(forced.passed ?? []), head];
    for (const next of this.#ports.queues.aside(head.id)) if (this.#ports.live(next) !== undefined) this.#ports.ready(next);
  }

  async supersede(forced: Live): Promise<void> {
    for (const head of forced.passed ?? []) {
      await this.#ports.drive(head);
      if (this.#ports.live(head.id) !== undefined) throw new Error(`operation ${head.id}, which ${forced.id} supersedes, has not ended`);
    }
    forced.passed = [];
  }

  /** They are the first again, before anybody else can be; what is answered lets them go on. */
  giveBack(forced: Live): () => void {
    const heads = forced.passed ?? [];
    forced.passed = [];
    for (const head of heads) {
      delete head.asideFor;
      this.#ports.queues.back(head.id);
    }
    return () => {
      for (const { id } of heads) this.#ports.ready(id);
    };
  }
}
