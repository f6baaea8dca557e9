import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { assert, expect } from 'chai';
import { modules } from '../../../../tools/generate/ovsdb-schemas.ts';
import {
  AbortedError,
  abort,
  BusyError,
  ConnectionLostError,
  comment,
  database,
  durably,
  everyRow,
  type NorthboundRows,
  type Operation,
  type OvnNorthbound,
  OvsdbClient,
  OvsdbError,
  openVswitch,
  ovnNorthbound,
  ovnSouthbound,
  type RowUuid,
  SchemaError,
  TimeoutError,
} from '../../src/ovsdb/index.ts';
import { PrivateServer, rejection } from './private-server.ts';

describe('OVSDB transactions', function () {
  this.timeout(300_000);
  let server: PrivateServer;
  let client: OvsdbClient<OvnNorthbound>;
  const { Logical_Switch, Logical_Switch_Port, Address_Set, NB_Global, Load_Balancer, DHCP_Options } = ovnNorthbound.tables;

  before(async () => {
    server = await PrivateServer.start();
    client = new OvsdbClient({ database: ovnNorthbound, remotes: [server.address] });
    await client.ready({ timeoutMs: 60_000 });
  });
  after(async () => {
    await client.close();
    await server[Symbol.asyncDispose]();
  });

  const failure = async (operations: readonly Operation[]): Promise<OvsdbError> => {
    const error = await rejection(client.transact(operations));
    assert(error instanceof OvsdbError, String(error));
    return error;
  };

  it('answer what each operation answers, typed', async () => {
    const port = randomUUID();
    const [sw, inserted, count, rows, none] = await client.transact([
      Logical_Switch.insert({ name: 'blue', ports: [port], other_config: { subnet: '10.0.0.0/24' } }),
      Logical_Switch_Port.insert({ name: 'blue-1', addresses: ['dynamic'], tag: 7 }, port),
      Logical_Switch.update([['name', '==', 'blue']], { external_ids: { owner: 'test' } }),
      Logical_Switch.select([['ports', 'includes', [port]]], ['name', 'ports', 'external_ids']),
      comment('a test'),
      durably(),
    ]);
    expect(inserted).to.equal(port);
    expect(count).to.equal(1);
    expect(none).to.equal(undefined);
    expect(rows).to.deep.equal([
      { _uuid: sw, name: 'blue', ports: [port], external_ids: Object.assign(Object.create(null), { owner: 'test' }) },
    ]);
    const [ports] = await client.transact([Logical_Switch_Port.select([['tag', '>=', 7]])]);
    expect(ports[0]?.tag satisfies number | undefined).to.equal(7);
    expect(ports[0]).to.include({ name: 'blue-1', parent_name: undefined });
    expect(ports[0]?.options).to.deep.equal(Object.create(null));
  });

  it('of what a table has not do not compile', () => {
    const wrong = (router: RowUuid<'Logical_Router'>, row: NorthboundRows.LogicalSwitch): readonly Operation[] => [
      // @ts-expect-error: no port but a router.
      Logical_Switch.insert({ ports: [router] }),
      // @ts-expect-error: no column of that name.
      Logical_Switch.insert({ nome: 'x' }),
      // @ts-expect-error: no protocol of that name.
      Load_Balancer.insert({ protocol: 'icmp' }),
      // @ts-expect-error: names have no order.
      Logical_Switch.select([['name', '<', 'x']]),
      // @ts-expect-error: nothing is added to a name.
      Logical_Switch.mutate(row._uuid, { name: { add: 1 } }),
    ];
    const wrongReplicas = (): unknown => {
      // @ts-expect-error: no column of that name.
      client.replicate({ Logical_Switch: { columns: ['nome'] } });
      const replica = client.replicate({ Logical_Switch: { columns: ['name'] } });
      // @ts-expect-error: not replicated.
      replica.tables.Logical_Switch_Port;
      // @ts-expect-error: not replicated.
      return [...replica.tables.Logical_Switch].map(({ ports }) => ports);
    };
    expect([wrong, wrongReplicas]).to.have.length(2);
  });

  it('compare and set', async () => {
    const set = await client.transact([Address_Set.insert({ name: 'cas', addresses: ['a'] })]).then(([uuid]) => uuid);
    const change = (from: readonly string[], to: readonly string[]) => [
      Address_Set.wait(set, { until: '==', columns: ['addresses'], rows: [{ addresses: from }] }),
      Address_Set.update(set, { addresses: to }),
    ];
    await client.transact(change(['a'], ['b']));
    const error = await failure(change(['a'], ['c']));
    expect(error).to.include({ code: 'wait_failed', operation: 0, table: 'Address_Set', row: set, column: 'addresses' });
    const [rows] = await client.transact([Address_Set.select(set, ['addresses'])]);
    expect(rows[0]?.addresses).to.deep.equal(['b']);
  });

  it('wait for others as long as told', async () => {
    const waiting = client.transact([
      Address_Set.wait([['name', '==', 'late']], { until: '==', columns: ['name'], rows: [{ name: 'late' }], timeoutMs: 60_000 }),
      Address_Set.update([['name', '==', 'late']], { addresses: ['seen'] }),
    ]);
    await client.transact([Address_Set.insert({ name: 'late' })]);
    expect((await waiting)[1]).to.equal(1);
  });

  it('that fail change nothing, and tell table, row and column', async () => {
    const taken = randomUUID();
    const lost = randomUUID();
    const fresh = randomUUID();
    await client.transact([Address_Set.insert({ name: 'taken' }, taken)]);
    const cases: readonly (readonly [OvsdbError, object])[] = [
      [
        await failure([Address_Set.insert({ name: 'taken' }, fresh)]),
        { code: 'constraint_violation', table: 'Address_Set', column: 'name', row: fresh, operation: undefined },
      ],
      [
        await failure([comment('x'), Address_Set.insert({ name: 'y' }, taken)]),
        { code: 'duplicate_uuid', table: 'Address_Set', row: taken, operation: 1 },
      ],
      [
        await failure([Logical_Switch.insert({ name: 'z', ports: [lost] }, fresh)]),
        { code: 'broken_reference', table: 'Logical_Switch', column: 'ports', row: fresh, operation: undefined },
      ],
      [await failure([Logical_Switch.insert({ name: 'undone' }), abort()]), { code: 'aborted', operation: 1 }],
      [
        await failure([NB_Global.insert({ nb_cfg: 2 ** 40 }), NB_Global.mutate(everyRow, { nb_cfg: { divide: 0 } })]),
        { code: 'domain_error', table: 'NB_Global', column: 'nb_cfg', operation: 1 },
      ],
    ];
    for (const [error, expected] of cases) expect(error, error.message).to.include(expected);
    const [switches] = await client.transact([Logical_Switch.select([['name', '==', 'undone']])]);
    expect(switches).to.deep.equal([]);
  });

  it('delete what they name, and never all by mistake', async () => {
    await client.transact([DHCP_Options.insert({ cidr: '10.0.0.0/24' }), DHCP_Options.insert({ cidr: '10.0.1.0/24' })]);
    expect(() => DHCP_Options.delete([] as never)).to.throw(RangeError);
    expect(await client.transact([DHCP_Options.delete([['cidr', '==', '10.0.1.0/24']])])).to.deep.equal([1]);
    expect(await client.transact([DHCP_Options.delete(everyRow)])).to.deep.equal([1]);
  });

  it('of which too many wait are refused as busy, the others are answered', async () => {
    await using busy = new OvsdbClient({ database: ovnNorthbound, remotes: [server.address], maxInFlight: 5, maxWaiting: 20 });
    await busy.ready();
    server.freeze();
    const calls = Array.from({ length: 40 }, () =>
      busy.transact([Address_Set.select(everyRow, ['name'])]).then(
        () => 'answered',
        (error: unknown) => error,
      ),
    );
    await sleep(50);
    server.thaw();
    const ends = await Promise.all(calls);
    expect(ends.filter((end) => end === 'answered')).to.have.length(25);
    for (const end of ends.slice(25)) expect(end).to.be.instanceOf(BusyError).that.includes({ outcome: 'not_sent' });
  });

  it('that a frozen server does not answer have an unknown outcome, which their own row resolves', async () => {
    await using frozen = new OvsdbClient({ database: ovnNorthbound, remotes: [server.address], maxInFlight: 2 });
    await frozen.ready();
    const id = randomUUID();
    const create = [Address_Set.insert({ name: 'frozen' }, id), NB_Global.mutate(everyRow, { nb_cfg: { add: 1 } })] as const;
    await frozen.transact([NB_Global.delete(everyRow), NB_Global.insert({ nb_cfg: 0 })]);
    server.freeze();
    const [first, second, third] = await Promise.all([
      rejection(frozen.transactOnce(create, { timeoutMs: 2_000 })),
      rejection(frozen.transact([comment('second')], { timeoutMs: 2_000 })),
      sleep(20).then(() => rejection(frozen.transact([comment('third, which finds no slot')], { timeoutMs: 50 }))),
    ]);
    expect(first).to.be.instanceOf(TimeoutError).that.includes({ outcome: 'unknown' });
    expect(second).to.be.instanceOf(TimeoutError).that.includes({ outcome: 'unknown' });
    expect(third).to.be.instanceOf(TimeoutError).that.includes({ outcome: 'not_sent' });
    server.thaw();
    expect(await frozen.transactOnce(create)).to.equal(undefined);
    const [rows] = await frozen.transact([NB_Global.select(everyRow, ['nb_cfg'])]);
    expect(rows.map(({ nb_cfg }) => nb_cfg)).to.deep.equal([1]);
    // What was never done is done then, once.
    const other = [Address_Set.insert({ name: 'other' }), NB_Global.mutate(everyRow, { nb_cfg: { add: 1 } })] as const;
    expect(await frozen.transactOnce(other)).to.deep.equal([other[0].row, 1]);
    expect(await frozen.transactOnce(other)).to.equal(undefined);
  });

  it('end when their caller gives up: what waits at the server is taken back there', async () => {
    const giveUp = new AbortController();
    const never = Address_Set.wait([['name', '==', 'never']], {
      until: '==',
      columns: ['name'],
      rows: [{ name: 'never' }],
      timeoutMs: 60_000,
    });
    const waiting = rejection(client.transact([never, Address_Set.insert({ name: 'too late' })], { signal: giveUp.signal }));
    await client.transact([comment('is sent after it')]);
    giveUp.abort();
    expect(await waiting)
      .to.be.instanceOf(AbortedError)
      .that.includes({ outcome: 'unknown' });
    await client.transact([Address_Set.insert({ name: 'never' })]);
    const [rows] = await client.transact([Address_Set.select([['name', '==', 'too late']])]);
    expect(rows).to.deep.equal([]);
  });

  it('that cannot be sent say so', async () => {
    const nobody = new OvsdbClient({ database: ovnNorthbound, remotes: [{ kind: 'unix', path: `${server.dir}/none` }] });
    const error = await rejection(nobody.transact([comment('x')]));
    expect(error).to.be.instanceOf(ConnectionLostError).that.includes({ outcome: 'not_sent' });
    const waited = await rejection(nobody.ready({ timeoutMs: 1_000 }));
    assert(waited instanceof TimeoutError);
    expect(String(waited.cause)).to.include('ENOENT');
    await nobody.close();
    expect(await rejection(nobody.transact([comment('x')]))).to.be.instanceOf(ConnectionLostError);
  });

  it('need a database that is as described', async () => {
    type Wrong = { readonly Logical_Switch: { readonly _uuid: string; readonly name: number } };
    const wrong = database<Wrong>('OVN_Northbound', '0', { Logical_Switch: { columns: { name: 'integer' } } });
    await using client = new OvsdbClient({ database: wrong, remotes: [server.address] });
    const error = await rejection(client.transact([comment('x')]));
    assert(error instanceof ConnectionLostError && error.cause instanceof SchemaError);
    expect(error.cause.differences).to.deep.equal(['Logical_Switch.name is of another type there']);

    type More = {
      readonly Logical_Switch: { readonly _uuid: string; readonly name: string; readonly colour: string };
      readonly Sky: { readonly _uuid: string };
    };
    const more = database<More>('OVN_Northbound', '0', {
      Logical_Switch: { columns: { name: 'string', colour: 'string' } },
      Sky: { columns: {} },
    });
    await using lacking = new OvsdbClient({ database: more, remotes: [server.address] });
    await lacking.ready();
    expect([...lacking.missing]).to.deep.equal(['Logical_Switch.colour', 'Sky']);
    const replica = lacking.replicate({ Logical_Switch: true, Sky: true });
    await replica.ready();
    const [known] = await lacking.transact([more.tables.Logical_Switch.insert({ name: 'known' })]);
    expect(replica.tables.Logical_Switch.get(known), 'what is not there has its default').to.include({ name: 'known', colour: '' });
    expect(replica.tables.Sky.size).to.equal(0);
    const refused = await rejection(lacking.transact([more.tables.Logical_Switch.insert({ colour: 'red' })]));
    expect(refused).to.be.instanceOf(OvsdbError).that.includes({ code: 'unknown_column', table: 'Logical_Switch', column: 'colour' });
    await using absent = new OvsdbClient({ database: openVswitch, remotes: [server.address] });
    const none = await rejection(absent.transact([comment('x')]));
    expect(String((none as Error).cause)).to.include('does not serve Open_vSwitch');
  });

  it('are typed as the installed schemas say', async () => {
    const generated = await modules();
    assert(generated !== undefined);
    for (const [file, text] of generated) {
      const committed = await readFile(new URL(`../../src/ovsdb/generated/${file}`, import.meta.url), 'utf8');
      expect(committed === text, file).to.equal(true);
    }
    expect(Object.keys(ovnSouthbound.tables)).to.include.members(['Chassis', 'Port_Binding', 'SB_Global']);
    expect(Object.keys(openVswitch.tables)).to.include.members(['Bridge', 'Port', 'Interface']);
  });
});
