import {
  type AnyKind,
  type Change,
  isFinished,
  type JsonObject,
  matches,
  type Operation,
  parseRowFilter,
  type RowOf,
} from '../../kernel/index.ts';
import type { EventType, webhook } from './webhook.ts';

export type Webhook = RowOf<typeof webhook>;
export type KindOf = (name: string) => AnyKind | undefined;

/** Never told of: what tells would have to be told of again. */
const OWN_KINDS = new Set(['delivery']);

/** The webhooks as they were at the place in the feed up to which it was gone through. */
export class Subscriptions {
  readonly #webhooks = new Map<string, Webhook>();
  readonly #kindOf: KindOf;

  constructor(rows: readonly Webhook[], kindOf: KindOf) {
    this.#kindOf = kindOf;
    for (const row of rows) this.#webhooks.set(row.id, row);
  }

  get isEmpty(): boolean {
    return this.#webhooks.size === 0;
  }

  /** A webhook has changed. Answers it as it is now, unless it is gone. */
  learn(change: Change): Webhook | undefined {
    const row = JSON.parse(change.row) as Webhook;
    if (change.type === 'deleted') this.#webhooks.delete(row.id);
    else this.#webhooks.set(row.id, row);
    return change.type === 'deleted' ? undefined : row;
  }

  /** Those that want to be told of it. */
  wanting(change: Change): readonly Webhook[] {
    if (OWN_KINDS.has(change.table)) return [];
    return [...this.#webhooks.values()].filter((hook) => hook.state === 'available' && wants(hook, change, this.#kindOf));
  }
}

/** Rows of its project, and nothing else: cloud rows, and those of others, have none or another. */
export function wants({ projectId, kinds, states, types, when }: Webhook, change: Change, kindOf: KindOf): boolean {
  if (change.projectId === undefined || change.projectId !== projectId || !kinds.includes(change.table)) return false;
  if (types !== undefined && !(types as readonly EventType[]).includes(change.type)) return false;
  if (states === undefined && when === undefined) return true;
  const row = JSON.parse(change.row) as JsonObject;
  if (states !== undefined && !states.includes(String(row.state))) return false;
  return when === undefined || holds(when, row, kindOf(change.table));
}

/** What a later release cannot read any more holds for nothing. */
function holds(when: string, row: JsonObject, kind: AnyKind | undefined): boolean {
  if (kind === undefined) return false;
  try {
    return matches(row, parseRowFilter(when, kind));
  } catch {
    return false;
  }
}

/** The operation that ends with this change. */
export function endedOperation(change: Change): Operation | undefined {
  if (change.table !== 'operation' || change.type === 'deleted') return undefined;
  const row = JSON.parse(change.row) as Operation;
  return isFinished(row) ? row : undefined;
}
