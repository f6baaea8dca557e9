import { asAfterRestart, type Live, placeOf } from './live-operation.ts';
import type { Queues } from './queues.ts';
import type { RunPorts } from './saga/subject.ts';

interface PassingPorts {
  readonly queues: Queues;
  readonly live: (id: string) => Live | undefined;
  readonly ready: (id: string) => void;
  /** Whether this release knows what it does. */
  readonly isKnown: (live: Live) => boolean;
  /** Whether its acceptance has made what it takes back where it fails. */
  readonly takesBack: (live: Live) => boolean;
  /** Ids of the rows that a deletion deletes, by its parameters. */
  readonly takes: (live: Live, params: unknown) => readonly string[];
  /** More keys for one that runs. */
  readonly extend: (live: Live, keys: readonly string[]) => void;
  /** Runs it to its end. */
  readonly drive: (live: Live) => Promise<void>;
}

/**
 * A forced deletion does not wait for operations that are stuck on what it deletes. When only such are ahead of it, and what has not begun, they stand aside:
 * parked, with their places and keys kept. Before its first forward-only step they are ended as they are, since the deletion removes what they leave; until then
 * it may come to nothing, as its plan has changed, and they go on: else nobody would end what they have begun.
 */
export class Passing {
  readonly #ports: PassingPorts;
  readonly #forced = new Set<Live>();
  readonly #aside = new Set<Live>();

  constructor(ports: PassingPorts) {
    this.#ports = ports;
  }

