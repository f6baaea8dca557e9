import { expect } from 'chai';
import type { Transaction } from '../../src/kernel/store.ts';
import { StoreError } from '../../src/kernel/store-error.ts';
import { CommitQueue } from '../../src/store/commit-queue.ts';

const TRANSACTION: Transaction = { node: 'node-1', epoch: 1, at: '2030-01-01T00:00:00.000Z', statements: [] };
const COMMITS = 200;
/** Far more turns than it takes. */
const TURNS_MAX = 1000;

const turn = () => new Promise<void>((resolve) => void setImmediate(resolve));

/** Two hundred commits of one turn, sent as one group. */
async function sentTogether() {
  const groups: number[][] = [];
  const durable: number[] = [];
  const queue = new CommitQueue<number>({
    keep: ({ statements }) => statements.length,
    send: (group) => void groups.push([...group]),
    onDurable: (revision) => void durable.push(revision),
  });
  const answered: { readonly index: number; readonly turn: number }[] = [];
  let turns = 0;
  const commits = Array.from({ length: COMMITS }, async (_, index) => {
    try {
      await queue.commit(TRANSACTION);
    } finally {
      answered.push({ index, turn: turns });
    }
  });
  await turn();
  const settle = () => queue.settle(Array.from({ length: COMMITS }, (_, index) => ({ ok: true, revision: index + 1 })));
  const pass = async (enough: () => boolean) => {
    while (!enough() && turns < TURNS_MAX) {
      await turn();
      turns += 1;
    }
  };
  return { queue, groups, durable, answered, commits, settle, pass };
}

describe('The answers of a large group of commits', () => {
  it('are dealt out in their order over several turns of the event loop, and what is committed meanwhile is the next group', async () => {
    const { queue, groups, durable, answered, commits, settle, pass } = await sentTogether();
    expect(groups).to.have.length(1);
    const again = commits.map((commit) => commit.then(() => queue.commit(TRANSACTION)));
    settle();
    await pass(() => groups.length > 1);
    expect(answered.map(({ index }) => index)).to.deep.equal(Array.from({ length: COMMITS }, (_, index) => index));
    const perTurn = Map.groupBy(answered, (each) => each.turn);
    expect(Math.max(...[...perTurn.values()].map(({ length }) => length))).to.be.at.most(2 * 8);
    expect(durable).to.deep.equal([COMMITS]);
    expect(groups.map(({ length }) => length)).to.deep.equal([COMMITS, COMMITS]);
    queue.fail(new StoreError('the end of the test'));
    await Promise.allSettled(again);
  });

  it('are all told when the writer dies before they were dealt out', async () => {
    const { queue, commits, settle } = await sentTogether();
    settle();
    queue.fail(new StoreError('the writer is gone'));
    expect((await Promise.allSettled(commits)).map(({ status }) => status)).to.deep.equal(Array(COMMITS).fill('fulfilled'));
    await queue.idle();
  });
});
