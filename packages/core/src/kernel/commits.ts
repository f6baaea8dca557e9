import { CommitTurns } from './commit-turns.ts';
import { type Environment, sleep, timestamp } from './environment.ts';
import { CloudError, describeChain, isCloudError } from './errors.ts';
import { BACKOFF_MS, BACKOFF_MS_MAX, patiently } from './patience.ts';
import { adjustments, countAnew, type QuotaChange, type QuotaEffect, type QuotaExcess, QuotaLedger, quotaKey } from './quota/index.ts';
import type { Registry } from './registry.ts';
import type { CommitResult, Statement, Store } from './store.ts';
import { StoreError } from './store-error.ts';
import { Attachments } from './tags/attachments.ts';

export interface CommitsOptions {
  readonly environment: Environment;
  readonly store: Store;
  readonly registry: Registry;
  readonly node: string;
  /** Told after each commit that holds a notice. */
  readonly announced: () => void;
}

/** A commit that was refused; with the counter of a quota, when that is what would go over its limit. */
export type Refusal = Extract<CommitResult, { ok: false }> & { readonly quota?: QuotaExcess; readonly along?: true };
export type Committed = Extract<CommitResult, { ok: true }> | Refusal;

/** Whether these statements are written, and with which revision; 0 where that is not known. */
export type OutcomeListener = (statements: readonly Statement[], ok: boolean, revision: number) => void;

/** How long a commit tries, and for whom. */
export interface CommitFor {
  /** With `once`, a failure that is known to have changed nothing is thrown. Default: it is tried until the outcome is known. */
  readonly patience?: 'once' | 'forever';
  /** Those of one account wait for each other before those of others wait for them. Absent: the cloud's own, which go at once. */
  readonly account?: string;
}

/** Statements as they go to the store, and what they change in the use of quotas. */
interface Prepared {
  readonly sent: readonly Statement[];
  /** Guards of what goes along: when one fails, others have come since. */
  readonly along?: ReadonlySet<Statement>;
  readonly changes: readonly QuotaChange[];
}

/** The one door to the store for everything the kernel writes: it knows outcomes, keeps quota counters in step, and drops notices nobody hears. */
export class Commits {
  readonly #options: CommitsOptions;
  readonly #ledger: QuotaLedger;
  readonly #attachments: Attachments;
  readonly #listeners = new Set<OutcomeListener>();
  readonly #turns: CommitTurns;
  #stopping = false;

  constructor(options: CommitsOptions) {
    this.#turns = new CommitTurns(options.environment);
    this.#options = options;
    this.#ledger = new QuotaLedger(options.registry, options.store);
    this.#attachments = new Attachments(options.registry, options.store);
  }

  /** A commit whose outcome stays unknown is given up after a few tries from now on; the next start finds out. */
  stop(): void {
    this.#stopping = true;
  }

