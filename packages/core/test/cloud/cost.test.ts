import { readFile, writeFile } from 'node:fs/promises';
import { expect } from 'chai';
import { type zone as Zone, zone } from '../../src/cloud/index.ts';
import { Api, create, type RowOf, type Statement, type Store, type Transaction } from '../../src/kernel/index.ts';
import { MachineStage } from './compute/machine-stage.ts';
import { GIB } from './little-cloud.ts';

const FILE = new URL('cost.json', import.meta.url);
/** A field more in a row is no news, a row more is. */
const SLACK: Readonly<Record<string, number>> = { bytesWritten: 1.1, journalBytes: 1.1 };
const ZONES = 100;
const READS = ['read', 'list', 'placed', 'count', 'aggregate', 'counter', 'counters'] as const;

/** What is asked of the store and of drivers for one request, by what it is. */
type Cost = Readonly<Record<string, number>>;

const bytesOf = (statements: readonly Statement[]): number => statements.reduce((sum, each) => sum + JSON.stringify(each).length, 0);
/** Looks at hosts and pools go on beside it. */
const isOfAnOperation = ({ statements }: Transaction): boolean =>
  statements.some((each) => 'table' in each && ['operation', 'journal'].includes(each.table));

/** All that is asked while the work goes on. */
async function costOf({ sim }: MachineStage, work: () => Promise<unknown>): Promise<Cost> {
  const { store } = sim.kernel.services as { readonly store: Store };
  const { faults } = sim.world;
  const transactions: Transaction[] = [];
  const driverCalls: string[] = [];
  let [reads, rowsRead] = [0, 0];
  const own = store as unknown as Record<string, unknown>;
  own.commit = (transaction: Transaction) => {
    transactions.push(transaction);
    return Object.getPrototypeOf(store).commit.call(store, transaction);
  };
  for (const name of READS)
    own[name] = async (...given: unknown[]) => {
      reads += 1;
      const found = await Object.getPrototypeOf(store)[name].apply(store, given);
      rowsRead += Array.isArray(found) ? found.length : 1;
      return found;
    };
  Object.assign(faults, {
    strike: (site: string, command: string) => {
      driverCalls.push(command);
      return Object.getPrototypeOf(faults).strike.call(faults, site, command);
    },
  });
  try {
    await work();
  } finally {
    for (const name of ['commit', ...READS]) delete own[name];
    Reflect.deleteProperty(faults, 'strike');
  }
  const ours = transactions.filter(isOfAnOperation);
  const statements = ours.flatMap((each) => each.statements);
  const journal = statements.filter((each) => 'table' in each && each.table === 'journal');
  const written = statements.filter(({ op }) => ['insert', 'update', 'remove'].includes(op));
  return {
    transactions: ours.length,
    statements: statements.length,
    rowsWritten: written.length,
    bytesWritten: bytesOf(written),
    journalBytes: bytesOf(journal),
    reads,
    rowsRead,
    driverCalls: driverCalls.length,
  };
}

/** The requests that are counted, on a cloud that has nothing else to do. */
async function costs(): Promise<Readonly<Record<string, Cost>>> {
  const stage = await MachineStage.with({}, { world: { latencyMs: [0, 0] }, presets: { 'hosts.heartbeatSeconds': 3600 } });
  const { sim } = stage;
  const api = new Api(sim.kernel);
  await sim.environment.complete(api.start());
  const get = async (url: string) => {
    const { signal } = new AbortController();
    const asked = { method: 'GET', url, headers: {}, principal: sim.principal, requestId: '', signal, acceptsSocket: false };
    const { status } = await sim.environment.complete(api.handle(asked));
    expect(status, url).to.equal(200);
  };
  const rows = Array.from({ length: ZONES }, (_, index) =>
    create(zone, { id: sim.kernel.services.ids.mint('zone'), name: `zone-${index}` } as RowOf<typeof Zone>),
  );
  await sim.environment.complete(sim.kernel.observe(rows));
  let id = '';
  const made = await costOf(stage, async () => {
    id = await sim.done('instance.create', stage.input({ nics: [{ networkId: stage.networkId }] }));
  });
  const found = {
    'instance.create': made,
    get: await costOf(stage, () => get(`/v1/instances/${id}`)),
    'list.100': await costOf(stage, () => get('/v1/zones?limit=100')),
    'instance.delete': await costOf(stage, () => sim.done('instance.delete', {}, id)),
    'volume.create': await costOf(stage, async () => {
      id = await sim.done('volume.create', { sizeBytes: GIB });
    }),
    'volume.delete': await costOf(stage, () => sim.done('volume.delete', {}, id)),
  };
  api.stop();
  sim.dispose();
  return found;
}

/** Time is measured by `npm run bench`, on one machine at a time; what is counted here is the same everywhere. */
describe('what a machine costs', () => {
  it('is no more than it was', async () => {
    const now = await costs();
    if (process.env.UPDATE_SNAPSHOTS === '1') await writeFile(FILE, `${JSON.stringify(now, undefined, 2)}\n`);
    const before = JSON.parse(await readFile(FILE, 'utf8')) as typeof now;
    const grown = Object.entries(now).flatMap(([request, cost]) =>
      Object.entries(cost)
        .filter(([what, count]) => count > (before[request]?.[what] ?? 0) * (SLACK[what] ?? 1))
        .map(([what, count]) => `${request} needs ${count} ${what}, was ${before[request]?.[what]}`),
    );
    expect(grown, 'make it less, or write it down with UPDATE_SNAPSHOTS=1 and say in the commit what for').to.deep.equal([]);
    expect(Object.keys(before)).to.have.members(Object.keys(now));
  });
});
