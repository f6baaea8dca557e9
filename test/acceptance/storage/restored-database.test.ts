import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Id } from '@pileus/sdk';
import { expect } from 'chai';
import { AS_NOBODY, postgresPrograms } from '../../../tools/system/private-postgres.ts';
import { FULL } from '../../../tools/test/slice.ts';
import { until } from '../../lab/waiting.ts';
import { bucketStore } from './bucket.ts';
import { CephCloud, MIB } from './ceph-cloud.ts';
import { settledInventory } from './inventory.ts';
import { OpenedVolume } from './opened-volume.ts';

const SIZE_BYTES = 512 * MIB;
const ROWS = 20;
const WAIT = { timeoutMs: 300_000 };
/** One row after the other; each is told once its transaction is durable. */
const WRITE =
  'n=$(($(wc -l <told) + 1)); while psql -qAt -c "insert into rows values ($n, repeat(md5($n::text), 20))"; do echo $n >>told; n=$((n + 1)); done';

/** PostgreSQL with its files on a volume. */
class Database {
  readonly volume: OpenedVolume;
  readonly #programs: string;

  constructor(volume: OpenedVolume, programs: string) {
    this.volume = volume;
    this.#programs = programs;
  }

  static async on(volume: OpenedVolume): Promise<Database> {
    return new Database(volume, await postgresPrograms());
  }

  async make(): Promise<void> {
    await this.volume.shell(`chown 65534:65534 "${this.volume.root}"`);
    await this.#asNobody(`initdb -D ${this.#data} -U postgres --auth=trust --data-checksums --locale=C --encoding=UTF8 >/dev/null`);
    await this.start();
    await this.ask('create table rows (n bigint primary key, text text)');
    await this.#asNobody('touch told');
  }

  async start(): Promise<void> {
    const how = `-c listen_addresses= -c unix_socket_directories=${this.volume.dir}/socket`;
    await this.volume.shell(`mkdir -p ${this.volume.dir}/socket && chown 65534:65534 ${this.volume.dir}/socket`);
    await this.#asNobody(`pg_ctl -D ${this.#data} -w -t 120 -l ${this.volume.dir}/socket/log -o "${how}" start >/dev/null`);
  }

  async stop(): Promise<void> {
    await this.#asNobody(`pg_ctl -D ${this.#data} -w -t 120 -m fast stop >/dev/null`);
  }

  ask(statement: string): Promise<string> {
    return this.#asNobody(`psql -qAt -c "${statement}"`);
  }

  async write(): Promise<void> {
    await this.#asNobody(`(${WRITE}) >/dev/null 2>&1 &`);
  }

  /** How many rows are known to be durable. */
  async told(): Promise<number> {
    const lines = await readFile(join(this.volume.dir, 'socket/told'), 'utf8').catch(() => '');
    return lines.split('\n').length - 1;
  }

  async untilMore(): Promise<void> {
    const before = await this.told();
    await until('further rows', async () => (await this.told()) >= before + ROWS || undefined);
  }

  get #data(): string {
    return `${this.volume.root}/data`;
  }

  async #asNobody(script: string): Promise<string> {
    const { dir } = this.volume;
    const words = [`PATH=${this.#programs}:${process.env.PATH}`, `PGHOST=${dir}/socket`, 'PGUSER=postgres'];
    const there = `cd ${dir}/socket 2>/dev/null || cd /; ${script}`;
    return (await this.volume.run('setpriv', ...AS_NOBODY, 'env', ...words, 'sh', ...['-c', there])).trim();
  }
}

// Minutes: of the full run.
(FULL ? describe : () => undefined)('a database that runs while its volume is backed up', function (this: Mocha.Suite) {
  this.timeout(1_800_000);
  let lab: CephCloud;
  let volumeId: Id<'volume'>;
  /** In a bucket of Ceph's, and in a folder of the server. */
  const storeIds: Id<'backupStore'>[] = [];
  const backups: { readonly id: Id<'backup'>; readonly atLeast: number; readonly atMost: number; readonly notes: string }[] = [];

  before(async () => {
    lab = await CephCloud.up({ hosts: 1, gateway: true });
    const path = join(lab.serverDir, '..', 'cellar');
    await mkdir(path);
    const { backupStores } = lab.cloud;
    storeIds.push((await backupStores.create(await bucketStore(lab.ceph)).wait(WAIT)).id);
    storeIds.push((await backupStores.create({ name: 'cellar', driver: 'directory', settings: { path } }).wait(WAIT)).id);
    volumeId = (await lab.cloud.volumes.create({ name: 'database', sizeBytes: SIZE_BYTES }).wait(WAIT)).id;
  });
  after(() => lab?.[Symbol.asyncDispose]());

  it('writes on meanwhile, also for the next backup, which has what has changed alone', async () => {
    await using volume = await OpenedVolume.open(lab.ceph, volumeId, { format: true });
    const database = await Database.on(volume);
    await database.make();
    await database.write();
    for (const [number, notes] of ['first', 'second', 'third', 'fourth'].entries()) {
      const storeId = storeIds[Math.floor(number / 2)];
      await database.untilMore();
      await volume.shell(`echo ${notes} >"${volume.root}/notes.txt"; sync -f "${volume.root}"`);
      const atLeast = await database.told();
      const { id, readBytes } = await lab.cloud.volumeBackups.create({ volumeId, storeId }).wait(WAIT);
      // One more may be durable already, and not told.
      backups.push({ id, atLeast, atMost: (await database.told()) + 1, notes });
      if (number % 2 === 1) expect(readBytes).to.be.below(SIZE_BYTES / 2);
    }
    await database.untilMore();
    await database.ask('truncate rows');
    await volume.shell(`rm "${volume.root}/notes.txt"`);
    await database.stop();
  });

  for (const [index, how] of ['a copy from a bucket', 'what changed later, from a bucket', 'a copy', 'a clone'].entries())
    it(`is brought back by ${how} with all that was durable then and nothing torn, and a file beside it`, async () => {
      const { id, atLeast, atMost, notes } = backups[index] ?? expect.fail('there is no backup');
      const name = `again-${index}`;
      await lab.cloud.volumeBackups.restore(id, { name }).wait(WAIT);
      const restored = await lab.cloud.volumes.get(name);
      {
        await using volume = await OpenedVolume.open(lab.ceph, restored.id);
        expect(await volume.shell(`cat "${volume.root}/notes.txt"`)).to.equal(`${notes}\n`);
        const database = await Database.on(volume);
        await database.start();
        const [count, last, right] = (
          await database.ask('select count(*), max(n), count(*) filter (where text = repeat(md5(n::text), 20)) from rows')
        )
          .split('|')
          .map(Number);
        expect([count, right]).to.deep.equal([last, last]);
        expect(last).to.be.within(atLeast, atMost);
        await database.ask(`insert into rows values (0, 'goes on')`);
        await database.stop();
      }
      await lab.cloud.volumes.delete(restored.id, { permanent: true }).wait(WAIT);
    });

  it('leaves nothing', async () => {
    for (const { id } of backups) await lab.cloud.volumeBackups.delete(id).wait(WAIT);
    await lab.cloud.volumes.delete(volumeId, { permanent: true }).wait(WAIT);
    const { seen, expected } = await settledInventory(lab);
    expect(seen).to.deep.equal(expected);
  });
});
