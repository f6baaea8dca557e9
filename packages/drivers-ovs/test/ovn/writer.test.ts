import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NetworkDriver, PortSpec } from '@pileus/core/strategy';
import { expect } from 'chai';
import { run } from '../../../../tools/system/command.ts';
import { type Address, OvsdbClient, ovnNorthbound } from '../../src/ovsdb/index.ts';
import { PrivateCluster } from '../ovsdb/private-cluster.ts';
import { northboundSchema } from '../ovsdb/private-server.ts';
import { NorthboundWorld } from './northbound-world.ts';
import { call, groupSpec, idOf, portSpec, recordSpec, routedSpec, vpcSpec } from './specs.ts';

const PORTS = process.env.PILEUS_FULL === '1' ? 10_000 : 2_000;

const inShop = { vpcId: idOf('shop'), domain: 'shop.internal', securityGroupIds: [idOf('web')] };
const nthPort = (at: number): PortSpec =>
  portSpec(`port-${at}`, 'front', `10.1.${(at >> 8) + 1}.${at & 255}`, {
    ...inShop,
    mac: `52:54:00:${[at >> 16, (at >> 8) & 255, at & 255].map((byte) => byte.toString(16).padStart(2, '0')).join(':')}`,
  });

describe('writing to the northbound database', function () {
  this.timeout(240_000);
  let world: NorthboundWorld;

  beforeEach(async () => {
    world = await NorthboundWorld.start();
  });
  afterEach(() => world?.[Symbol.asyncDispose]());

  async function shop(driver: NetworkDriver): Promise<void> {
    await driver.vpcs?.ensure(vpcSpec('shop'), call());
    await driver.securityGroups?.ensure(groupSpec('web'), call());
    await driver.ensureNetwork(routedSpec('front', 'shop', '10.1.0.0/16'), call());
  }
  /** What a call was refused with, or undefined. */
  const faultOf = async (driver: NetworkDriver, work: Promise<unknown> | undefined) =>
    work?.then(
      () => undefined,
      (error: unknown) => driver.classify(error),
    );
  const insist = async (act: () => Promise<unknown>): Promise<void> => {
    for (let tries = 0; ; tries += 1) {
      const error = await act().then(
        () => undefined,
        (cause: unknown) => cause,
      );
      if (error === undefined) return;
      if (tries > 2_400) throw error;
      await sleep(50);
    }
  };

  it('puts calls of the same moment into few transactions, and changes as much for one port among thousands as for the first', async () => {
    const { driver, northbound } = world.open();
    await shop(driver);
    const written: number[] = [];
    const transact = northbound.client.transact.bind(northbound.client);
    northbound.client.transact = (operations, ...bounds) => {
      written.push(operations.filter(({ json: { op } }) => op === 'insert' || op === 'update' || op === 'delete').length);
      return transact(operations, ...bounds);
    };
    const changesOf = async (act: () => Promise<unknown>) => {
      const before = northbound.sent;
      await act();
      const { transactions, changes } = northbound.sent;
      return { transactions: transactions - before.transactions, changes: changes - before.changes };
    };
    /** The port, its switch, two groups, and its name both ways, which may be in the same row of names. */
    const isOne = ({ transactions, changes }: { readonly transactions: number; readonly changes: number }) => {
      expect(transactions).to.equal(1);
      expect(changes).to.be.within(5, 6);
    };
    isOne(await changesOf(() => driver.ensurePort(nthPort(0), call())));
    /** A rule more in the group that all of them are in: its row, and where it is told. */
    const ruled = (id: string) => {
      const rule = { id, direction: 'inbound', family: 4, protocol: 'tcp', remote: { cidrs: ['10.0.0.0/8'] } } as const;
      return changesOf(async () => driver.securityGroups?.ensure(groupSpec('web', [rule]), call()));
    };
    await ruled(idOf('first'));
    const forOne = await ruled(idOf('another'));
    expect(forOne).to.include({ transactions: 1 });
    const many = await changesOf(() =>
      Promise.all(Array.from({ length: PORTS }, (_, at) => driver.ensurePort(nthPort(at + 1), call(120_000)))),
    );
    expect(many.transactions).to.be.at.most(PORTS / 50);
    expect(Math.max(...written), 'rows of a transaction').to.be.within(50, 100);
    isOne(await changesOf(() => driver.ensurePort(nthPort(PORTS + 1), call())));
    expect(await changesOf(() => driver.ensurePort(nthPort(1), call()))).to.deep.equal({ transactions: 0, changes: 0 });
    isOne(await changesOf(() => driver.deletePort(nthPort(1), call())));
    expect(await ruled(idOf('crowded'))).to.deep.equal(forOne);
    expect((await driver.inspectNetwork(idOf('front'), call()))?.nicIds).to.have.length(PORTS + 1);
  });

  it('says at once of a new port that it is not up, as OVN would, and nothing of that afterwards', async () => {
    const { driver } = world.open();
    await shop(driver);
    const { Logical_Switch_Port } = ovnNorthbound.tables;
    const isUp = async () => {
      const [rows] = await world.client.transact([Logical_Switch_Port.select(nthPort(0).nicId, ['up'])]);
      return rows.map(({ up }) => up);
    };
    await driver.ensurePort(nthPort(0), call());
    expect(await isUp()).to.deep.equal([false]);
    await world.client.transact([Logical_Switch_Port.update(nthPort(0).nicId, { up: true })]);
    await driver.ensurePort({ ...nthPort(0), hostname: 'renamed' }, call());
    expect(await isUp()).to.deep.equal([true]);
  });

  it('does not let one call fail with another in its transaction', async () => {
    const { driver } = world.open();
    await shop(driver);
    const broken = { ...routedSpec('broken', 'nowhere', '10.2.0.0/24'), mode: 'isolated' } as const;
    const works = [...Array.from({ length: 9 }, (_, at) => driver.ensurePort(nthPort(at), call())), driver.ensureNetwork(broken, call())];
    const faults = await Promise.all(works.map((work) => faultOf(driver, work)));
    expect(faults).to.deep.equal([...new Array<undefined>(9).fill(undefined), 'not_found']);
    expect((await driver.inspectNetwork(idOf('front'), call()))?.nicIds).to.have.length(9);
    expect(await driver.inspectNetwork(broken.id, call())).to.equal(undefined);
  });

  it('gives each of two writers its turn', async () => {
    const [one, other] = [world.open().driver, world.open().driver];
    await shop(one);
    await Promise.all(Array.from({ length: 200 }, (_, at) => (at % 2 ? one : other).ensurePort(nthPort(at), call(60_000))));
    expect((await one.inspectNetwork(idOf('front'), call()))?.nicIds).to.have.length(200);
  });

  it('refuses a writer of an older epoch for good', async () => {
    const old = world.open({ cloudId: 'cloud', epoch: 7 }).driver;
    await shop(old);
    const young = world.open({ cloudId: 'cloud', epoch: 8 }).driver;
    await young.ensurePort(nthPort(1), call());
    expect(await faultOf(old, old.ensurePort(nthPort(2), call()))).to.equal('conflict');
    expect(await faultOf(old, old.deletePort(nthPort(1), call()))).to.equal('conflict');
    expect(await faultOf(old, old.continuity?.write({ life: 'old', serial: 1 }, call()))).to.equal('conflict');
    expect((await young.inspectNetwork(idOf('front'), call()))?.nicIds).to.deep.equal([nthPort(1).nicId]);
    await world.open({ cloudId: 'another', epoch: 1 }).driver.vpcs?.ensure({ ...vpcSpec('other'), owner: 'another' }, call());
  });

  it('takes the lock from who holds it with an older epoch, and waits for one of the same', async () => {
    const { driver } = world.open({ cloudId: 'cloud', epoch: 7 });
    await shop(driver);
    await using hung = new OvsdbClient({ database: ovnNorthbound, remotes: world.central.options.northbound });
    await hung.ready();
    await hung.lock('pileus_cloud').acquire({ timeoutMs: 60_000 });
    expect(await faultOf(driver, driver.ensurePort(nthPort(1), call(500)))).to.equal('unavailable');
    await world.open({ cloudId: 'cloud', epoch: 8 }).driver.ensurePort(nthPort(1), call(60_000));
  });

  it('neither loses nor repeats anything when the server dies in the middle', async () => {
    const { driver } = world.open();
    await shop(driver);
    const ports = Array.from({ length: 400 }, (_, at) => nthPort(at));
    const works = ports.map((port) => insist(() => driver.ensurePort(port, call(20_000))));
    for (let round = 0; round < 3; round += 1) {
      await sleep(15);
      await world.central.northbound.kill();
      await world.central.northbound.start();
    }
    await Promise.all(works);
    await world.client.ready();
    const after = await world.picture();
    await world.empty();
    await insist(() => driver.listNetworks(call()));
    await shop(driver);
    for (const port of ports) await driver.ensurePort(port, call());
    expect(after).to.deep.equal(await world.picture());
  });

  it('neither loses nor repeats anything when the leader of a cluster dies in the middle', async () => {
    await using cluster = await PrivateCluster.start();
    const { driver, northbound } = world.open({ cloudId: 'cloud', epoch: 1 }, cluster.addresses);
    const leader = Promise.withResolvers<Address>();
    northbound.client.subscribe((event) => {
      if (event.kind === 'connected') leader.resolve(event.remote);
    });
    await insist(() => shop(driver));
    const ports = Array.from({ length: 300 }, (_, at) => nthPort(at));
    const works = ports.map((port) => insist(() => driver.ensurePort(port, call(60_000))));
    await sleep(20);
    await cluster.member(await leader.promise).kill();
    await Promise.all(works);
    const { sent } = northbound;
    expect((await driver.inspectNetwork(idOf('front'), call()))?.nicIds.toSorted()).to.deep.equal(
      ports.map(({ nicId }) => nicId).toSorted(),
    );
    for (const port of ports) await driver.ensurePort(port, call());
    expect(northbound.sent).to.deep.equal(sent, 'all was as it is to be');
  });

  it('leaves a mark, and finds none in a database that comes back empty', async () => {
    const { driver } = world.open();
    const read = (of = driver) => of.continuity?.read(call());
    expect(await read()).to.equal(undefined);
    await shop(driver);
    await driver.continuity?.write({ life: 'first', serial: 41 }, call());
    await driver.continuity?.write({ life: 'first', serial: 42 }, call());
    expect(await read(world.open().driver)).to.deep.equal({ life: 'first', serial: 42 });
    const { northbound } = world.central;
    await northbound.kill();
    expect(await faultOf(driver, read())).to.be.oneOf(['unavailable', 'unknown_outcome']);
    await rm(join(northbound.dir, 'db'));
    await run(['ovsdb-tool', 'create', join(northbound.dir, 'db'), northboundSchema]);
    await northbound.start();
    await insist(async () => read());
    expect(await read()).to.equal(undefined);
    expect(await driver.listNetworks(call())).to.deep.equal([]);
    await shop(driver);
    await driver.continuity?.write({ life: 'second', serial: 1 }, call());
    expect(await read()).to.deep.equal({ life: 'second', serial: 1 });
  });

  it('touches nothing that is not ours, and refuses to make a row of somebody else one of an object', async () => {
    const { driver } = world.open();
    const theirs = await world.central.nbctl('create', 'Logical_Router', 'name=theirs');
    await shop(driver);
    const lists = { vpcs: await driver.vpcs?.list(call()), groups: await driver.securityGroups?.list(call()) };
    expect(lists).to.deep.equal({
      vpcs: [{ id: idOf('shop'), owner: vpcSpec('shop').owner }, { id: theirs.trim() }],
      groups: [{ id: idOf('web'), owner: vpcSpec('shop').owner }],
    });
    const id = theirs.trim();
    expect(await faultOf(driver, driver.vpcs?.ensure({ ...vpcSpec('x'), id }, call()))).to.equal('conflict');
    const ours = recordSpec('ours', 'shop', ['10.0.0.1']);
    await driver.dnsRecords?.ensure(ours, call());
    const copied = { ...ours, owner: 'a copy of the cloud' };
    expect(await faultOf(driver, driver.dnsRecords?.ensure(copied, call()))).to.equal('conflict');
    expect(await faultOf(driver, driver.ensureNetwork({ ...routedSpec('y', 'shop', '10.3.0.0/24'), vpcId: id }, call()))).to.equal(
      'not_found',
    );
    await driver.vpcs?.remove(id, call());
    expect((await driver.vpcs?.list(call()))?.map((vpc) => vpc.id)).to.include(id);
  });
});
