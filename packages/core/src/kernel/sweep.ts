import { sleep, timestamp } from './environment.ts';
import { describeChain } from './errors.ts';
import type { KernelServices } from './kernel.ts';
import type { CommitResult, Statement } from './store.ts';

const SWEEP_MS = 3600_000;
/** Small enough that no request waits for a sweep. */
const BATCH_LENGTH = 100;

type Services = Pick<KernelServices, 'environment' | 'store'>;
type Commit = (statements: readonly Statement[]) => Promise<CommitResult>;

/** Once an hour removes the idempotency rows that have expired. Answers how to stop. */
export function startSweep(services: Services, commit: Commit): () => Promise<void> {
  const { environment } = services;
  const stopping = new AbortController();
  const ended = (async () => {
    while (!stopping.signal.aborted) {
      await sleep(environment.timers, SWEEP_MS, stopping.signal).catch(() => undefined);
      try {
        while (!stopping.signal.aborted && (await removeExpired(services, commit)) === BATCH_LENGTH);
      } catch (error) {
        environment.logger.warn({ error: describeChain(error) }, 'sweep failed');
      }
    }
  })();
  return async () => {
    stopping.abort();
    await ended;
  };
}

/** Answers how many rows it looked at. A key that is taken anew meanwhile fails the batch: what is left goes at the next look. */
async function removeExpired({ environment, store }: Services, commit: Commit): Promise<number> {
  const texts = await store.list({
    table: 'idempotency',
    where: { field: 'expiresAt', op: '<', value: timestamp(environment.clock) },
    order: [{ field: 'expiresAt' }],
    limit: BATCH_LENGTH,
  });
  const statements = texts.flatMap((text): readonly Statement[] => {
    const { scope, requestKey, operationId } = JSON.parse(text) as Readonly<Record<'scope' | 'requestKey' | 'operationId', string>>;
    const at = { table: 'idempotency', key: `${scope}/${requestKey}` };
    return [
      { op: 'expect', ...at, expect: { operationId } },
      { op: 'remove', ...at },
    ];
  });
  if (statements.length > 0) await commit(statements);
  return texts.length;
}
