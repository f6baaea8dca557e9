import { both, describeChain, equals, type RowOf } from '../../kernel/index.ts';
import { operatorPrincipal } from '../identity/contract.ts';
import type { CloudServices } from '../services.ts';
import { host } from './host.ts';
import { removalAllowed } from './recovery.ts';
import { strayAfterSeconds, strayPolicies, straySettings } from './settings.ts';
import { STRAY_KINDS, stray } from './stray.ts';

const LOOK_MS_MAX = 3600_000;
const LOOK_MS_MIN = 1000;
const LOOKS = 10;
/** Of one kind at once; the next look takes the next. */
const AT_ONCE = 20;

/** What lies in quarantine for long enough is adopted or removed where an operator has set that. Nothing of a restored store before it is confirmed. */
export function startStrayPolicy(services: CloudServices): () => Promise<void> {
  const { environment, settings } = services;
  const stopping = new AbortController();
  const ended = (async () => {
    while (!stopping.signal.aborted) {
      const soonestMs = Math.min(...settings.everywhere(strayAfterSeconds)) * 1000;
      await settings.sleep(Math.min(LOOK_MS_MAX, Math.max(LOOK_MS_MIN, soonestMs / LOOKS)), straySettings, stopping.signal);
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
  const principal = operatorPrincipal('system');
  const isDue = async ({ createdAt, hostId }: RowOf<typeof stray>) =>
    Date.parse(createdAt) + (await settings.at(strayAfterSeconds, host, hostId)) * 1000 <= environment.clock.nowMs();
  for (const objectKind of STRAY_KINDS) {
    const policy = strayPolicies[objectKind];
    if (settings.everywhere(policy).every((verb) => verb === 'keep')) continue;
    const rows = await reader.list(stray, both(equals('objectKind', objectKind), equals('state', 'quarantined')));
    let begun = 0;
    for (const row of rows) {
      if (signal.aborted || begun === AT_ONCE) break;
      const verb = await settings.at(policy, host, row.hostId);
      if (verb === 'keep' || kernel().holds(row.id) || !(await isDue(row))) continue;
      begun += 1;
      await kernel()
        .submit({ action: `stray.${verb}`, resourceId: row.id, input: {}, principal })
        .catch((error: unknown) => environment.logger.warn({ strayId: row.id, verb, error: describeChain(error) }, 'a stray stays'));
    }
  }
}