  /** After a restart, in the order of their queues: who has begun behind another that has begun had passed that, which is to do nothing more before it. */
  restore(lives: readonly Live[]): void {
    const begun = new Map(lives.flatMap((live) => (live.queued ? [] : [[live.id, live] as const])));
    for (const forced of begun.values()) {
      if (!forced.forced) continue;
      const ahead = [...new Set(this.#ports.queues.ahead(forced.id))].flatMap((id) => begun.get(id) ?? []);
      const heads = ahead.filter(({ asideFor }) => asideFor === undefined);
      if (heads.length === 0 || ![forced, ...heads].every(this.#ports.isKnown)) continue;
      this.#putAside(forced, heads);
      for (const head of heads) this.#aside.add(head);
    }
  }

  #putAside(forced: Live, heads: readonly Live[]): void {
    for (const head of heads) head.asideFor = forced.id;
    this.#ports.queues.pass(
      forced.id,
      heads.map(({ id }) => id),
    );
  }

  wait(forced: Live, params: unknown): void {
    if (this.#ports.live(forced.id) !== forced) return;
    forced.targets = new Set(this.#ports.takes(forced, params));
    this.#forced.add(forced);
    this.#pass(forced);
  }

  /** Something has got stuck in the queues of these, or has left them. */
  look(keys: readonly string[]): void {
    const { queues, live } = this.#ports;
    for (const key of this.#forced.size === 0 ? [] : keys) {
      const queue = queues.of(key);
      const first = live(queue.find((id) => live(id)?.asideFor === undefined) ?? '');
      // Nobody passes one that is at work.
      if (first === undefined || (first.isDriven === true && first.run?.stuck !== true)) continue;
      for (const one of queue.map(live)) if (one !== undefined && this.#forced.has(one)) this.#pass(one);
    }
  }

  /** On rows that it does not delete it waits for what is stuck, and for what has begun and waits itself. */
  #pass(forced: Live): void {
    if (forced.isDriven === true || forced.asideFor !== undefined || (forced.cancelRequested && forced.queued)) return;
    const { queues, live } = this.#ports;
    const heads = new Set<Live>();
    const aside = new Set<Live>();
    for (const id of queues.ahead(forced.id)) {
      const other = live(id);
      const isTarget = other !== undefined && forced.targets?.has(other.resourceId) === true;
      if (isTarget && other.asideFor !== undefined) aside.add(other);
      else if (isTarget && other.run?.stuck === true) heads.add(other);
      else if (other?.isDriven === true || other?.asideFor !== undefined || other?.queued === false || queues.isFirst(id)) return;
    }
    const mine = new Set([forced.id, ...[...heads].map(({ id }) => id)]);
    const goes = (one: Live | undefined): boolean => one?.asideFor !== undefined && (mine.has(one.asideFor) || goes(live(one.asideFor)));
    if (heads.size === 0 || ![...aside].every(goes)) return;
    this.#putAside(forced, [...heads]);
    for (const head of heads) head.run?.park();
  }

  /** Its run is parked. */
  standAside(head: Live): void {
    asAfterRestart(head);
    this.#aside.add(head);
    const forced = this.#ports.live(head.asideFor ?? '');
    if (forced === undefined) this.#goOn(head);
    else if (this.#isFree(forced)) this.#ports.ready(forced.id);
  }

  /** Nobody stands in its way, and whoever is to stand aside has let go of what was at work. */
  #isFree(forced: Live): boolean {
    const { queues, live } = this.#ports;
    return queues.isFirst(forced.id) && ![...queues.ahead(forced.id)].some((id) => live(id)?.isDriven === true);
  }

  /** Whether it has to wait for one that is still at work, though it is to stand aside. */
  isHeldUp(forced: Live): boolean {
    return forced.forced && !this.#isFree(forced);
  }

  hasPassed(forced: Live): boolean {
    return [...this.#aside].some(({ asideFor }) => asideFor === forced.id);
  }

  /** What a forced one has to do before there is no way back for it: until it is done once, however often it is called. Undefined of others. */
  supersedes(one: Live): RunPorts['beforePivot'] {
    let done: Promise<void> | undefined;
    if (!one.forced) return undefined;
    return (take) => {
      done ??= this.#supersedeAll(one, take).catch((error: unknown) => {
        done = undefined;
        throw error;
      });
      return done;
    };
  }

  /** What those that it ends hold is its own until it has removed what they leave. */
  async #supersedeAll(deletion: Live, take: (keys: readonly string[]) => Promise<void>): Promise<void> {
    deletion.targets = new Set(this.#ports.takes(deletion, deletion.run?.params));
    const heads = this.#asideFor(deletion, deletion.targets);
    const hopeless = this.#hopelessBehind(deletion, deletion.targets);
    if (heads.length === 0 && hopeless.length === 0) return;
    const keys = new Set(deletion.keys);
    const more = [...new Set(heads.flatMap((head) => head.keys.filter((key) => !keys.has(key))))];
    await take([...deletion.keys, ...more]);
    this.#ports.extend(deletion, more);
    for (const other of [...heads, ...hopeless]) {
      other.supersededBy = deletion;
      await this.#ports.drive(other);
      if (this.#ports.live(other.id) !== undefined) {
        asAfterRestart(other);
        throw new Error(`operation ${other.id}, which ${deletion.id} supersedes, has not ended`);
      }
      this.#aside.delete(other);
    }
  }

  /** Those that it went before and whose rows it deletes could neither go on with what is gone nor take it back. */
  #hopelessBehind(deletion: Live, targets: ReadonlySet<string>): readonly Live[] {
    const { queues, live, isKnown, takesBack } = this.#ports;
    const behind = queues.behind(deletion.id).flatMap((id) => live(id) ?? []);
    const isPassed = (one: Live) => one.isDriven !== true && placeOf(one) < placeOf(deletion);
    return behind.filter((one) => isPassed(one) && isKnown(one) && takesBack(one) && one.keys.some((key) => targets.has(key)));
  }

  /** On its targets, those first who stand aside for one that stands aside for it. */
  #asideFor(forced: Live, targets: ReadonlySet<string>): readonly Live[] {
    const heads = [...this.#aside].filter(({ asideFor, resourceId }) => asideFor === forced.id && targets.has(resourceId));
    return heads.flatMap((head) => [...this.#asideFor(head, targets), head]);
  }

  /** Those that stand aside for it go on, when it has left its queues. */
  giveBack(forced: Live): void {
    this.#forced.delete(forced);
    for (const head of this.#aside) if (head.asideFor === forced.id) this.#goOn(head);
  }

  #goOn(head: Live): void {
    this.#aside.delete(head);
    delete head.asideFor;
    delete head.supersededBy;
    this.#ports.queues.back(head.id);
    if (this.#ports.queues.isFirst(head.id)) this.#ports.ready(head.id);
  }
}
