import { SqliteEngine } from '@pileus/core/sqlite';
import { expect } from 'chai';
import { SimEnvironment } from '../../testing/sim/environment.ts';
import { SimulatedStore, type StoreFaults } from '../../testing/sim/store.ts';
import { FIRST } from './child/schema.ts';

const COMMITS = 60;

/** Commits many rows under faults and tells what came of each, and which rows are there in the end. */
async function run(seed: string, faults: StoreFaults) {
  const environment = new SimEnvironment(seed);
  const engine = new SqliteEngine({ path: ':memory:', incarnation: 'simulated' });
  const store = new SimulatedStore(engine, environment, faults);
  await environment.complete(store.prepare(FIRST));
  const outcomes = Array.from({ length: COMMITS }, async (_, index) => {
    const row = { id: `m${String(index).padStart(2, '0')}`, name: `m${index}` };
    return store.commit({ node: 'n', epoch: store.epoch, at: '', statements: [{ op: 'insert', table: 'machine', row }] }).then(
      ({ ok }) => (ok ? 'done' : 'refused'),
      (error) => error.outcome as string,
    );
  });
  const settled = await environment.complete(Promise.all(outcomes));
  const rows = (await environment.complete(store.list({ table: 'machine' }))).map((text) => Number(JSON.parse(text).id.slice(1)));
  engine.close();
  return { settled, rows, hash: environment.historyHash() };
}

describe('the simulated store', () => {
  it('rejects what it did not write, as unknown', async () => {
    const { settled, rows } = await run('fails', { commitFails: 0.4 });
    expect(new Set(settled)).to.deep.equal(new Set(['done', 'unknown']));
    expect(rows).to.deep.equal(settled.flatMap((outcome, index) => (outcome === 'done' ? [index] : [])));
  });

  it('rejects what it wrote, as unknown', async () => {
    const { settled, rows } = await run('lost', { acknowledgementLost: 0.4 });
    expect(new Set(settled)).to.deep.equal(new Set(['done', 'unknown']));
    expect(rows).to.have.length(COMMITS);
  });

  it('has one history for one seed', async () => {
    const faults = { commitFails: 0.2, acknowledgementLost: 0.2 };
    const [one, same, other] = [await run('a', faults), await run('a', faults), await run('b', faults)];
    expect(same).to.deep.equal(one);
    expect(other.hash).to.not.equal(one.hash);
  });

  it('settles no promise after it was killed, and its engine keeps what was durable', async () => {
    const environment = new SimEnvironment('kill');
    const engine = new SqliteEngine({ path: ':memory:', incarnation: 'simulated' });
    const store = new SimulatedStore(engine, environment);
    await environment.complete(store.prepare(FIRST));
    let settled = 0;
    const count = () => {
      settled += 1;
    };
    const insert = (id: string) =>
      store.commit({ node: 'n', epoch: store.epoch, at: '', statements: [{ op: 'insert', table: 'machine', row: { id, name: id } }] });
    await environment.complete(insert('durable'));
    insert('under way').then(count, count);
    store.read('machine', 'durable').then(count, count);
    store.kill();
    insert('late').then(count, count);
    store.list({ table: 'machine' }).then(count, count);
    await environment.run();
    expect(settled).to.equal(0);
    const next = new SimulatedStore(engine, environment);
    expect(next.epoch).to.equal(store.epoch + 1);
    expect(await environment.complete(next.count({ table: 'machine' }))).to.equal(1);
    engine.close();
  });
});
