import { setTimeout as sleep } from 'node:timers/promises';
import type { PoolFacts, StorageDriver } from '@pileus/core/strategy';
import { assert } from 'chai';
import { RadosCluster } from '../../src/rados/index.ts';
import { readFacts, type Told } from '../../src/rbd/facts.ts';
import { LabPool } from './lab-pool.ts';

const MIB = 2 ** 20;

type Disk = Told['nodes'][number];
type Pool = Told['pools'][number];

/** Two racks of two hosts, with an SSD (0, 2, 4, 6) and an HDD (1, 3, 5, 7) each; of a class Ceph makes shadows, which the tree does not tell. */
function nodes(lost: Readonly<Record<number, Partial<Disk>>> = {}): readonly Disk[] {
  const bucket = (id: number, name: string, type: string, type_id: number, children: readonly number[]): Disk => ({
    ...{ id, name, type, type_id, children },
  });
  const disk = (id: number): Disk => ({
    ...{ id, name: `osd.${id}`, type: 'osd', type_id: 0, device_class: id % 2 === 0 ? 'ssd' : 'hdd', status: 'up', reweight: 1 },
    ...lost[id],
  });
  return [
    bucket(-1, 'default', 'root', 11, [-3, -2]),
    ...[0, 1].flatMap((rack) => [
      bucket(-2 - rack, `rack${rack}`, 'rack', 3, [-10 - rack * 2, -11 - rack * 2]),
      ...[0, 1].flatMap((host) => {
        const at = rack * 2 + host;
        return [bucket(-10 - at, `host${at}`, 'host', 1, [at * 2 + 1, at * 2]), disk(at * 2), disk(at * 2 + 1)];
      }),
    ]),
  ];
}

const rule = (rule_id: number, item_name: string, ...chosen: readonly (readonly [string, string])[]) => ({
  rule_id,
  steps: [{ op: 'set_chooseleaf_tries' }, { op: 'take', item_name }, ...chosen.map(([op, type]) => ({ op, type })), { op: 'emit' }],
});

const RULES: Told['rules'] = [
  rule(0, 'default', ['chooseleaf_firstn', 'host']),
  rule(1, 'default~ssd', ['chooseleaf_firstn', 'host']),
  rule(2, 'default~hdd', ['choose_firstn', 'rack'], ['chooseleaf_firstn', 'host']),
  rule(3, 'default', ['chooseleaf_indep', 'rack']),
  rule(4, 'default', ['choose_indep', 'osd']),
  {
    rule_id: 5,
    steps: [...rule(5, 'default~ssd', ['chooseleaf_firstn', 'host']).steps, ...rule(5, 'default~hdd', ['chooseleaf_firstn', 'host']).steps],
  },
];

const pool = (crushRule: number, more: Partial<Pool> = {}): Pool => ({
  ...{
    name: 'vms',
    id: 3,
    type: 'replicated',
    size: 3,
    minSize: 2,
    pgs: 16,
    crushRule,
    flags: ['hashpspool'],
    quotaBytes: 0n,
    applications: ['rbd'],
  },
  ...more,
});
const erasure = (crushRule: number, k: number, m: number, more: Partial<Pool> = {}): Pool =>
  pool(crushRule, {
    name: 'coded',
    id: 4,
    type: 'erasure',
    profile: 'p',
    size: k + m,
    minSize: k + 1,
    code: { k: `${k}`, m: `${m}` },
    ...more,
  });

const check = (code: string, ...details: readonly string[]): Told['health'] => ({
  status: 'HEALTH_WARN',
  checks: [{ code, severity: 'HEALTH_WARN', summary: `so says ${code}`, details, isMuted: false }],
});
const OK: Told['health'] = { status: 'HEALTH_OK', checks: [] };
const down = { status: 'down' } as const;

