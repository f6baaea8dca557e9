import { expect } from 'chai';
import type { JournalEntry } from '../../src/kernel/operation.ts';
import type { Change } from '../../src/kernel/store.ts';
import type { SagaStoreStage } from './saga-store-stage.ts';
import { refused } from './saga-store-world.ts';

const MANY = 32;

/** What of a saga is there again when the store is opened again. */
export function describeSagaStoreKeeping(stage: () => SagaStoreStage): void {
  describe('over a crash', () => {
    describeQueues(stage);
    describeSteering(stage);
    describeMany(stage);
  });
}

/** A step that does not end: its life is killed before, and in the next it is another. */
const hold = (s: SagaStoreStage, step: string) => void s.shelf.holds.set(step, new Promise(() => undefined));

async function crash(s: SagaStoreStage): Promise<void> {
  s.kill();
  s.shelf.holds.clear();
  await s.reopen();
  await s.expectOneStory();
}

function describeQueues(stage: () => SagaStoreStage): void {
  it('all that has not ended is found, in the order of its queues, and nothing that has', async () => {
    const s = stage();
    const [one, other] = [await s.made('one'), await s.made('other')];
    hold(s, 'paint 0');
    const accepted: string[] = [];
    for (let n = 0; n < 6; n += 1) {
      const also = n === 3 ? { also: [other] } : {};
      accepted.push((await s.ask('box.paint', { word: String(n), ...also }, n === 4 ? other : one)).operationId);
    }
    await s.run(200);
    await crash(s);
    await s.begin();
    expect(s.kernel.operations.unfinished).to.equal(6);
    expect(s.kernel.operations.queue(one)).to.deep.equal([0, 1, 2, 3, 5].map((n) => accepted[n]));
    expect(s.kernel.operations.queue(other)).to.deep.equal([accepted[3], accepted[4]]);
    for (const id of accepted) expect(await s.ended(id)).to.include({ state: 'succeeded' });
    const order = s.shelf.lines.map((line) => line.replace('paint ', ''));
    expect(order.filter((n) => n !== '4')).to.deep.equal(['0', '1', '2', '3', '5']);
    expect(order.indexOf('4')).to.be.greaterThan(order.indexOf('3'));
    await crash(s);
    await s.begin();
    expect(s.kernel.operations.unfinished).to.equal(0);
  });

  it('every key is held, also of more than the row shows', async () => {
    const s = stage();
    const [one, other] = [await s.made('one'), await s.made('other')];
    hold(s, 'paint first');
    const keys = Array.from({ length: 150 }, (_, n) => `key-${n}`);
    const first = await s.ask('box.paint', { word: 'first', also: [...keys, other] }, one);
    const second = await s.ask('box.paint', { word: 'second' }, other);
    await s.run(200);
    await crash(s);
    const { promise, resolve: release } = Promise.withResolvers<void>();
    s.shelf.holds.set('paint first', promise);
    await s.begin();
    for (const key of [...keys, one]) expect(s.kernel.operations.queue(key), key).to.deep.equal([first.operationId]);
    expect(s.kernel.operations.queue(other)).to.deep.equal([first.operationId, second.operationId]);
    release();
    expect(await s.ended(second.operationId)).to.include({ state: 'succeeded' });
    expect(s.shelf.lines).to.deep.equal(['paint first', 'paint second']);
    expect(s.kernel.operations.queue('key-149')).to.deep.equal([]);
  });

  it('the progress that was told is there, and never goes back', async () => {
    const s = stage();
    hold(s, 'lid');
    const { operationId } = await s.make('box');
    const before = await s.until(operationId, ({ lastStep }) => lastStep === 'full');
    expect(before.percent).to.be.greaterThan(0);
    await crash(s);
    expect(await s.operation(operationId)).to.deep.equal(before);
    await s.begin();
    expect(await s.ended(operationId)).to.include({ percent: 100 });
    const told = (await s.store.changes(0, 1_000)).filter(({ key }) => key === operationId).map(({ row }) => JSON.parse(row).percent);
    expect(told).to.deep.equal(told.toSorted((a, b) => a - b));
  });
}

