import { describeChain, equals, forgetSealed, operationDays, type Statement, sleep, transition } from '../../kernel/index.ts';
import type { CloudServices } from '../services.ts';
import { delivery } from './webhook.ts';

const LOOK_MS = 3600_000;
const DAY_MS = 24 * LOOK_MS;
const PAGE_LENGTH = 100;
const PAUSE_MS = 20;

/** What nobody took and nobody replays goes with the operations of its time: a receiver that refuses for ever fills no store. Answers how to stop. */
export function startExpiry(services: CloudServices): () => Promise<void> {
  const { timers, logger } = services.environment;
  const stopping = new AbortController();
  const ended = (async () => {
    while (!stopping.signal.aborted) {
      await sleep(timers, LOOK_MS, stopping.signal).catch(() => undefined);
      try {
        await expire(services, stopping.signal);
      } catch (error) {
        if (!stopping.signal.aborted) logger.warn({ error: describeChain(error) }, 'deliveries that are too old were not removed');
      }
    }
  })();
  return async () => {
    stopping.abort();
    await ended;
  };
}

/** Ids are in the order in which they were given up. */
async function expire({ environment, reader, settings, kernel }: CloudServices, signal: AbortSignal): Promise<void> {
  const before = new Date(environment.clock.nowMs() - settings.global(operationDays) * DAY_MS).toISOString();
  for (let after: readonly string[] | undefined; ; ) {
    signal.throwIfAborted();
    const rows = await reader.list(delivery, equals('state', 'dead'), { limit: PAGE_LENGTH, ...(after === undefined ? {} : { after }) });
    const expired = rows.filter(({ createdAt }) => createdAt < before);
    await Promise.all(
      expired.map(({ id, urlQuery }) => {
        // A replay that is under way needs it; one that is refused now is looked at again in an hour.
        const idle: Statement = { op: 'vacant', table: 'operation', where: { resourceId: id } };
        const gone = transition(delivery, id, { from: 'dead', to: 'deleted' });
        return kernel().observe([idle, gone, ...(urlQuery === undefined ? [] : [forgetSealed(urlQuery)])]);
      }),
    );
    const last = rows.at(-1);
    if (last === undefined || expired.length < PAGE_LENGTH) return;
    after = [last.id];
    await sleep(environment.timers, PAUSE_MS, signal);
  }
}