describe('facts of a pool, of what monitors tell', () => {
  const sound = { replicas: 3, replicasMin: 2, health: 'healthy', isNearlyFull: false };
  const cases: readonly (readonly [string, Partial<Told>, object])[] = [
    ['copies on hosts, on any disk', { pools: [pool(0)] }, { ...sound, failureDomain: 'host' }],
    ['a class of disks', { pools: [pool(1)] }, { ...sound, failureDomain: 'host', deviceClass: 'ssd' }],
    ['the last that is chosen', { pools: [pool(2)] }, { ...sound, failureDomain: 'host', deviceClass: 'hdd' }],
    ['two classes are none', { pools: [pool(5)] }, { ...sound, failureDomain: 'host' }],
    [
      '2+1 outlives one loss, and writes on',
      { pools: [erasure(3, 2, 1, { minSize: 2 })] },
      { ...sound, replicas: 2, replicasMin: 1, failureDomain: 'rack' },
    ],
    ['4+2 outlives two', { pools: [erasure(4, 4, 2)] }, { ...sound, failureDomain: 'osd' }],
    [
      'shec outlives fewer than it has more',
      { pools: [erasure(4, 4, 3, { code: { k: '4', m: '3', c: '2' } })] },
      { ...sound, failureDomain: 'osd' },
    ],
    [
      'the pool of the names is the weaker one',
      { pools: [pool(4, { size: 1, minSize: 1 }), erasure(0, 4, 2)] },
      { ...sound, replicas: 1, replicasMin: 1, failureDomain: 'osd' },
    ],
    [
      'the pool of the data is the weaker one, and its class is told',
      { pools: [pool(3, { size: 5, minSize: 3 }), pool(1, { name: 'data', id: 4 })] },
      { ...sound, failureDomain: 'host', deviceClass: 'ssd' },
    ],
    [
      'full names beside data with room',
      { pools: [pool(0, { flags: ['nearfull'] }), pool(0, { name: 'data', id: 4 })] },
      { ...sound, failureDomain: 'host', isNearlyFull: true, reason: 'pool vms is nearfull' },
    ],
    [
      'both full',
      { pools: [pool(0, { flags: ['backfillfull', 'nearfull'] }), pool(0, { name: 'data', id: 4, flags: ['full', 'full_quota'] })] },
      { ...sound, failureDomain: 'host', isNearlyFull: true, reason: 'pool vms is backfillfull; pool data is full' },
    ],
    [
      'one disk down',
      { pools: [pool(0)], nodes: nodes({ 2: down }) },
      { ...sound, failureDomain: 'host', health: 'degraded', reason: 'down: osd.2' },
    ],
    [
      'two on one host',
      { pools: [pool(0)], nodes: nodes({ 2: down, 3: down }) },
      { ...sound, failureDomain: 'host', health: 'degraded', reason: 'down: osd.3, osd.2' },
    ],
    [
      'two hosts',
      { pools: [pool(0)], nodes: nodes({ 0: down, 2: down }) },
      { ...sound, failureDomain: 'host', health: 'unavailable', reason: 'down: osd.0, osd.2' },
    ],
    ['of another class', { pools: [pool(1)], nodes: nodes({ 1: down, 3: down }) }, { ...sound, failureDomain: 'host', deviceClass: 'ssd' }],
    ['out as well as down', { pools: [pool(0)], nodes: nodes({ 2: { ...down, reweight: 0 } }) }, { ...sound, failureDomain: 'host' }],
    [
      '2+1 that takes no write after one loss',
      { pools: [erasure(4, 2, 1)], nodes: nodes({ 5: down }) },
      { ...sound, replicas: 2, replicasMin: 2, failureDomain: 'osd', health: 'unavailable', reason: 'down: osd.5' },
    ],
    [
      'names wait where the data is sound',
      { pools: [pool(1, { size: 2, minSize: 2 }), pool(2, { name: 'data', id: 4 })], nodes: nodes({ 0: down }) },
      { ...sound, replicas: 2, failureDomain: 'host', deviceClass: 'hdd', health: 'unavailable', reason: 'down: osd.0' },
    ],
    [
      'groups of it',
      { pools: [pool(0)], health: check('PG_DEGRADED', 'pg 3.1f is active+undersized') },
      { ...sound, failureDomain: 'host', health: 'degraded', reason: 'so says PG_DEGRADED' },
    ],
    [
      'groups of others',
      { pools: [pool(0)], health: check('PG_AVAILABILITY', 'pg 33.1 is stale', 'pg 13.3 is down') },
      { ...sound, failureDomain: 'host' },
    ],
    [
      'groups of the names',
      { pools: [pool(0), pool(0, { name: 'data', id: 4 })], health: check('PG_AVAILABILITY', 'pg 3.0 is down') },
      { ...sound, failureDomain: 'host', health: 'unavailable', reason: 'so says PG_AVAILABILITY' },
    ],
    ['what is no trouble of copies', { pools: [pool(0)], health: check('MON_DISK_LOW', 'mon.a') }, { ...sound, failureDomain: 'host' }],
  ];
  for (const [title, told, expected] of cases)
    it(title, () => assert.deepEqual(readFacts({ pools: [], rules: RULES, nodes: nodes(), health: OK, ...told }), expected as PoolFacts));
});

