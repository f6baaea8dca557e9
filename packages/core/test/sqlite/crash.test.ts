import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSqlite } from '@pileus/core/sqlite';
import { expect } from 'chai';
import { Child } from './child/child.ts';
import { FIRST, SECOND } from './child/schema.ts';
import { type Scratch, scratch } from './scratch.ts';

const KILLS = 4;

describe('the embedded store on a file', function () {
  this.timeout(300_000);
  let folder: Scratch;
  beforeEach(async () => {
    folder = await scratch();
  });
  afterEach(() => folder.remove());

  it('keeps everything that was acknowledged and no part of a transaction, whenever the process is killed', async () => {
    const path = folder.path('store.db');
    const acknowledged: string[] = [];
    for (let round = 0; round < KILLS; round += 1) {
      const child = new Child('commit.ts', [path, String(round)]);
      await child.says('ack', 30 + 150 * round);
      await child.kill();
      acknowledged.push(...child.said('ack'));
      expect(child.said('refused')).to.deep.equal([]);
      const store = await openSqlite({ path });
      await store.prepare(FIRST);
      for (const id of acknowledged) expect(await store.read('machine', id), id).to.not.equal(undefined);
      const rows = await store.count({ table: 'machine' });
      expect(rows)
        .to.equal(2 * Number((await store.counter('pairs'))?.value))
        .and.at.least(2 * acknowledged.length);
      expect(await store.changes(0, 1e9)).to.have.length(rows);
      expect((await store.bounds()).newest).to.equal(rows / 2);
      await store.close();
    }
  });

  it('refuses a second opener by name, until the first is closed or killed', async () => {
    const path = folder.path('store.db');
    const first = await openSqlite({ path });
    const refusal = async () =>
      openSqlite({ path }).then(
        () => expect.fail('a second opener was let in'),
        (error: Error) => expect(error.message).to.include(path).and.include('open in another'),
      );
    await refusal();
    await first.close();
    const child = new Child('commit.ts', [path, 'x']);
    await child.says('open');
    await refusal();
    await child.kill();
    await (await openSqlite({ path })).close();
  });

  it('completes a migration that was killed', async () => {
    const path = folder.path('store.db');
    const store = await openSqlite({ path });
    await store.prepare(FIRST);
    const row = (index: number) =>
      ({ op: 'insert', table: 'machine', row: { id: `m${index}`, name: `m${index}`, old: `s${index}` } }) as const;
    const statements = Array.from({ length: 3_000 }, (_, index) => row(index));
    await store.commit({ node: 'n', epoch: store.epoch, at: '2030-01-01T00:00:00.000Z', statements });
    await store.close();
    for (const rows of [700, 1_200]) {
      const child = new Child('migrate.ts', [path, String(rows)]);
      await child.says('there');
      await child.kill();
      expect(child.said('prepared')).to.deep.equal([]);
    }
    const upgraded = await openSqlite({ path });
    await upgraded.prepare(SECOND);
    expect(await upgraded.count({ table: 'machine', where: { field: 'label', op: 'like', value: 'm%/s%' } })).to.equal(3_000);
    expect(await upgraded.count({ table: 'machine', where: { field: 'old', op: 'not null' } })).to.equal(0);
    await upgraded.close();
  });

  it('rejects commits while the disk is full, loses nothing, and goes on when there is room', async () => {
    const path = folder.path('store.db');
    const child = new Child('fill.ts', [path], ['prlimit', '--fsize=1500000:unlimited']);
    await child.says('full');
    const [[rows, newest] = []] = child.said('full').map((line) => line.split(' ').map(Number));
    expect(rows).to.equal(2 * child.said('ack').length);
    expect(newest).to.equal(child.said('ack').length);
    expect(child.said('rejected')).to.not.deep.equal([]);
    await once(spawn('prlimit', ['--pid', String(child.pid), '--fsize=unlimited:unlimited']), 'exit');
    process.kill(child.pid, 'SIGUSR2');
    await child.says('closed');
    await child.end();
    expect(child.said('ack').at(-1)).to.equal('last');
    const store = await openSqlite({ path });
    await store.prepare(FIRST);
    for (const id of child.said('ack')) expect(await store.read('machine', `${id}-twin`), id).to.not.equal(undefined);
    expect(await store.count({ table: 'machine' })).to.equal(2 * child.said('ack').length);
    await store.close();
  });

  it('refuses files that are no stores', async () => {
    const path = folder.path('other.db');
    const { DatabaseSync } = await import('node:sqlite');
    const other = new DatabaseSync(path);
    other.exec('CREATE TABLE t (x)');
    other.close();
    await openSqlite({ path }).then(
      () => expect.fail('opened what is no store'),
      (error: Error) => expect(error.message).to.include(path),
    );
  });
});
