import { randomUUID } from 'node:crypto';
import { assert, expect } from 'chai';
import fc from 'fast-check';
import type { Wire } from '../../../server/test/postgres/wire.ts';
import {
  type Address,
  type AnyChange,
  everyRow,
  type Operation,
  type OvnNorthbound,
  OvsdbClient,
  OvsdbError,
  ovnNorthbound,
  type Replica,
  type ReplicaEvent,
  TimeoutError,
} from '../../src/ovsdb/index.ts';
import { PrivateServer, rejection } from './private-server.ts';
import { wireTo } from './wire-to.ts';

const { Address_Set, Logical_Switch, Logical_Switch_Port, NB_Global } = ovnNorthbound.tables;

const everything = {
  Address_Set: { indexes: [['addresses']] },
  Logical_Switch: { columns: ['name', 'ports', 'other_config'], indexes: [['name'], ['name', 'ports']] },
  Logical_Switch_Port: true,
} as const;

/** What a fresh look at the server finds, in the columns that are replicated. */
async function dump(client: OvsdbClient<OvnNorthbound>): Promise<unknown> {
  const [sets, switches, ports] = await client.transact([
    Address_Set.select(everyRow),
    Logical_Switch.select(everyRow, ['name', 'ports', 'other_config']),
    Logical_Switch_Port.select(everyRow),
  ]);
  return sortRows({ Address_Set: sets, Logical_Switch: switches, Logical_Switch_Port: ports });
}

const sortRows = (tables: Readonly<Record<string, Iterable<{ readonly _uuid: string }>>>): unknown =>
  Object.fromEntries(Object.entries(tables).map(([name, rows]) => [name, [...rows].sort((a, b) => (a._uuid < b._uuid ? -1 : 1))]));

/** Random transactions on few rows, so that they meet. */
const step = fc.record({
  verb: fc.constantFrom('set', 'switch', 'port', 'rename', 'addresses', 'config', 'delete', 'big', 'several'),
  which: fc.nat(4),
  members: fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { maxLength: 5 }),
  entries: fc.dictionary(fc.constantFrom('x', 'y', '__proto__'), fc.constantFrom('1', '2')),
});
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

function operations({ verb, which, members, entries }: Step): readonly Operation[] {
  const name = `row ${which}`;
  switch (verb) {
    case 'set':
      return [Address_Set.delete([['name', '==', name]]), Address_Set.insert({ name, addresses: members })];
    case 'switch':
      return [Logical_Switch.insert({ name, other_config: entries })];
    case 'port': {
      const port = randomUUID();
      return [
        Logical_Switch_Port.insert({ name: `port ${port}`, tag: which + 1, addresses: members, options: entries }, port),
        Logical_Switch.mutate([['name', '==', name]], { ports: { insert: [port] } }),
      ];
    }
    case 'rename':
      return [Logical_Switch.update([['name', '==', name]], { name: `row ${(which + 1) % 5}` })];
    case 'addresses':
      return [Address_Set.mutate([['name', '==', name]], { addresses: { delete: ['a', 'c'], insert: members } })];
    case 'config':
      return [Logical_Switch.mutate([['name', '==', name]], { other_config: { delete: ['x'], put: entries } })];
    case 'delete':
      return [Logical_Switch.delete([['name', '==', name]])];
    case 'big':
      return [
        Address_Set.update([['name', '==', name]], {
          addresses: Array.from({ length: 40 * (which + 1) }, (_, at) => `${members[0]}${at}`),
        }),
      ];
    case 'several':
      return [
        Logical_Switch_Port.update(everyRow, { tag: members.length > 0 ? members.length : undefined, external_ids: entries }),
        Address_Set.update(everyRow, { external_ids: entries }),
      ];
  }
}

/** The rows that the changes alone lead to. */
class Follower {
  readonly tables: Record<string, Map<string, { readonly _uuid: string }>> = {};
  readonly batches: (readonly AnyChange[])[] = [];

  constructor(replica: Replica<never>) {
    for (const [name, rows] of Object.entries(replica.tables) as [string, Iterable<{ readonly _uuid: string }>][])
      this.tables[name] = new Map([...rows].map((row) => [row._uuid, row]));
    replica.subscribe((event: ReplicaEvent<never>) => {
      if (event.kind !== 'changes') return;
      this.batches.push(event.changes);
      for (const change of event.changes as readonly AnyChange[]) this.#follow(change);
    });
  }

  #follow({ table, uuid, before, row }: AnyChange): void {
    const rows = this.tables[table];
    expect(rows?.get(uuid)).to.deep.equal(before);
    if (row === undefined) rows?.delete(uuid);
    else rows?.set(uuid, row);
  }

  rows(): unknown {
    return sortRows(Object.fromEntries(Object.entries(this.tables).map(([name, rows]) => [name, rows.values()])));
  }
}

