import { alone, describeChain, Lane } from '../../kernel/index.ts';
import type { Call, MachineObservation } from '../../strategy/index.ts';
import { type ComputeServices, hostOf, type InstanceRow } from './context.ts';
import { instance } from './instance.ts';

/** Short: an agent that does not answer is asked again at the next look. */
const CALL_TIMEOUT_MS = 10_000;
const THAWED_AT_ONCE = 8;

/**
 * Lets guests go on that may hold writes back though no operation wants it: a call to freeze that was given up landed late. It takes nothing away, so that it
 * is done also while removals wait for a word.
 */
export async function thawForgotten(
  services: ComputeServices,
  rows: readonly InstanceRow[],
  seen: ReadonlyMap<string, MachineObservation>,
  look: Call,
): Promise<void> {
  const { kernel, environment } = services;
  const held = rows.filter(({ id }) => seen.get(id)?.mayBeFrozen === true && !kernel().holds(id));
  const lane = new Lane(THAWED_AT_ONCE);
  const thaw = (row: InstanceRow) =>
    alone(services, [row.id], () => thawNow(services, row, { ...look, timeoutMs: CALL_TIMEOUT_MS })).catch((error: unknown) => {
      if (look.signal.aborted) return;
      environment.logger.warn({ instanceId: row.id, error: describeChain(error) }, 'a guest that may hold writes back was not thawed');
    });
  await Promise.all(held.map((row) => lane.run(() => thaw(row))));
}

async function thawNow({ reader, hosts, environment }: ComputeServices, { id, hostId }: InstanceRow, call: Call): Promise<void> {
  const row = await reader.find(instance, id);
  // It may have moved since it was seen.
  if (row === undefined || row.deletedAt !== undefined || row.hostId !== hostId) return;
  if (await (await hosts.hypervisor(hostOf(row))).thaw(id, call))
    environment.logger.info({ instanceId: id }, 'a guest held writes back that nobody waited for; thawed');
}