describe('facts of pools of a cluster', function () {
  this.timeout(600_000);
  let lab: LabPool;
  let admin: RadosCluster;
  const opened: StorageDriver[] = [];
  const call = () => ({ requestId: 'facts', signal: new AbortController().signal, timeoutMs: 60_000 });
  const command = async (prefix: string, words: Readonly<Record<string, unknown>>) =>
    await admin.monCommand({ prefix, ...words } as { readonly prefix: string });
  const open = async (settings: Readonly<Record<string, string>>): Promise<StorageDriver> => {
    const driver = await lab.open({ ...lab.settings, ...settings });
    opened.push(driver);
    await driver.ensurePool(call());
    return driver;
  };
  /** Groups of new pools take a moment, and so does what is said of disks: waits for it, and tells what else there is. */
  const told = async (driver: StorageDriver, is: (facts: PoolFacts) => boolean): Promise<PoolFacts> => {
    for (;;) {
      const facts = await driver.facts?.(call());
      if (facts !== undefined && is(facts)) return facts;
      await sleep(100);
    }
  };
  const healthy = ({ health }: PoolFacts) => health === 'healthy';

  before(async () => {
    lab = await LabPool.up({ osds: 3 });
    admin = RadosCluster.open({ monitors: lab.cluster.monitors, user: 'admin', key: lab.cluster.admin.key });
    await command('osd erasure-code-profile set', { name: 'two', profile: ['k=2', 'm=1', 'crush-failure-domain=osd'] });
    await command('osd pool create', { pool: 'coded', pg_num: 8, pgp_num: 8, pool_type: 'erasure', erasure_code_profile: 'two' });
    await command('osd pool set', { pool: 'coded', var: 'allow_ec_overwrites', val: 'true' });
    await command('osd pool application enable', { pool: 'coded', app: 'rbd' });
  });
  after(async () => {
    for (const driver of opened) await driver.close();
    await admin?.close();
    await lab?.close();
  });

  it('two chunks and one more outlive one loss, as two copies do, and the fewest copies count', async () => {
    const driver = await open({ dataPool: 'coded' });
    const expected = { replicas: 2, replicasMin: 1, failureDomain: 'osd', health: 'healthy', isNearlyFull: false } as const;
    assert.deepEqual(await told(driver, healthy), expected);
    const id = crypto.randomUUID();
    await driver.volumes.create({ id, sizeBytes: MIB }, call());
    await command('osd pool set', { pool: 'coded', var: 'min_size', val: '3' });
    assert.deepEqual(await told(driver, healthy), { ...expected, replicasMin: 2 });
    await command('osd pool set', { pool: 'coded', var: 'min_size', val: '2' });

    await command('osd pool set', { pool: 'rbd', var: 'size', val: '1', yes_i_really_mean_it: true });
    assert.deepEqual(await told(driver, healthy), { ...expected, replicas: 1 });
    await command('osd pool set', { pool: 'rbd', var: 'size', val: '3' });
    await command('osd pool set', { pool: 'rbd', var: 'min_size', val: '2' });
    assert.deepEqual(await told(driver, healthy), expected);
  });

  it('says that disks are nearly full, and full, by the ratios of the cluster, until they are not', async () => {
    const driver = await open({});
    const ratio = async (kind: string, value: number) => await command(`osd set-${kind}-ratio`, { ratio: value });
    await ratio('nearfull', 0.000_001);
    const near = await told(driver, ({ isNearlyFull }) => isNearlyFull);
    assert.include(near, { reason: 'pool rbd is nearfull', health: 'healthy' });
    for (const kind of ['backfillfull', 'full']) await ratio(kind, 0.000_001);
    assert.include(await told(driver, ({ reason }) => reason === 'pool rbd is full'), { isNearlyFull: true });
    for (const [kind, value] of [
      ['full', 0.95],
      ['backfillfull', 0.9],
      ['nearfull', 0.85],
    ] as const)
      await ratio(kind, value);
    assert.notProperty(await told(driver, ({ isNearlyFull }) => !isNearlyFull), 'reason');
  });

  it('tells the class and the domain of a rule, and takes no other disk for one of its own', async () => {
    await command('osd crush set-device-class', { class: 'ssd', ids: ['osd.0', 'osd.1'] });
    await command('osd crush set-device-class', { class: 'hdd', ids: ['osd.2'] });
    for (const id of [0, 1, 2]) await command('osd crush set', { id, weight: 1.5, args: ['root=default', `host=h${id}`] });
    await command('osd crush rule create-replicated', { name: 'fast', root: 'default', type: 'host', class: 'ssd' });
    await command('osd pool create', { pool: 'fast', pg_num: 8, pgp_num: 8, rule: 'fast', size: 2 });
    const [fast, any] = [await open({ pool: 'fast' }), await open({})];
    const { deviceClass, failureDomain, replicas } = await told(fast, healthy);
    assert.deepEqual({ deviceClass, failureDomain, replicas }, { deviceClass: 'ssd', failureDomain: 'host', replicas: 2 });
    assert.notProperty(await told(any, healthy), 'deviceClass');
    await lab.cluster.osd(2).kill();
    assert.include((await told(any, ({ health }) => health !== 'healthy')).reason, 'osd.2');
    assert.include(await fast.facts?.(call()), { health: 'healthy' });
  });
});
