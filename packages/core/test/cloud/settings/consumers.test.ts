import { expect } from 'chai';
import { host, image, stray } from '../../../src/cloud/index.ts';
import { codeOf, LittleCloud } from '../little-cloud.ts';
import { machine, type SmallCloud, smallCloud } from '../small-cloud.ts';

const HOUR_MS = 3600_000;
const DAY_MS = 24 * HOUR_MS;

type Level = 'global' | 'zone' | 'cluster' | 'host' | 'instance';

/** Settings of a cloud by their levels, set and reset. */
class Levels {
  readonly #at: SmallCloud;
  readonly #ids: Readonly<Record<Level, string>>;
  readonly #set = new Map<string, string>();

  constructor(at: SmallCloud, instanceId = '') {
    const idOf = (kind: string) => String(at.sim.rows(kind)[0]?.id);
    this.#at = at;
    this.#ids = { global: '', zone: idOf('zone'), cluster: idOf('cluster'), host: at.hostId, instance: instanceId };
  }

  async set(key: string, value: unknown, level: Level = 'global'): Promise<void> {
    const on = level === 'global' ? {} : { resourceKind: level, resourceId: this.#ids[level] };
    this.#set.set(`${key} ${level}`, await this.#at.sim.done('settingValue.set', { key, value, ...on }));
  }

  async reset(key: string, level: Level = 'global'): Promise<void> {
    await this.#at.sim.done('settingValue.reset', {}, this.#set.get(`${key} ${level}`));
  }
}

describe('what goes by settings', () => {
  for (const level of ['global', 'zone', 'cluster', 'host'] as const)
    it(`looks at hosts as often as is set: ${level}`, async () => {
      const at = await smallCloud({ presets: { 'hosts.heartbeatSeconds': 3600 } });
      const { sim } = at;
      const levels = new Levels(at);
      const status = () => sim.row('host', at.hostId)?.status;
      await levels.set('hosts.heartbeatSeconds', 1, level);
      sim.world.partition('hv1');
      await sim.run(3100);
      expect(status(), 'lost within three heartbeats').to.equal('disconnected');
      sim.world.reconnect('hv1');
      await sim.run(1100);
      expect(status(), 'back').to.equal('connected');
      await levels.reset('hosts.heartbeatSeconds', level);
      sim.world.partition('hv1');
      await sim.run(HOUR_MS / 2);
      expect(status(), 'no look before the hour is over').to.equal('connected');
      await sim.run(3 * HOUR_MS);
      expect(status()).to.equal('disconnected');
    });

  it('spreads the looks that a shorter heartbeat makes late', async () => {
    const askedMs: number[] = [];
    let nowMs = () => 0;
    const onTrace = (line: string) => void (line.includes('inventory') && askedMs.push(nowMs()));
    const cloud = await LittleCloud.open({ presets: { 'hosts.heartbeatSeconds': 3600 }, onTrace });
    const { sim } = cloud;
    nowMs = () => sim.environment.clock.monotonicMs();
    for (let index = 0; index < 20; index += 1) await cloud.host(`hv${index}`);
    await sim.run(600_000);
    askedMs.length = 0;
    await sim.done('settingValue.set', { key: 'hosts.heartbeatSeconds', value: 10 });
    const fromMs = nowMs();
    await sim.run(1100);
    expect(askedMs).to.have.length(20);
    expect(Math.max(...askedMs) - fromMs).to.be.within(500, 1000);
    expect(new Set(askedMs).size).to.be.above(15);
  });

  it('waits for guests as long as is set, at each level', async () => {
    const at = await smallCloud({ world: { guests: () => ({ onShutdown: 'ignores' }) } });
    const { sim } = at;
    const id = await sim.done('instance.create', machine(at));
    const levels = new Levels(at, id);
    const took = async () => {
      await sim.run(5000);
      const beganMs = sim.environment.clock.monotonicMs();
      await sim.done('instance.stop', {}, id);
      const seconds = Math.round((sim.environment.clock.monotonicMs() - beganMs) / 1000);
      await sim.done('instance.start', {}, id);
      return seconds;
    };
    const order = ['global', 'zone', 'cluster', 'host', 'instance'] as const;
    const seconds = [50, 40, 30, 20, 10];
    for (const [index, level] of order.entries()) {
      await levels.set('hosts.shutdownSeconds', seconds[index], level);
      expect(await took(), level).to.be.within(seconds[index] ?? 0, (seconds[index] ?? 0) + 2);
    }
    for (const [index, level] of [...order.entries()].reverse()) {
      await levels.reset('hosts.shutdownSeconds', level);
      expect(await took(), `${level} reset`).to.be.within(seconds[index - 1] ?? 60, (seconds[index - 1] ?? 60) + 2);
    }
  });

  for (const level of ['global', 'zone', 'cluster', 'host'] as const)
    it(`does with strays what is set, when it is set: ${level}`, async () => {
      const at = await smallCloud({ presets: { 'strays.afterSeconds': 7200, 'hosts.heartbeatSeconds': 60 } });
      const { sim } = at;
      const levels = new Levels(at);
      const things = sim.world.pools.get(`hv1/${at.poolId}`);
      const plant = () => things?.createVolume(sim.kernel.services.ids.mint('volume'), 8192, undefined);
      const count = () => things?.list().filter(({ kind }) => kind === 'volume').length;
      plant();
      await sim.run(4 * HOUR_MS);
      expect(count(), 'kept').to.equal(1);
      await levels.set('strays.volumes', 'remove', level);
      await sim.run(HOUR_MS);
      expect(count(), 'removed').to.equal(0);
      plant();
      await sim.run(HOUR_MS);
      expect(count(), 'not yet').to.equal(1);
      await levels.set('strays.afterSeconds', 60, level);
      await sim.run(60_000);
      expect(count(), 'sooner').to.equal(0);
      await levels.reset('strays.volumes', level);
      plant();
      await sim.run(HOUR_MS);
      expect(count(), 'kept again').to.equal(1);
    });

  it('does with strays of each host what is set there', async () => {
    const cloud = await LittleCloud.open({ presets: { 'strays.volumes': 'remove', 'strays.afterSeconds': 10 } });
    const { sim } = cloud;
    const hostIds = [await cloud.host('hv1'), await cloud.host('hv2')];
    await sim.done('settingValue.set', { key: 'strays.volumes', value: 'keep', resourceKind: 'host', resourceId: hostIds[1] });
    for (const hostId of hostIds) {
      const poolId = await cloud.pool(hostId);
      sim.world.pools
        .get(`hv${hostIds.indexOf(hostId) + 1}/${poolId}`)
        ?.createVolume(sim.kernel.services.ids.mint('volume'), 8192, undefined);
    }
    await sim.run(120_000);
    expect((await cloud.rows(stray)).map(({ hostId }) => hostId)).to.deep.equal([hostIds[1]]);
  });

  it('keeps what has ended as long as is set', async () => {
    const at = await smallCloud({ presets: { 'hosts.heartbeatSeconds': 600 } });
    const { sim } = at;
    const levels = new Levels(at);
    const gone = await sim.done('volume.create', { name: 'data', sizeBytes: 8192, poolId: at.poolId });
    await sim.done('volume.delete', {}, gone);
    const known = (kind: 'operation' | 'volume') =>
      sim.environment.complete(
        kind === 'volume'
          ? sim.kernel.services.store.count({ table: 'volume', deleted: true })
          : sim.kernel.services.store.count({ table: 'operation' }),
      );
    await sim.run(3 * DAY_MS);
    const operations = await known('operation');
    await levels.set('retention.operationDays', 2);
    await sim.run(1.1 * HOUR_MS);
    expect(await known('operation')).to.be.below(operations);
    expect(await known('volume')).to.equal(1);
    await levels.reset('retention.operationDays');
    await levels.set('retention.deletedDays', 2);
    await sim.run(1.1 * HOUR_MS);
    expect(await known('volume'), 'never less than operations').to.equal(1);
    await levels.set('retention.operationDays', 2);
    await sim.run(1.1 * HOUR_MS);
    expect(await known('volume')).to.equal(0);
    const audited = sim.rows('audit').length;
    await sim.run(3 * DAY_MS);
    expect(sim.rows('audit')).to.have.length(audited);
    await levels.set('retention.auditDays', 2);
    await sim.run(1.1 * HOUR_MS);
    expect(sim.rows('audit')).to.have.length(1);
  });

  it('has a trash as long as is set, and empties it in time', async () => {
    const at = await smallCloud({ presets: { 'hosts.heartbeatSeconds': 600 } });
    const { sim } = at;
    const levels = new Levels(at);
    const remove = async (name: string) => {
      const id = await sim.done('volume.create', { name, sizeBytes: 8192, poolId: at.poolId });
      await sim.done('volume.delete', {}, id);
      return sim.row('volume', id)?.state;
    };
    expect(await remove('a')).to.equal('deleted');
    await levels.set('trash.retentionSeconds', 7 * 24 * 3600);
    expect(await remove('b')).to.equal('trashed');
    await sim.run(2 * HOUR_MS);
    expect(sim.rows('volume').map(({ state }) => state)).to.deep.equal(['trashed']);
    await levels.set('trash.retentionSeconds', 3600);
    await sim.run(10_000);
    expect(sim.rows('volume')).to.deep.equal([]);
    await levels.reset('trash.retentionSeconds');
    expect(await remove('c')).to.equal('deleted');
  });

  it('takes images as large as is set', async () => {
    const cloud = await LittleCloud.open({ presets: { 'images.bytesMax': 4096 } });
    const upload = async (name: string) => {
      const id = await cloud.sim.done('image.create', { name });
      return (await codeOf(cloud.upload(id, new Uint8Array(8192)))) === 'succeeded' ? (await cloud.row(image, id)).state : 'refused';
    };
    expect(await upload('a')).to.equal('refused');
    const valueId = await cloud.sim.done('settingValue.set', { key: 'images.bytesMax', value: 8192 });
    expect(await upload('b')).to.equal('available');
    await cloud.sim.done('settingValue.reset', {}, valueId);
    expect(await upload('c')).to.equal('refused');
  });

  it('watches hosts that came after', async () => {
    const cloud = await LittleCloud.open({ presets: { 'hosts.heartbeatSeconds': 3600 } });
    await cloud.sim.done('settingValue.set', {
      ...{ key: 'hosts.heartbeatSeconds', value: 1 },
      ...{ resourceKind: 'cluster', resourceId: cloud.clusterId },
    });
    const id = await cloud.host('hv1');
    await cloud.sim.run(5000);
    cloud.sim.world.crash('hv1');
    await cloud.sim.run(3100);
    expect(await cloud.row(host, id)).to.include({ status: 'disconnected' });
  });
});
