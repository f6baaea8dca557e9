import { type Environment, sleep, timestamp } from './environment.ts';
import { CloudError, describeChain } from './errors.ts';
import type { JsonObject } from './json.ts';
import type { AnyKind } from './kind.ts';
import type { Registry } from './registry.ts';
import type { CommitResult, Statement, Store } from './store.ts';
import { StoreError } from './store-error.ts';

const BACKOFF_MS = 100;
const BACKOFF_MS_MAX = 5000;

export interface CommitsOptions {
  readonly environment: Environment;
  readonly store: Store;
  readonly registry: Registry;
  readonly node: string;
  /** Told after each commit that holds a notice. */
  readonly announced: () => void;
}

/** What a row counts for: the counters of its kind, in its project. */
function usage(kind: AnyKind, row: JsonObject): readonly (readonly [counter: string, amount: number])[] {
  return Object.entries((kind.quota ?? {}) as Record<string, 1 | string>).map(([counter, by]) => [
    `quota/${String(row.projectId)}/${counter}`,
    by === 1 ? 1 : Number(row[by] ?? 0),
  ]);
}

/** The one door to the store for everything the kernel writes: it knows outcomes, keeps quota counters in step, and drops notices nobody hears. */
export class Commits {
  readonly #options: CommitsOptions;
  #stopping = false;

  constructor(options: CommitsOptions) {
    this.#options = options;
  }

  /** A commit whose outcome stays unknown is given up after a few tries from now on; the next start finds out. */
  stop(): void {
    this.#stopping = true;
  }

  /**
   * Durable when it answers. A store that rejects is asked again until the outcome is known: the insert of a row whose key was minted for this commit
   * fails `exists` exactly when an earlier try has landed. With `once`, a failure that is known to have changed nothing is thrown instead.
   * @throws CloudError `unavailable`; Fenced when another node has taken over
   */
  async commit(statements: readonly Statement[], patience: 'once' | 'forever' = 'forever'): Promise<CommitResult> {
    const { store, environment, node, announced } = this.#options;
    const heard = statements.filter((statement) => !this.#unheard(statement));
    const sent = [...heard, ...(await this.#quota(heard))];
    for (let attempt = 0; ; attempt += 1) {
      try {
        const result = await store.commit({ node, epoch: store.epoch, at: timestamp(environment.clock), statements: sent });
        if (!result.ok && result.reason === 'fenced') throw new Fenced();
        const failed = result.ok ? undefined : sent[result.statement];
        const landed = !result.ok && attempt > 0 && result.reason === 'exists' && isMintedOnce(failed);
        // After a try whose outcome was unknown a notice may be there, whatever this try answers.
        if ((result.ok || attempt > 0) && sent.some(isNotice)) announced();
        if (result.ok || landed) return landed ? { ok: true, revision: 0 } : result;
        const own = failed === undefined ? -1 : statements.indexOf(failed);
        // A quota is no statement of the caller's: it is named instead.
        return { ...result, statement: own, ...(own < 0 && failed?.op === 'adjust' ? { fields: [failed.counter] } : {}) };
      } catch (error) {
        if (error instanceof Fenced || (this.#stopping && attempt > 3)) throw error;
        if (patience === 'once' && error instanceof StoreError && error.outcome === 'unchanged')
          throw new CloudError('unavailable', 'The store cannot take it now.', { cause: error });
        environment.logger.error({ error: describeChain(error) }, 'commit failed; trying again');
        await sleep(environment.timers, Math.min(BACKOFF_MS * 2 ** attempt, BACKOFF_MS_MAX));
      }
    }
  }

  /** A notice without a listener is not even written. */
  #unheard(statement: Statement): boolean {
    return isNotice(statement) && !this.#options.registry.hooks.has({ id: String(statement.row.point) });
  }

  /** What the statements change in the use of quotas. The rows are held by the operation that writes, so they are as they were read. */
  async #quota(statements: readonly Statement[]): Promise<readonly Statement[]> {
    const deltas = new Map<string, number>();
    const add = (entries: readonly (readonly [string, number])[], sign: number) => {
      for (const [counter, amount] of entries) deltas.set(counter, (deltas.get(counter) ?? 0) + sign * amount);
    };
    for (const statement of statements) {
      const kind = 'table' in statement ? this.#options.registry.countedKind(statement.table) : undefined;
      if (kind === undefined) continue;
      if (statement.op === 'insert') add(usage(kind, statement.row), 1);
      if (statement.op !== 'update' || !touchesUsage(kind, statement.set)) continue;
      const text = await this.#options.store.read(statement.table, statement.key);
      if (text === undefined) continue;
      const row = JSON.parse(text) as JsonObject;
      if (row.deletedAt !== undefined) continue;
      add(usage(kind, row), -1);
      if (statement.set.deletedAt !== true) add(usage(kind, { ...row, ...statement.set }), 1);
    }
    return [...deltas].filter(([, by]) => by !== 0).map(([counter, by]) => ({ op: 'adjust', counter, by }));
  }
}

const touchesUsage = (kind: AnyKind, set: JsonObject): boolean =>
  set.deletedAt === true || Object.values((kind.quota ?? {}) as Record<string, 1 | string>).some((by) => by !== 1 && by in set);

export class Fenced extends Error {
  constructor() {
    super('another node holds a newer epoch');
  }
}

const isNotice = (statement: Statement): statement is Extract<Statement, { op: 'insert' }> =>
  statement.op === 'insert' && statement.table === 'outbox';

const isMintedOnce = (statement: Statement | undefined): boolean =>
  statement?.op === 'insert' && ['journal', 'operation', 'audit'].includes(statement.table);
