import { asAfterRestart, type Live, placeOf } from './live-operation.ts';
import type { Queues } from './queues.ts';

interface PassingPorts {
  readonly queues: Queues;
  readonly live: (id: string) => Live | undefined;
  readonly ready: (id: string) => void;
  /** Whether its acceptance has made what it takes back where it fails. */
  readonly takesBack: (live: Live) => boolean;
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
  /** Forced ones that have not begun. */
  readonly #waiting = new Set<Live>();
  readonly #aside = new Set<Live>();

  constructor(ports: PassingPorts) {
    this.#ports = ports;
  }

  /** @param targets ids of the rows that it deletes: on others it waits for what is stuck */
  wait(forced: Live, targets: readonly string[]): void {
    forced.targets = new Set(targets);
    this.#waiting.add(forced);
    this.look();
  }

  /** Something has got stuck, or has left its queues. */
  look(): void {
    for (const forced of this.#waiting)
      if (forced.isDriven === true || this.#ports.live(forced.id) === undefined) this.#waiting.delete(forced);
      else this.#pass(forced);
  }

  #pass(forced: Live): void {
    const { queues, live } = this.#ports;
    const heads: Live[] = [];
    const aside: Live[] = [];
    for (const id of forced.cancelRequested && forced.queued ? [] : queues.ahead(forced.id)) {
      const other = live(id);
      if (other?.asideFor !== undefined) {
        aside.push(other);
        continue;
      }
      if (other?.run?.stuck === true && forced.targets?.has(other.resourceId) === true) heads.push(other);
      else if (other?.isDriven === true || queues.isFirst(id)) return;
    }
    const mine = new Set([forced.id, ...heads.map(({ id }) => id)]);
    const goes = (one: Live | undefined): boolean => one?.asideFor !== undefined && (mine.has(one.asideFor) || goes(live(one.asideFor)));
    if (heads.length === 0 || !aside.every(goes)) return;
    for (const head of heads) head.asideFor = forced.id;
    queues.pass(
      forced.id,
      heads.map(({ id }) => id),
    );
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
    return queues.isFirst(forced.id) && queues.ahead(forced.id).every((id) => live(id)?.isDriven !== true);
  }

  /** Whether it has to wait for one that is still at work, though it is to stand aside. */
  isHeldUp(forced: Live): boolean {
    return forced.forced && !this.#isFree(forced);
  }

  /** What a forced one has to do before there is no way back for it: once, however often it is called. Undefined of others. */
  supersedes(one: Live): (() => Promise<void>) | undefined {
    let done: Promise<void> | undefined;
    return one.forced ? () => (done ??= this.#supersedeAll(one)) : undefined;
  }

  async #supersedeAll(deletion: Live): Promise<void> {
    await this.#supersede(deletion);
    // Those that it went before and whose rows it deletes could neither go on with what is gone nor take it back.
    for (const id of this.#ports.queues.behind(deletion.id)) {
      const other = this.#ports.live(id);
      if (other === undefined || other.isDriven === true || placeOf(other) > placeOf(deletion) || !this.#ports.takesBack(other)) continue;
      if (other.keys.some((key) => deletion.targets?.has(key) === true)) await this.#end(other, deletion);
    }
  }

  async #end(other: Live, deletion: Live): Promise<void> {
    other.supersededBy = deletion;
    await this.#ports.drive(other);
    if (this.#ports.live(other.id) !== undefined) throw new Error(`operation ${other.id}, which ${deletion.id} supersedes, has not ended`);
  }

  /** What it holds beside is the deletion's now, until that has removed what is left there. */
  async #supersede(deletion: Live): Promise<void> {
    for (const head of this.#aside) {
      if (head.asideFor !== deletion.id) continue;
      await this.#supersede(head);
      this.#ports.extend(
        deletion,
        head.keys.filter((key) => !deletion.keys.includes(key)),
      );
      await this.#end(head, deletion);
      this.#aside.delete(head);
    }
  }

  /** Those that stand aside for it go on, when it has left its queues. */
  giveBack(forced: Live): void {
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