function describeSteering(stage: () => SagaStoreStage): void {
  it('an operation that was asked to stop unwinds', async () => {
    const s = stage();
    hold(s, 'lid');
    const { operationId } = await s.make('box');
    await s.until(operationId, ({ lastStep }) => lastStep === 'full');
    await s.survive(s.kernel.operations.cancel(operationId));
    await crash(s);
    const asked = await s.operation(operationId);
    expect(asked.cancelRequested).to.equal(true);
    expect(asked.state).to.be.oneOf(['running', 'unwinding']);
    await s.begin();
    expect(await s.ended(operationId)).to.include({ state: 'cancelled' });
    await s.expectNothingLeft();
    expect(s.shelf.things.size).to.equal(0);
  });

  it('what needs attention still does, and goes on when it is told to', async () => {
    const s = stage();
    s.shelf.fails.set('lid', refused()).set('undo bottom', refused());
    const { operationId } = await s.make('box');
    const isStuck = ({ state }: { readonly state: string }) => state === 'needs_attention';
    const { attention } = await s.until(operationId, isStuck);
    expect(attention).to.include({ step: 'bottom', phase: 'undo' });
    await crash(s);
    expect(await s.operation(operationId)).to.deep.include({ state: 'needs_attention', attention });
    await s.begin();
    await s.run(120_000);
    await s.until(operationId, isStuck);
    await s.survive(s.kernel.operations.steer(operationId, 'skip'));
    expect(await s.ended(operationId)).to.include({ state: 'failed' });
    const skipped = (entry: JournalEntry) => entry.type === 'undone' && entry.skipped === true;
    expect((await s.journal(operationId)).filter(skipped)).to.have.length(1);
    await s.expectOneStory();
  });

  it('an engine that does not know a saga parks it, and one that does goes on where it was', async () => {
    const s = stage();
    hold(s, 'lid');
    const { operationId } = await s.make('box');
    await s.until(operationId, ({ lastStep }) => lastStep === 'full');
    await crash(s);
    const journal = await s.journal(operationId);
    await s.begin(false);
    await s.until(operationId, ({ state }) => state === 'parked');
    expect(await s.journal(operationId)).to.deep.equal(journal);
    await crash(s);
    s.shelf.fails.set('bottom', refused());
    await s.begin();
    expect(await s.ended(operationId)).to.include({ state: 'succeeded' });
    await s.expectNothingLeft();
  });
}

function describeMany(stage: () => SagaStoreStage): void {
  it('many sagas at once end once each, and a reader of the feed misses no change and sees none in another order', async () => {
    const s = stage();
    const accepted = await s.answers(s.requests('box.create', MANY, (n) => ({ input: { name: `box-${n}`, litres: 2 } })));
    expect(accepted).to.have.length(MANY);
    const seen = new Map<number, Change[]>([1, 7, 1_000].map((limit) => [limit, []]));
    const read = async () => {
      for (const [limit, changes] of seen) changes.push(...(await s.store.changes(changes.at(-1)?.revision ?? 0, limit)));
    };
    for (let round = 0; round < 4; round += 1) {
      await s.run(5);
      await read();
    }
    await crash(s);
    await s.begin();
    for (const { operationId } of accepted) expect(await s.ended(operationId)).to.include({ state: 'succeeded' });
    await s.expectNothingLeft();
    const { newest } = await s.store.bounds();
    const behind = () => [...seen.values()].some((changes) => (changes.at(-1)?.revision ?? 0) < newest);
    while (behind()) await read();
    const [first, ...others] = [...seen.values()];
    for (const other of others) expect(other).to.deep.equal(first);
    const generations = new Map<string, number>();
    for (const { table, key, row } of first ?? []) {
      const { generation } = JSON.parse(row) as { readonly generation: number };
      expect(generation, `${table} ${key}`).to.equal((generations.get(key) ?? 0) + 1);
      generations.set(key, generation);
    }
    for (const { operationId, resourceId } of accepted) {
      expect((await s.operation(operationId)).generation).to.equal(generations.get(operationId));
      expect((await s.row('box', resourceId)).generation).to.equal(generations.get(resourceId));
    }
  });
}