describe('an OVSDB replica', function () {
  this.timeout(300_000);
  let server: PrivateServer;
  let writer: OvsdbClient<OvnNorthbound>;
  let wire: Wire;
  let address: Address;

  before(async () => {
    server = await PrivateServer.start();
    writer = new OvsdbClient({ database: ovnNorthbound, remotes: [server.address] });
    ({ wire, address } = await wireTo(server));
    await writer.ready();
  });
  after(async () => {
    await wire.close();
    await writer.close();
    await server[Symbol.asyncDispose]();
  });
  beforeEach(() => writer.transact([Address_Set.delete(everyRow), Logical_Switch.delete(everyRow), NB_Global.delete(everyRow)]));

  const connect = (options: { readonly bigMessageBytes?: number } = {}) =>
    new OvsdbClient({
      database: ovnNorthbound,
      remotes: [address],
      reconnectDelayMs: 5,
      ...options,
    });

  /** Resolves when the replica has all that was written before. */
  async function caughtUp(replica: Replica<{ Address_Set: { readonly _uuid: string; readonly name: string } }>): Promise<void> {
    const name = `mark ${randomUUID()}`;
    await writer.transact([Address_Set.insert({ name })]);
    await replica.until(({ Address_Set: sets }) => sets.find({ name }).length === 1, { timeoutMs: 60_000 });
  }

  for (const [how, bigMessageBytes] of [
    ['in this thread', undefined],
    ['parsed in another thread', 200],
  ] as const)
    it(`equals a fresh look after random transactions and breaks, ${how}`, async () => {
      await using client = connect(bigMessageBytes === undefined ? {} : { bigMessageBytes });
      await using replica = client.replicate(everything);
      await replica.ready({ timeoutMs: 60_000 });
      const follower = new Follower(replica as never);
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), fc.integer({ min: 0, max: 15 }), async (steps, breakAt) => {
          for (const [index, each] of steps.entries()) {
            if (index === breakAt) wire.cut();
            await writer.transact(operations(each)).catch((error: unknown) => assert(error instanceof OvsdbError, String(error)));
          }
          await caughtUp(replica as never);
          const fresh = await dump(writer);
          expect(sortRows(replica.tables)).to.deep.equal(fresh);
          expect(follower.rows()).to.deep.equal(fresh);
          for (const row of replica.tables.Logical_Switch) {
            expect(replica.tables.Logical_Switch.find({ name: row.name })).to.include(row);
            expect(replica.tables.Logical_Switch.find({ ports: row.ports, name: row.name })).to.include(row);
          }
          for (const row of replica.tables.Address_Set) expect(replica.tables.Address_Set.find({ name: row.name })).to.deep.equal([row]);
        }),
        { numRuns: 40 },
      );
    });

  it('tells transactions whole and in their order', async () => {
    await using client = connect();
    await using replica = client.replicate({ NB_Global: true, Address_Set: { columns: ['name', 'addresses'] } });
    await replica.ready();
    const seen: [number, number][] = [];
    replica.subscribe((event) => {
      if (event.kind !== 'changes') return;
      const [row] = replica.tables.NB_Global;
      seen.push([row?.nb_cfg ?? -1, replica.tables.Address_Set.size]);
    });
    await writer.transact([NB_Global.insert({ nb_cfg: 0 })]);
    const steps = Array.from({ length: 200 }, (_, index) =>
      writer.transact([NB_Global.update(everyRow, { nb_cfg: index + 1 }), Address_Set.insert({ name: `step ${index}` })]),
    );
    await Promise.all(steps);
    await replica.until(({ NB_Global: rows }) => [...rows].some(({ nb_cfg }) => nb_cfg === 200), { timeoutMs: 60_000 });
    expect(seen.at(-1)).to.deep.equal([200, 200]);
    for (const [at, [cfg, sets]] of seen.entries()) {
      expect(cfg, 'both changes of a transaction are seen together').to.equal(sets);
      expect(cfg).to.be.at.least(seen[at - 1]?.[0] ?? 0);
    }
  });

  it('has a transaction of its own client before that is answered', async () => {
    await using client = connect();
    await using replica = client.replicate({ Address_Set: { columns: ['addresses'] } });
    await replica.ready();
    for (let index = 0; index < 50; index++) {
      const [uuid] = await client.transact([Address_Set.insert({ name: `own ${index}`, addresses: ['x'] })]);
      expect(replica.tables.Address_Set.get(uuid)).to.deep.equal({ _uuid: uuid, addresses: ['x'] });
    }
  });

  it('shows after a break only what changed meanwhile', async () => {
    await using client = connect({ bigMessageBytes: 1_000 });
    await using replica = client.replicate({ Address_Set: true });
    const uuids = Array.from({ length: 600 }, () => randomUUID());
    await writer.transact(uuids.map((uuid, index) => Address_Set.insert({ name: `kept ${index}`, addresses: ['a', 'b'] }, uuid)));
    await replica.ready();
    await replica.until(({ Address_Set: sets }) => sets.size === 600);
    const [first = '', second = '', third = ''] = uuids;
    const kept = replica.tables.Address_Set.get(third);
    const events: ReplicaEvent<never>[] = [];
    replica.subscribe((event) => events.push(event as ReplicaEvent<never>));
    wire.open = false;
    wire.cut();
    const fresh = randomUUID();
    await writer.transact([
      Address_Set.delete(first),
      Address_Set.update(second, { addresses: ['b', 'c'] }),
      Address_Set.insert({ name: 'fresh' }, fresh),
      Address_Set.update(third, { addresses: ['b', 'a'] }),
    ]);
    expect(replica.tables.Address_Set.has(first), 'what is not heard of stays').to.equal(true);
    wire.open = true;
    await replica.until(({ Address_Set: sets }) => sets.has(fresh), { timeoutMs: 60_000 });
    const changes = events.flatMap((event) => (event.kind === 'changes' ? (event.changes as readonly AnyChange[]) : []));
    const told = changes.map(({ kind, uuid }) => [kind, uuid]);
    expect(told).to.have.deep.members([
      ['delete', first],
      ['modify', second],
      ['insert', fresh],
    ]);
    expect(changes.find(({ kind }) => kind === 'modify')).to.deep.include({ columns: ['addresses'] });
    expect(events.map(({ kind }) => kind)).to.deep.equal(['stale', 'changes', 'current']);
    expect(replica.tables.Address_Set.get(third), 'the same object').to.equal(kept);
    expect(replica.state).to.equal('current');
  });

  it('has rows and columns that were asked for, and no others', async () => {
    await using client = connect();
    await using replica = client.replicate({
      Logical_Switch_Port: { columns: ['name', 'tag'], where: [['tag', '==', 5]] },
    });
    const [one, other] = [randomUUID(), randomUUID()];
    await writer.transact([
      Logical_Switch_Port.insert({ name: 'one', tag: 5 }, one),
      Logical_Switch_Port.insert({ name: 'other', tag: 6 }, other),
      Logical_Switch.insert({ name: 'both', ports: [one, other] }),
    ]);
    await replica.until(({ Logical_Switch_Port: ports }) => ports.size > 0, { timeoutMs: 60_000 });
    expect([...replica.tables.Logical_Switch_Port]).to.deep.equal([{ _uuid: one, name: 'one', tag: 5 }]);
    await writer.transact([Logical_Switch_Port.update(one, { tag: 6 }), Logical_Switch_Port.update(other, { tag: 5 })]);
    await replica.until(({ Logical_Switch_Port: ports }) => ports.has(other) && !ports.has(one), { timeoutMs: 60_000 });
    expect(() => replica.tables.Logical_Switch_Port.find({ tag: 5 })).to.throw(RangeError);
  });

  it('gives snapshots that stay', async () => {
    await using client = connect();
    await using replica = client.replicate({ Address_Set: true });
    await replica.ready();
    const [uuid] = await client.transact([Address_Set.insert({ name: 'old', addresses: ['a'] })]);
    const before = replica.snapshot();
    await client.transact([Address_Set.update(uuid, { addresses: ['b'] }), Address_Set.insert({ name: 'new' })]);
    const after = replica.snapshot();
    await client.transact([Address_Set.delete(everyRow)]);
    expect([...before.Address_Set].map(({ name, addresses }) => [name, ...addresses])).to.deep.equal([['old', 'a']]);
    expect(after.Address_Set.size).to.equal(2);
    expect(after.Address_Set.get(uuid)?.addresses).to.deep.equal(['b']);
    expect(replica.tables.Address_Set.size).to.equal(0);
  });

  it('is watched, waited for and closed', async () => {
    await using client = connect();
    const replica = client.replicate({ Address_Set: { columns: ['name'] } });
    await replica.ready();
    const late = await rejection(replica.until(() => false, { timeoutMs: 20 }));
    expect(late).to.be.instanceOf(TimeoutError);
    const watch = replica.watch();
    await client.transact([Address_Set.insert({ name: 'before anybody reads' })]);
    const watched = (async () => {
      const kinds: string[] = [];
      for await (const event of watch) kinds.push(event.kind);
      return kinds;
    })();
    await client.transact([Address_Set.insert({ name: 'watched' })]);
    await replica.close();
    expect(await watched).to.deep.equal(['changes', 'changes']);
    await client.transact([Address_Set.insert({ name: 'not watched' })]);
    expect(replica.tables.Address_Set.size).to.equal(2);
    expect(replica.state).to.equal('closed');
  });

  it('that the server refuses says so, and disturbs nothing else', async () => {
    await using client = connect();
    const replica = client.replicate({ Address_Set: { where: [['addresses', '<' as never, []]] } });
    expect(await rejection(replica.ready())).to.be.instanceOf(OvsdbError);
    expect(replica.state).to.equal('closed');
    await client.transact([Address_Set.insert({ name: 'still there' })]);
  });
});
