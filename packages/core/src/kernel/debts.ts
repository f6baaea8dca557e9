import { timestamp } from './environment.ts';
import { CloudError, describeChain, toErrorRecord } from './errors.ts';
import type { KernelServices } from './kernel.ts';
import type { RowOf } from './kind.ts';
import { debt } from './operation.ts';
import { both, equals } from './reader.ts';
import type { Registry } from './registry.ts';
import { change, transition } from './rows.ts';
import { inLanes } from './saga/lanes.ts';
import type { CommitResult, Statement } from './store.ts';

const PAYMENT_TIMEOUT_MS = 60_000;
/** One that hangs keeps few others waiting. */
const PAID_AT_ONCE = 8;

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

  /** Answers how many are left: those that failed stay, say why, and are tried at the next call, as are those that an abort of the signal leaves out. */
  async pay(place: string, signal: AbortSignal): Promise<number> {
    const owed = await this.#services.reader.list(debt, both(equals('place', place), equals('state', 'owed')));
    const paid = await inLanes(owed, PAID_AT_ONCE, async (row) => !signal.aborted && (await this.#payOne(row, place, signal)));
    return paid.filter((isPaid) => !isPaid).length;
  }

  async #payOne(row: RowOf<typeof debt>, place: string, signal: AbortSignal): Promise<boolean> {
    const handler = this.#registry.debtHandler(row.task);
    try {
      if (handler === undefined) throw new CloudError('unsupported', `Nobody here knows how to do ${row.task}; its plugin is absent.`);
      await handler.pay(row.target as never, place, { requestId: row.operationId, signal, timeoutMs: PAYMENT_TIMEOUT_MS });
      await this.#commit([transition(debt, row.id, { from: 'owed', to: 'deleted' })]);
      return true;
    } catch (error) {
      if (!signal.aborted) await this.#tell(row, error);
      return false;
    }
  }

  /** Shown where it says something new: it is tried for ever. */
  async #tell(row: RowOf<typeof debt>, error: unknown): Promise<void> {
    const { environment } = this.#services;
    environment.logger.warn({ debtId: row.id, task: row.task, place: row.place, error: describeChain(error) }, 'debt not paid yet');
    const { code, message } = toErrorRecord(error);
    if (row.stateReason?.code === code && row.stateReason.message === message) return;
    await this.#commit([change(debt, row.id, { stateReason: { code, message, at: timestamp(environment.clock) } })]);
  }
}
