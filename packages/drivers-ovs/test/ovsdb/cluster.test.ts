import { randomUUID } from 'node:crypto';
import { assert, expect } from 'chai';
import { until } from '../../../../test/lab/waiting.ts';
import { type Address, everyRow, type OvnNorthbound, OvsdbClient, ovnNorthbound } from '../../src/ovsdb/index.ts';
import { PrivateCluster } from './private-cluster.ts';
import { wireTo } from './wire-to.ts';

const { Address_Set, NB_Global } = ovnNorthbound.tables;
const callTimeoutMs = 40_000;

/** Follows which member a client works with. */
function follow(client: OvsdbClient<OvnNorthbound>): { current: Address | undefined } {
  const place: { current: Address | undefined } = { current: undefined };
  client.subscribe((event) => {
    place.current = event.kind === 'connected' ? event.remote : undefined;
  });
  return place;
}

describe('an OVSDB cluster', function () {
  this.timeout(300_000);
  let cluster: PrivateCluster;

  before(async () => {
    cluster = await PrivateCluster.start();
  });
  after(() => cluster[Symbol.asyncDispose]());

  const connect = (remotes = cluster.addresses) =>
    new OvsdbClient({ database: ovnNorthbound, remotes, callTimeoutMs, reconnectDelayMs: 20, reconnectDelayMsMax: 200 });

  it('is worked with through its leader', async () => {
    const leaders = () =>
      Promise.all(
        [0, 1, 2].map(async (turn) => {
          const [first = cluster.addresses[0], ...others] = [...cluster.addresses.slice(turn), ...cluster.addresses.slice(0, turn)];
          await using client = connect([first, ...others]);
          const place = follow(client);
          await client.ready();
          return place.current;
        }),
      );
    // Members that are starved for a while choose another one in between.
    await until('one leader', async () => (new Set(await leaders()).size === 1 ? true : undefined));
    for (const address of cluster.addresses) {
      await using client = new OvsdbClient({ database: ovnNorthbound, remotes: [address], leaderOnly: false, callTimeoutMs });
      await client.transact([NB_Global.select(everyRow)]);
    }
  });

  it('is followed when its leader steps back', async () => {
    await using client = connect();
    const place = follow(client);
    await client.ready();
    const before = place.current;
    assert(before !== undefined);
    await using replica = client.replicate({ Address_Set: { columns: ['name'] } });
    await cluster.member(before).appctl('cluster/failure-test', 'transfer-leadership');
    const [uuid] = (await client.transactOnce([Address_Set.insert({ name: 'before or after' })])) ?? [];
    await replica.until(({ Address_Set: sets }) => uuid === undefined || sets.has(uuid), { timeoutMs: 60_000 });
    const after = await until('another leader', async () => (place.current === before ? undefined : place.current));
    expect(cluster.addresses).to.include(after);
    await client.transact([Address_Set.delete(everyRow)]);
  });

  it('does each transaction once, with the leader killed under load', async () => {
    await using client = connect();
    const place = follow(client);
    await client.ready();
    await client.transact([NB_Global.delete(everyRow), NB_Global.insert({ nb_cfg: 0 })]);
    await using replica = client.replicate({ Address_Set: { columns: ['name'] }, NB_Global: { columns: ['nb_cfg'] } });
    await replica.ready();
    const total = 240;
    let losses = 0;
    client.subscribe(({ kind }) => {
      if (kind === 'disconnected') losses += 1;
    });
    let [begun, unanswered] = [0, 0];
    const kills: Promise<void>[] = [];
    const killLeader = async (): Promise<void> => {
      const leader = cluster.member(await until('a leader', async () => place.current));
      await leader.kill();
      await leader.start();
    };
    const work = async (): Promise<void> => {
      while (begun < total) {
        const turn = begun;
        begun += 1;
        if (turn === 80 || turn === 160) kills.push(killLeader());
        const results = await client.transactOnce([
          Address_Set.insert({ name: `once ${turn}` }),
          NB_Global.mutate(everyRow, { nb_cfg: { add: 1 } }),
        ]);
        if (results === undefined) unanswered += 1;
      }
    };
    await Promise.all(Array.from({ length: 20 }, work));
    await Promise.all(kills);
    const [rows, globals] = await client.transact([Address_Set.select(everyRow, ['name']), NB_Global.select(everyRow, ['nb_cfg'])]);
    expect(kills).to.have.length(2);
    expect(rows.map(({ name }) => name).sort()).to.deep.equal(Array.from({ length: total }, (_, turn) => `once ${turn}`).sort());
    expect(globals.map(({ nb_cfg }) => nb_cfg)).to.deep.equal([total]);
    expect(unanswered, 'those that the end of a leader left unanswered').to.be.at.most(20 * losses);
    await replica.until(
      ({ Address_Set: sets, NB_Global: all }) => sets.size === total && [...all].every(({ nb_cfg }) => nb_cfg === total),
      { timeoutMs: 60_000 },
    );
  });

  it('tells a replica after a break only what it missed', async () => {
    await using writer = connect();
    await writer.ready();
    await writer.transact([Address_Set.delete(everyRow)]);
    const filler = Array.from({ length: 50 }, (_, index) => `2001:db8::${index}`);
    await writer.transact(Array.from({ length: 400 }, (_, index) => Address_Set.insert({ name: `row ${index}`, addresses: filler })));
    // A member remembers no more changes than it has content: the last one before the break must be a small one.
    await writer.transact([Address_Set.update([['name', '==', 'row 0']], { external_ids: { last: 'before the break' } })]);
    const ways = await Promise.all(cluster.members.map(wireTo));
    const wires = ways.map(({ wire }) => wire);
    try {
      let rows = 0;
      for (const wire of wires)
        wire.answer = (message) => {
          rows += message.toString('latin1').match(/"row \d+"/g)?.length ?? 0;
          return message;
        };
      const [first, ...others] = ways.map(({ address }) => address);
      assert(first !== undefined);
      await using client = connect([first, ...others]);
      await using replica = client.replicate({ Address_Set: true });
      await replica.ready({ timeoutMs: 60_000 });
      expect(replica.tables.Address_Set.size).to.equal(400);
      expect(rows).to.be.above(300);
      rows = 0;
      for (const wire of wires) wire.open = false;
      for (const wire of wires) wire.cut();
      const fresh = randomUUID();
      await writer.transact([Address_Set.insert({ name: 'fresh' }, fresh), Address_Set.delete([['name', '==', 'row 7']])]);
      for (const wire of wires) wire.open = true;
      await replica.until(({ Address_Set: sets }) => sets.has(fresh), { timeoutMs: 60_000 });
      expect(replica.tables.Address_Set.size).to.equal(400);
      // The schema is sent anew, by each member that is tried, and however often; the rows are not.
      expect(rows).to.be.below(50);
    } finally {
      for (const wire of wires) await wire.close();
    }
  });

  it('that is frozen leaves outcomes unknown, which the next leader resolves', async () => {
    await using client = new OvsdbClient({
      ...{ database: ovnNorthbound, remotes: cluster.addresses, callTimeoutMs },
      ...{ probeIntervalMs: 1_000, probeMissesMax: 3, reconnectDelayMs: 20, reconnectDelayMsMax: 200, connectTimeoutMs: 5_000 },
    });
    const place = follow(client);
    await client.ready();
    await client.transact([NB_Global.delete(everyRow), NB_Global.insert({ nb_cfg: 0 })]);
    assert(place.current !== undefined);
    const frozen = cluster.member(place.current);
    frozen.freeze();
    try {
      const create = [Address_Set.insert({ name: `thawed ${randomUUID()}` }), NB_Global.mutate(everyRow, { nb_cfg: { add: 1 } })] as const;
      expect(await client.transactOnce(create)).to.deep.equal([create[0].row, 1]);
      expect(place.current).not.to.equal(frozen.address);
      frozen.thaw();
      // What the frozen one had been sent comes late, and is refused.
      expect(await client.transactOnce(create)).to.equal(undefined);
    } finally {
      frozen.thaw();
    }
    for (let looks = 0; looks < 10; looks++) {
      const [rows] = await client.transact([NB_Global.select(everyRow, ['nb_cfg'])]);
      expect(rows.map(({ nb_cfg }) => nb_cfg)).to.deep.equal([1]);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  });
});
