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
  /** By project: of a change those of others are not even looked at. */
  readonly #webhooks = new Map<string, Map<string, Webhook>>();
  /** Those that are told of kinds of the cloud, in whichever project they are. */
  readonly #ofCloud = new Map<string, Webhook>();
  readonly #kindOf: KindOf;

  constructor(rows: readonly Webhook[], kindOf: KindOf) {
    this.#kindOf = kindOf;
    for (const row of rows) this.#add(row);
  }

  /** All of them, in whichever state. */
  get rows(): readonly Webhook[] {
    return [...this.#webhooks.values()].flatMap((ofProject) => [...ofProject.values()]);
  }

  /** A webhook has changed. Answers it as it is now, unless it is gone. */
  learn(change: Change): Webhook | undefined {
    const row = JSON.parse(change.row) as Webhook;
    if (change.type !== 'deleted') return this.#add(row);
    const { projectId = '' } = row;
    this.#ofCloud.delete(row.id);
    const others = this.#webhooks.get(projectId);
    others?.delete(row.id);
    if (others?.size === 0) this.#webhooks.delete(projectId);
    return undefined;
  }

  /** Those that want to be told of it. */
  wanting(change: Change): readonly Webhook[] {
    if (OWN_KINDS.has(change.table)) return [];
    const ofProject = change.projectId === undefined ? this.#ofCloud : this.#webhooks.get(change.projectId);
    return ofProject === undefined
      ? []
      : [...ofProject.values()].filter((hook) => hook.state === 'available' && wants(hook, change, this.#kindOf));
  }

  #add(row: Webhook): Webhook {
    const { projectId = '' } = row;
    const ofProject = this.#webhooks.get(projectId) ?? new Map<string, Webhook>();
    this.#webhooks.set(projectId, ofProject.set(row.id, row));
    if (row.kinds.some((name) => this.#kindOf(name)?.scope === 'cloud')) this.#ofCloud.set(row.id, row);
    else this.#ofCloud.delete(row.id);
    return row;
  }
}

/** Rows of its project; and of kinds of the cloud, which only who sees all of it has been let ask for. Those of accounts are nobody's. */
export function wants({ projectId, kinds, states, types, when }: Webhook, change: Change, kindOf: KindOf): boolean {
  const kind = kindOf(change.table);
  if (!kinds.includes(change.table) || (change.projectId !== projectId && kind?.scope !== 'cloud')) return false;
  if (types !== undefined && !(types as readonly EventType[]).includes(change.type)) return false;
  if (states === undefined && when === undefined && kind?.operatorsIf === undefined) return true;
  const row = JSON.parse(change.row) as JsonObject;
  // Those are there for the operator alone, and nobody asks who reads what is sent.
  if (kind?.operatorsIf !== undefined && row[kind.operatorsIf] === true) return false;
  if (states !== undefined && !states.includes(String(row.state))) return false;
  return when === undefined || holds(when, row, kind);
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
