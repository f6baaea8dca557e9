import { both, describeChain, equals, sleep } from '../../kernel/index.ts';
import { operatorPrincipal } from '../identity/contract.ts';
import type { CloudServices } from '../services.ts';
import { removalAllowed } from './recovery.ts';
import { STRAY_KINDS, stray } from './stray.ts';

const LOOK_MS_MAX = 3600_000;
const LOOK_MS_MIN = 1000;
const LOOKS = 10;
/** Of one kind at once; the next look takes the next. */
const AT_ONCE = 20;

/** What lies in quarantine for long enough is adopted or removed where an operator has set that. Nothing of a restored store before it is confirmed. */
export function startStrayPolicy(services: CloudServices): () => Promise<void> {
  const { environment, settings } = services;
  const { policy, afterMs } = settings.strays;
  const everyMs = Math.min(LOOK_MS_MAX, Math.max(LOOK_MS_MIN, afterMs / LOOKS));
  const stopping = new AbortController();
  const isSet = STRAY_KINDS.some((kind) => policy[kind] !== 'keep');
  const ended = (async () => {
    while (isSet && !stopping.signal.aborted) {
      await sleep(environment.timers, everyMs, stopping.signal).catch(() => undefined);
      try {
        if (!stopping.signal.aborted && (await removalAllowed(services))) await applyPolicy(services, stopping.signal);
      } catch (error) {
        if (!stopping.signal.aborted) environment.logger.warn({ error: describeChain(error) }, 'strays were not looked through');
      }
    }
  })();
  return async () => {
    stopping.abort();
    await ended;
  };
}

/** A machine is adopted before its volumes would be: it takes them along. What is refused stays, and is asked for again. */
async function applyPolicy({ reader, kernel, environment, settings }: CloudServices, signal: AbortSignal): Promise<void> {
  const { policy, afterMs } = settings.strays;
  const before = new Date(environment.clock.nowMs() - afterMs).toISOString();
  for (const objectKind of STRAY_KINDS) {
    const verb = policy[objectKind];
    if (verb === 'keep') continue;
    const rows = await reader.list(stray, both(equals('objectKind', objectKind), equals('state', 'quarantined')));
    for (const row of rows.filter(({ createdAt, id }) => createdAt <= before && !kernel().holds(id)).slice(0, AT_ONCE)) {
      if (signal.aborted) return;
      const principal = operatorPrincipal('system');
      await kernel()
        .submit({ action: `stray.${verb}`, resourceId: row.id, input: {}, principal })
        .catch((error: unknown) => environment.logger.warn({ strayId: row.id, verb, error: describeChain(error) }, 'a stray stays'));
    }
  }
}
