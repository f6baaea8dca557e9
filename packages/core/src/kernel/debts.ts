import { describeChain } from './errors.ts';
import type { KernelServices } from './kernel.ts';
import { debt } from './operation.ts';
import { both, equals } from './reader.ts';
import type { Registry } from './registry.ts';
import { transition } from './rows.ts';
import type { CommitResult, Statement } from './store.ts';

const PAYMENT_TIMEOUT_MS = 60_000;

/** Pays the cleanups that steps left owing to places out of reach. Called for a place by whoever knows that it is back. */
export class Debts {
  readonly #services: KernelServices;
  readonly #registry: Registry;
  readonly #commit: (statements: readonly Statement[]) => Promise<CommitResult>;

  constructor(services: KernelServices, registry: Registry, commit: (statements: readonly Statement[]) => Promise<CommitResult>) {
    this.#services = services;
    this.#registry = registry;
    this.#commit = commit;
  }

  /** Answers how many are left: those that failed stay and are tried at the next call, as are those that an abort of the signal leaves out. */
  async pay(place: string, signal: AbortSignal): Promise<number> {
    const { reader, environment } = this.#services;
    const owed = await reader.list(debt, both(equals('place', place), equals('state', 'owed')));
    let left = owed.length;
    for (const row of owed) {
      if (signal.aborted) break;
      const handler = this.#registry.debtHandler(row.task);
      try {
        if (handler === undefined) throw new Error(`nobody handles ${row.task}`);
        await handler.pay(row.target as never, place, { requestId: row.operationId, signal, timeoutMs: PAYMENT_TIMEOUT_MS });
        await this.#commit([transition(debt, row.id, { from: 'owed', to: 'deleted' })]);
        left -= 1;
      } catch (error) {
        environment.logger.warn({ debtId: row.id, task: row.task, place, error: describeChain(error) }, 'debt not paid yet');
      }
    }
    return left;
  }
}
