import { CloudError, sleep } from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import { atRest } from '../patient-call.ts';
import { host, type MachineAsk } from '../topology/contract.ts';
import type { ComputeContext, InstanceRow } from './context.ts';

type Context = Pick<ComputeContext, 'hosts' | 'environment' | 'rest'>;

/** Longer than the longest that `hosts.lateSeconds` can be, several times over: a host that stumbles meanwhile is waited for anew. */
export const SETTLE_TIMEOUT_MS = 4 * 3600_000;
/** For one call of a step that may wait so long. */
const CALL_TIMEOUT_MS = 60_000;
const LOOK_MS = 2000;

export const brief = (call: Call): Call => ({ ...call, timeoutMs: Math.min(call.timeoutMs, CALL_TIMEOUT_MS) });

/** What a step asks again that an earlier life of its operation may have asked. */
export function suspectLate({ hosts }: Pick<Context, 'hosts'>, mayHaveBegun: boolean, hostId: string, ask: MachineAsk): void {
  if (mayHaveBegun) hosts.late.note(hostId, ask);
}

/**
 * Waits until a host that has not answered `ask` cannot do it any more, and meanwhile takes back again and again what it may have done. What hangs on that may
 * be let go of then: a disk that is plugged in late is nobody else's by then. Does nothing where all was answered.
 */
export async function settleLate(ctx: Context, hostId: string, ask: MachineAsk, call: Call, takeBack: (call: Call) => Promise<unknown>) {
  if (!ctx.hosts.late.isLate(hostId, ask)) return;
  await atRest(ctx, call, async () => {
    do {
      await sleep(ctx.environment.timers, LOOK_MS, call.signal);
      await takeBack(brief(call));
    } while (ctx.hosts.late.isLate(hostId, ask));
  });
}

/** A host that may remove the machine yet would end what comes there. @throws CloudError conflict */
export async function refuseLateRemoval(
  { hosts, reader }: Pick<ComputeContext, 'hosts' | 'reader'>,
  { id, name }: Pick<InstanceRow, 'id' | 'name'>,
  hostId: string,
): Promise<void> {
  if (!hosts.late.isLate(hostId, { method: 'remove', machineId: id })) return;
  throw new CloudError(
    'conflict',
    `Host ${(await reader.get(host, hostId)).name} was asked to remove instance ${name} and has not answered: it may do so yet. Ask again in a while.`,
    { pointer: '/hostId', params: { hostId } },
  );
}
