import { describeChain, type KernelServices, timestamp } from '../../kernel/index.ts';
import { systemPrincipal } from './principal.ts';
import { quotaRequest } from './quota-request.ts';

const LOOK_MS = 60_000;
const AT_ONCE = 100;

/** Has what was granted until a day expire on that day, within a minute. Answers how to stop. */
export function startQuotaExpiry(services: KernelServices): () => Promise<void> {
  const { environment } = services;
  let stopped = false;
  let cancel = () => {};
  let working: Promise<void> = Promise.resolve();
  const look = () => {
    working = expireDue(services)
      .catch((error: unknown) => environment.logger.warn({ error: describeChain(error) }, 'granted quotas were not looked through'))
      .then(() => {
        if (!stopped) cancel = environment.timers.after(LOOK_MS, look);
      });
  };
  cancel = environment.timers.after(LOOK_MS, look);
  return async () => {
    stopped = true;
    cancel();
    await working;
  };
}

async function expireDue({ reader, kernel, environment }: KernelServices): Promise<void> {
  const due = await reader.list(
    quotaRequest,
    {
      and: [
        { field: 'state', op: '=', value: 'applied' },
        { field: 'expiresAt', op: '<=', value: timestamp(environment.clock) },
      ],
    },
    { limit: AT_ONCE },
  );
  for (const { id } of due)
    if (!kernel().holds(id))
      await kernel().submit({ action: `${quotaRequest.name}.expire`, resourceId: id, input: {}, principal: systemPrincipal() });
}
