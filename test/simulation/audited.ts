import type { Operation } from '@pileus/core/kernel';
import type { SimCloud } from '@pileus/core/testing';

interface Entry {
  readonly id: string;
  readonly number: number;
  readonly actor: string;
  readonly action: string;
  readonly result?: string;
}

/** Each operation has one entry of the audit, which tells whose it was and how it ended; no entry waits for its end, and all of them are one chain. */
export async function unlikeAudit(sim: SimCloud): Promise<readonly string[]> {
  const problems: string[] = [];
  const entries = new Map((sim.rows('audit') as unknown as readonly Entry[]).map((entry) => [entry.id, entry]));
  for (const { id, actor, action, state } of sim.rows('operation') as unknown as readonly Operation[]) {
    const entry = entries.get(id);
    if (entry === undefined) problems.push(`${action} ${id} has no entry of the audit`);
    else if (entry.actor !== actor || entry.action !== action || entry.result !== state)
      problems.push(`${action} ${id} of ${actor} is ${state}, and in the audit: ${JSON.stringify(entry)}`);
  }
  for (const entry of entries.values()) if (entry.number === 0) problems.push(`not in the chain of the audit: ${JSON.stringify(entry)}`);
  const { whole, faults } = (await sim.environment.complete(sim.call('GET', '/audit/verify'))) as {
    readonly whole: boolean;
    readonly faults: readonly object[];
  };
  if (!whole) problems.push(`the audit is no chain: ${JSON.stringify(faults)}`);
  return problems;
}
