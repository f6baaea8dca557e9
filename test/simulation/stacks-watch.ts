import { isFinished, type Operation } from '@pileus/core/kernel';
import type { Mirror, Row, Touched } from './mirror.ts';

const APPLIES = /^stack\.(create|apply|rollback)$/;
interface Entry {
  readonly kind: string;
  readonly id: string;
  readonly keep: boolean;
}

/** Stacks: what one has applied is there in whole, or none of what it began. */
export class StacksWatch {
  readonly #mirror: Mirror;
  readonly #say: (problem: string) => void;
  /** What a stack had when its deletion marked it. */
  readonly #going = new Map<string, readonly Entry[]>();
  /** Who was asked for by which. */
  readonly #parts = new Map<string, string[]>();

  constructor(mirror: Mirror, say: (problem: string) => void) {
    this.#mirror = mirror;
    this.#say = say;
  }

  committed(touched: readonly Touched[]): void {
    for (const { table, id, before, after } of touched) {
      if (table === 'operation' && before === undefined && after?.causeId !== undefined) this.#part(String(after.causeId), id);
      if (table === 'stack' && after?.state === 'deleting' && before?.state !== 'deleting') this.#going.set(id, this.#entries(id));
      const operation = after as unknown as Operation | undefined;
      if (table !== 'operation' || operation === undefined || !operation.action.startsWith('stack.')) continue;
      if (!isFinished(operation) || (before !== undefined && isFinished(before as unknown as Operation))) continue;
      if (APPLIES.test(operation.action)) this.#applied(operation);
      else if (operation.action === 'stack.delete' && operation.state === 'succeeded') this.#deleted(operation);
    }
  }

  /** At quiet: what a stack has, it alone has, and it lives. */
  rest(): void {
    const owners = new Map<unknown, unknown>();
    for (const { stackId, resourceKind, resourceId, logicalName } of this.#mirror.rows('stackResource').values()) {
      if (this.#mirror.row('stack', stackId) === undefined) this.#say(`${logicalName} is of stack ${stackId}, which is gone`);
      if (this.#mirror.row(String(resourceKind), resourceId) === undefined) this.#say(`stack ${stackId} has ${logicalName}, which is gone`);
      if (owners.has(resourceId)) this.#say(`stacks ${owners.get(resourceId)} and ${stackId} both have ${resourceId}`);
      owners.set(resourceId, stackId);
    }
  }

  #part(causeId: string, id: string): void {
    this.#parts.set(causeId, [...(this.#parts.get(causeId) ?? []), id]);
  }

  #entries(stackId: string): readonly Entry[] {
    return [...this.#mirror.rows('stackResource').values()]
      .filter((row) => row.stackId === stackId)
      .map(({ resourceKind, resourceId, keep }) => ({ kind: String(resourceKind), id: String(resourceId), keep: keep === true }));
  }

  #applied({ id, state, action, resourceId }: Operation): void {
    const parts = (this.#parts.get(id) ?? []).map((part) => this.#mirror.row('operation', part) as unknown as Operation);
    // What another deletion has taken meanwhile is gone: its own, which was asked for before a kill, ends when its turn comes.
    for (const part of parts)
      if (!isFinished(part) && !(part.action.endsWith('.delete') && this.#stateOf(part) === undefined))
        this.#say(`${action} ${id} has ${state}, and its part ${part.action} ${part.id} is ${part.state}`);
    if (state === 'succeeded') this.#whole(id, action, resourceId);
    // What is being deleted by another is that one's to end.
    else
      for (const part of parts)
        if (part.action.endsWith('.create') && !['deleting', undefined].includes(this.#stateOf(part)))
          this.#say(`${action} ${id} has ${state}, and ${part.resourceKind} ${part.resourceId}, which it has made, is left`);
  }

  #stateOf({ resourceKind, resourceId }: Operation): string | undefined {
    return this.#mirror.row(resourceKind, resourceId)?.state as string | undefined;
  }

  /** The template that was applied last, and the resources that the stack has. */
  #whole(id: string, action: string, stackId: string): void {
    const row = this.#mirror.row('stack', stackId);
    if (row === undefined) return;
    const revision = [...this.#mirror.rows('stackRevision').values()].find(
      (each) => each.stackId === stackId && each.number === row.revisionNumber,
    );
    const names = Object.keys(((revision?.template as Row | undefined)?.resources ?? {}) as object);
    for (const entry of this.#mirror.rows('stackResource').values())
      if (entry.stackId === stackId && !names.includes(String(entry.logicalName)))
        this.#say(`${action} ${id} has succeeded, and the stack still has ${entry.logicalName}, which its template has not`);
  }

  #deleted({ id, resourceId }: Operation): void {
    for (const { kind, id: rowId, keep } of this.#going.get(resourceId) ?? [])
      if (!keep && this.#mirror.row(kind, rowId) !== undefined) this.#say(`stack.delete ${id} has succeeded, and ${kind} ${rowId} is left`);
    if (this.#entries(resourceId).length > 0) this.#say(`stack.delete ${id} has succeeded, and resources are noted as its own`);
  }
}