  /** Told of the statements of each transaction as soon as its outcome is known, before who asked for it. Answers how to stop. */
  onOutcome(listener: OutcomeListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #tell(statements: readonly Statement[], ok: boolean, revision = 0): void {
    for (const listener of this.#listeners) listener(statements, ok, revision);
  }

  /**
   * Durable when it answers. A store that rejects is asked again until the outcome is known: the insert of a row whose key was minted for this commit
   * fails `exists` exactly when an earlier try has landed.
   * @throws CloudError `unavailable`, also with `once` when another node has taken over; else Fenced then
   */
  async commit(statements: readonly Statement[], whose: CommitFor = {}): Promise<Committed> {
    const prepare = () => this.#prepare(statements);
    for (;;) {
      const prepared = await (whose.patience === 'once' ? prepare() : patiently(this.#options.environment, () => this.#stopping, prepare));
      const result = await this.#send(prepared, statements, whose);
      if (result.ok || result.along !== true) return result;
    }
  }

  /** Counts what kinds have begun to count since the store was last opened. */
  countAnew(): Promise<void> {
    const restate = (statements: readonly Statement[]) => this.#send({ sent: statements, changes: [] }, statements, {});
    return countAnew({ ...this.#options, ledger: this.#ledger, restate });
  }

  async #send({ sent, changes, along }: Prepared, statements: readonly Statement[], { patience, account }: CommitFor): Promise<Committed> {
    const { store, environment, node, announced } = this.#options;
    for (let attempt = 0; ; attempt += 1) {
      try {
        const write = () => store.commit({ node, epoch: store.epoch, at: timestamp(environment.clock), statements: sent });
        const result = await (account === undefined ? write() : this.#turns.run(account, sent.length, write));
        if (!result.ok && result.reason === 'fenced') throw new Fenced();
        const failed = result.ok ? undefined : sent[result.statement];
        const landed = !result.ok && attempt > 0 && result.reason === 'exists' && isMintedOnce(failed);
        // After a try whose outcome was unknown a notice may be there, whatever this try answers.
        if ((result.ok || attempt > 0) && sent.some(isNotice)) announced();
        this.#tell(sent, result.ok || landed, result.ok ? result.revision : 0);
        if (result.ok || landed) return landed ? { ok: true, revision: 0 } : result;
        if (failed !== undefined && along?.has(failed) === true) return { ...result, along: true };
        return await this.#refusal(result, sent, statements, changes);
      } catch (error) {
        if (error instanceof Fenced && patience === 'once')
          throw new CloudError('unavailable', 'Another server has taken over.', { cause: error });
        if (error instanceof Fenced || (this.#stopping && attempt > 3)) throw error;
        if (patience === 'once' && (isCloudError(error) || (error instanceof StoreError && error.outcome === 'unchanged'))) {
          this.#tell(sent, false);
          // Who asked is told no more than that: why, as that the disk is full, is for who runs the server.
          environment.logger.error({ error: describeChain(error) }, 'commit failed; who asked is told to try again');
          throw new CloudError('unavailable', 'The store cannot take it now.', { cause: error });
        }
        environment.logger.error({ error: describeChain(error) }, 'commit failed; trying again');
        await sleep(environment.timers, Math.min(BACKOFF_MS * 2 ** attempt, BACKOFF_MS_MAX));
      }
    }
  }

  /**
   * What `commit` would answer, and what it would change in the use of quotas; nothing is written.
   * @throws CloudError `unavailable`
   */
  async rehearse(statements: readonly Statement[]): Promise<{ readonly result: Committed; readonly quota: readonly QuotaEffect[] }> {
    const { store, environment, node } = this.#options;
    const { sent, changes } = await this.#prepare(statements);
    const at = timestamp(environment.clock);
    const result = await store.commit({ node, epoch: store.epoch, at, statements: sent, rehearse: true }).catch((cause: unknown) => {
      throw new CloudError('unavailable', 'The store cannot tell now.', { cause });
    });
    const quota = await this.#ledger.effects(changes);
    return { result: result.ok ? result : await this.#refusal(result, sent, statements, changes), quota };
  }

  async #prepare(statements: readonly Statement[]): Promise<Prepared> {
    const heard = statements.filter((statement) => !this.#unheard(statement));
    const { statements: attached, along } = await this.#attachments.follow(heard);
    const { statements: own, changes } = await this.#ledger.balance([...heard, ...attached]);
    return { sent: [...own, ...adjustments(changes)], changes, along };
  }

  /** A notice without a listener is not even written. */
  #unheard(statement: Statement): boolean {
    return isNotice(statement) && !this.#options.registry.hooks.has({ id: String(statement.row.point) });
  }

  /** Where the failed statement is the caller's own its place is told; of a quota, which is not, how it stands. */
  async #refusal(
    failure: Refusal,
    sent: readonly Statement[],
    given: readonly Statement[],
    changes: readonly QuotaChange[],
  ): Promise<Refusal> {
    const failed = sent[failure.statement];
    const own = failed === undefined ? -1 : given.indexOf(failed);
    const change = own < 0 && failed?.op === 'adjust' ? changes.find((one) => quotaKey(one) === failed.counter) : undefined;
    if (change === undefined) return { ...failure, statement: own };
    const [{ by: asked, ...effect } = { ...change, used: 0, limit: null }] = await this.#ledger.effects([change]);
    return { ...failure, statement: own, quota: { ...effect, asked } };
  }
}

export class Fenced extends Error {
  constructor() {
    super('another node holds a newer epoch');
  }
}

const isNotice = (statement: Statement): statement is Extract<Statement, { op: 'insert' }> =>
  statement.op === 'insert' && statement.table === 'outbox';

const isMintedOnce = (statement: Statement | undefined): boolean =>
  statement?.op === 'insert' && ['journal', 'operation', 'audit'].includes(statement.table);
