import type { Principal } from '../access.ts';
import type { Environment } from '../environment.ts';
import { describeChain } from '../errors.ts';
import type { Id } from '../id.ts';
import type { Accepted, SubmitRequest } from '../kernel.ts';
import type { AnyKind, RowBase, Trashed } from '../kind.ts';
import { equals, type Reader } from '../reader.ts';
import { awaitsConfirmation } from '../recovery.ts';
import type { Registry } from '../registry.ts';
import { trashMs, trashSeconds } from '../retention.ts';
import type { Settings } from '../settings/values.ts';
import type { Store } from '../store.ts';
import { TRASHED } from './plan.ts';

const LOOK_MS_MAX = 3600_000;
const LOOK_MS_MIN = 1000;
/** Where nothing is kept: what was on its way there when that was said. */
const LOOK_MS_OFF = 60_000;
/** Looks in the time that something may lie there: it goes that much late at most. */
const LOOKS = 10;
const PAGE_LENGTH = 100;

/** At work where each row is. */
const EXPIRY: Principal = { actor: 'system', projectId: '' as Id<'project'>, accountId: '' as Id<'account'>, allows: () => true };

export interface ExpiryPorts {
  readonly environment: Environment;
  readonly store: Store;
  readonly reader: Reader;
  readonly registry: Registry;
  readonly settings: Settings;
  readonly submit: (request: SubmitRequest) => Promise<Accepted>;
  /** True while an unfinished operation is in the queue of this key. */
  readonly holds: (key: string) => boolean;
}

/** Expunges what has lain in the trash for its time. Answers how to stop. */
export function startExpiry(ports: ExpiryPorts): () => Promise<void> {
  const { environment, registry, settings } = ports;
  const kinds = registry.kinds().filter(({ name }) => registry.findAction(`${name}.expunge`) !== undefined);
  const stopping = new AbortController();
  const ended = (async () => {
    while (kinds.length > 0 && !stopping.signal.aborted) {
      await settings.sleep(pauseOf(trashMs(settings)), [trashSeconds], stopping.signal);
      try {
        for (const kind of kinds) await expire(ports, kind, stopping.signal);
      } catch (error) {
        if (!stopping.signal.aborted) environment.logger.warn({ error: describeChain(error) }, 'the trash was not emptied');
      }
    }
  })();
  return async () => {
    stopping.abort();
    await ended;
  };
}

const pauseOf = (keptMs: number): number => (keptMs === 0 ? LOOK_MS_OFF : Math.min(LOOK_MS_MAX, Math.max(LOOK_MS_MIN, keptMs / LOOKS)));

/** What is under way is not asked for a second time. What is refused now, because too much is under way or its host is away, is asked for again at the next look. */
async function expire(ports: ExpiryPorts, kind: AnyKind, signal: AbortSignal): Promise<void> {
  const { environment, reader, store, settings, submit, holds } = ports;
  const before = new Date(environment.clock.nowMs() - trashMs(settings)).toISOString();
  for (let after: readonly string[] | undefined; ; ) {
    // What a restored store has in its trash may have been recovered since.
    if (signal.aborted || (await awaitsConfirmation(store))) return;
    const rows: readonly (RowBase & { readonly trash?: Trashed })[] = await reader.list(kind, equals('state', TRASHED), {
      limit: PAGE_LENGTH,
      ...(after === undefined ? {} : { after }),
    });
    for (const { id, trash } of rows) {
      if (signal.aborted) return;
      if (trash === undefined || trash.rootId !== id || trash.at > before || holds(id)) continue;
      await submit({ action: `${kind.name}.expunge`, resourceId: id, input: {}, principal: EXPIRY }).catch((error: unknown) => {
        environment.logger.warn({ kind: kind.name, id, error: describeChain(error) }, 'not expunged yet');
      });
    }
    const last = rows.at(-1);
    if (last === undefined || rows.length < PAGE_LENGTH) return;
    after = [last.id];
  }
}
