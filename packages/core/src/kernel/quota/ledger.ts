import type { JsonObject } from '../json.ts';
import type { AnyKind } from '../kind.ts';
import type { Registry } from '../registry.ts';
import type { Statement, Store } from '../store.ts';
import { type QuotaChange, type QuotaCounter, type QuotaEffect, quotaKey, quotaOf } from './counters.ts';
import { ownerOf, touchesUsage, usageOf } from './usage.ts';

/** Statements with what they change in the use of quotas, which goes into the same transaction. */
export interface Balanced {
  readonly statements: readonly Statement[];
  readonly changes: readonly QuotaChange[];
}

type Owner = Pick<QuotaCounter, 'scope' | 'id'>;

export const adjustments = (changes: readonly QuotaChange[]): readonly Statement[] =>
  changes.map((change) => ({ op: 'adjust', counter: quotaKey(change), by: change.by }));

/** The net of one transaction: what one statement takes and another gives back is no change, which a limit could refuse. */
class Net {
  readonly #changes = new Map<string, QuotaChange>();

  add(change: QuotaChange): void {
    const key = quotaKey(change);
    this.#changes.set(key, { ...change, by: change.by + (this.#changes.get(key)?.by ?? 0) });
  }

  get changes(): readonly QuotaChange[] {
    return [...this.#changes.values()].filter(({ by }) => by !== 0);
  }
}

/** Keeps the use of quotas in step with the rows: it follows from what a transaction writes. What a project uses, its account uses. */
export class QuotaLedger {
  readonly #registry: Registry;
  readonly #store: Store;
  /** A project never changes its account. */
  readonly #accounts = new Map<string, string>();

  constructor(registry: Registry, store: Store) {
    this.#registry = registry;
    this.#store = store;
  }

  /** The rows are held by the operation that writes, so they are as they are read. */
  async balance(statements: readonly Statement[]): Promise<Balanced> {
    if (!statements.some((statement) => this.#counts(statement))) return { statements, changes: [] };
    const net = new Net();
    for (const statement of statements) {
      const kind = 'table' in statement ? this.#registry.countedKind(statement.table) : undefined;
      // Nothing is waited for where the statement itself tells.
      const changes =
        kind !== undefined && statement.op === 'update' ? await this.#changesByUpdate(kind, statement) : changesBy(kind, statement);
      for (const change of changes) net.add(change);
    }
    for (const change of net.changes)
      for (const owner of this.#known(change) ?? (await this.ownersOf(change)))
        if (owner.scope !== change.scope) net.add({ ...change, ...owner });
    return { statements: statements.filter((statement) => !isReservation(statement)), changes: net.changes };
  }

  /** The changes with what the store says of their counters. */
  effects(changes: readonly QuotaChange[]): Promise<readonly QuotaEffect[]> {
    return Promise.all(
      changes.map(async (change) => {
        const { value = 0, limit = null } = (await this.#store.counter(quotaKey(change))) ?? {};
        return { ...change, used: value, limit };
      }),
    );
  }

  /** Whose counters count what this one uses: its own, and those of its account. */
  async ownersOf(owner: Owner): Promise<readonly Owner[]> {
    const { scope, id } = owner;
    if (scope === 'project' && !this.#accounts.has(id)) await this.#learn(id);
    return this.#known({ scope, id }) ?? [{ scope, id }];
  }

  #known({ scope, id }: Owner): readonly Owner[] | undefined {
    if (scope === 'account') return [{ scope, id }];
    const account = this.#accounts.get(id);
    return account === undefined
      ? undefined
      : [
          { scope, id },
          { scope: 'account', id: account },
        ];
  }

  #counts(statement: Statement): boolean {
    return isReservation(statement) || ('table' in statement && this.#registry.countedKind(statement.table) !== undefined);
  }

  async #changesByUpdate(
    kind: AnyKind,
    { table, key, set }: Extract<Statement, { readonly op: 'update' }>,
  ): Promise<readonly QuotaChange[]> {
    if (!touchesUsage(kind, set)) return NONE;
    const text = await this.#store.read(table, key);
    if (text === undefined) return NONE;
    const row = JSON.parse(text) as JsonObject;
    if (row.deletedAt !== undefined) return NONE;
    const gone = set.deletedAt === true;
    return [...amounts(kind, row, -1), ...(gone ? [] : amounts(kind, { ...row, ...set }, 1))];
  }

  async #learn(projectId: string): Promise<void> {
    if (this.#registry.findKind('project') === undefined) return;
    const text = await this.#store.read('project', projectId);
    const { accountId } = (text === undefined ? {} : JSON.parse(text)) as { readonly accountId?: string };
    if (accountId !== undefined) this.#accounts.set(projectId, accountId);
  }
}

const NONE: readonly QuotaChange[] = [];

function changesBy(kind: AnyKind | undefined, statement: Statement): readonly QuotaChange[] {
  if (statement.op === 'insert') return kind === undefined ? NONE : amounts(kind, statement.row, 1);
  const counter = statement.op === 'adjust' ? quotaOf(statement.counter) : undefined;
  return counter === undefined || statement.op !== 'adjust' ? NONE : [{ ...counter, by: statement.by }];
}

const isReservation = (statement: Statement): boolean => statement.op === 'adjust' && quotaOf(statement.counter) !== undefined;

const amounts = (kind: AnyKind, row: JsonObject, sign: 1 | -1): readonly QuotaChange[] =>
  usageOf(kind, row).map(([counter, amount]) => ({ ...ownerOf(kind, row), counter, by: sign * amount }));
