import { DatabaseSync } from 'node:sqlite';
import type { Statement } from '@pileus/core/kernel';
import { inlineSqlite, SqliteEngine } from '@pileus/core/sqlite';
import { expect } from 'chai';
import { FIRST } from './child/schema.ts';
import { type Scratch, scratch } from './scratch.ts';

describe('the pages of the embedded store', () => {
  let place: Scratch;
  before(async () => {
    place = await scratch();
  });
  after(() => place.remove());

  it('hold several changes each, also of rows of more than a thousand bytes', async () => {
    const ROWS = 300;
    const path = place.unused();
    const engine = new SqliteEngine({ path, incarnation: 'x' });
    await inlineSqlite(engine).prepare(FIRST);
    const epoch = engine.open();
    const pages = () => {
      const database = new DatabaseSync(path, { readOnly: true });
      const { page_count: count } = database.prepare('PRAGMA page_count').get() as { page_count: number };
      database.close();
      return count;
    };
    const empty = pages();
    const inserts = Array.from({ length: ROWS }, (_, index): Statement => {
      const id = `m-${String(index).padStart(3, '0')}`;
      return { op: 'insert', table: 'machine', row: { id, name: id, note: 'x'.repeat(1100) } };
    });
    const [outcome] = engine.apply([{ node: 'n', epoch, at: '2030-01-01T00:00:00.000Z', statements: inserts }]);
    expect(outcome).to.include({ ok: true });
    expect(engine.reader.changes(0, ROWS)).to.have.length(ROWS);
    // The rows and their changes, three to a page, and the indexes.
    expect(pages() - empty).to.be.below(ROWS);
    engine.close();
  });
});
