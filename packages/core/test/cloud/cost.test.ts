import { expect } from 'chai';
import type { Store, Transaction } from '../../src/kernel/index.ts';
import { MachineStage } from './compute/machine-stage.ts';

/** What the store is asked for while nothing but the work goes on. */
interface Cost {
  readonly transactions: number;
  readonly statements: number;
  /** Of the journal's entries. */
  readonly journalBytes: number;
  readonly reads: number;
}

/**
 * With one disk, one NIC and an address. Time is measured by `npm run bench`, on one machine at a time; this holds everywhere. Whoever makes it less sets it lower; whoever needs more
 * says in the commit what for.
 */
const AT_MOST: Readonly<Record<'create' | 'delete', Cost>> = {
  create: { transactions: 3, statements: 33, journalBytes: 1_600, reads: 23 },
  delete: { transactions: 6, statements: 38, journalBytes: 3_000, reads: 53 },
};

const READS = ['read', 'list', 'placed', 'count', 'aggregate', 'counter', 'counters'] as const;

async function costOf(stage: MachineStage, work: () => Promise<unknown>): Promise<Cost> {
  const { store } = stage.sim.kernel.services as { readonly store: Store };
  const commits: Transaction[] = [];
  let reads = 0;
  const own = store as unknown as Record<string, unknown>;
  const watched = ['commit', ...READS] as const;
  for (const name of watched) {
    const method = store[name] as (...given: unknown[]) => unknown;
    own[name] = (...given: unknown[]) => {
      if (name === 'commit') commits.push(given[0] as Transaction);
      else reads += 1;
      return method.apply(store, given);
    };
  }
  await work();
  for (const name of watched) delete own[name];
  // Looks at hosts and pools go on beside it.
  const ours = commits.filter(({ statements }) =>
    statements.some((each) => 'table' in each && ['operation', 'journal'].includes(each.table)),
  );
  const entries = ours.flatMap(({ statements }) => statements.filter((each) => 'table' in each && each.table === 'journal'));
  return {
    transactions: ours.length,
    statements: ours.reduce((sum, { statements }) => sum + statements.length, 0),
    journalBytes: entries.reduce((sum, each) => sum + JSON.stringify(each).length, 0),
    reads,
  };
}

describe('what a machine costs the store', () => {
  it('is no more than it was', async () => {
    const stage = await MachineStage.with({}, { world: { latencyMs: [0, 0] }, presets: { 'hosts.heartbeatSeconds': 3600 } });
    const input = stage.input({ nics: [{ networkId: stage.networkId }] });
    let id = '';
    const costs = {
      create: await costOf(stage, async () => {
        id = await stage.sim.done('instance.create', input);
      }),
      delete: await costOf(stage, () => stage.sim.done('instance.delete', {}, id)),
    };
    for (const verb of ['create', 'delete'] as const)
      for (const [what, atMost] of Object.entries(AT_MOST[verb]))
        expect(costs[verb][what as keyof Cost], `${what} of instance.${verb}`).to.be.within(1, atMost);
  });
});
