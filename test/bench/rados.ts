import { randomBytes } from 'node:crypto';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RadosCluster, type RbdPool } from '../../packages/drivers-rbd/src/rados/index.ts';
import { CephCluster } from '../../tools/system/ceph-cluster.ts';
import { run } from '../../tools/system/command.ts';
import { type Bench, inFlight, median, percentile, type Row } from './harness.ts';
import { writeNames } from './rados-names.ts';

/** Images of a round; fewer by the command line, which starts a process for each. */
const IMAGES = 64;
const COMMANDS = 24;
const ROUNDS = 2;
const WARM_UP = 8;
const AT_ONCE = [1, 16] as const;
const SIZE_BYTES = 10 * 2 ** 30;
const VERBS = ['create', 'clone', 'remove'] as const;
type Verb = (typeof VERBS)[number];

interface Measured {
  readonly aSecond: number;
  readonly tookMs: readonly number[];
}
type Round = Readonly<Record<Verb, Measured>>;

/** Who makes and removes images: the binding, or `rbd`. */
interface Maker {
  create(name: string): Promise<unknown>;
  clone(name: string): Promise<unknown>;
  remove(name: string): Promise<unknown>;
}

const GOLDEN = { image: 'golden', snapshot: 'v1' };

const binding = (pool: RbdPool): Maker => ({
  create: (name) => pool.create(name, { sizeBytes: SIZE_BYTES }),
  clone: (name) => pool.clone(GOLDEN, name),
  remove: (name) => pool.remove(name),
});

const commands = (ceph: CephCluster): Maker => ({
  create: (name) => ceph.rbd('create', `rbd/${name}`, '--size', '10G'),
  clone: (name) => ceph.rbd('clone', 'rbd/golden@v1', `rbd/${name}`),
  remove: (name) => ceph.rbd('remove', '--no-progress', `rbd/${name}`),
});

async function timed(atOnce: number, count: number, work: (name: string) => Promise<unknown>): Promise<Measured> {
  const startedMs = performance.now();
  const tookMs = await inFlight(atOnce, 0, count, async (index) => void (await work(`bench-${index}`)));
  return { aSecond: (count * 1_000) / (performance.now() - startedMs), tookMs };
}

/** Empty images and clones, made and removed; removals of both count. */
async function round(maker: Maker, atOnce: number, count: number): Promise<Round> {
  const create = await timed(atOnce, count, (name) => maker.create(name));
  const ofEmpty = await timed(atOnce, count, (name) => maker.remove(name));
  const clone = await timed(atOnce, count, (name) => maker.clone(name));
  const ofClones = await timed(atOnce, count, (name) => maker.remove(name));
  const remove = { aSecond: 2 / (1 / ofEmpty.aSecond + 1 / ofClones.aSecond), tookMs: [...ofEmpty.tookMs, ...ofClones.tookMs] };
  return { create, clone, remove };
}

async function besideCommands(pool: RbdPool, ceph: CephCluster, atOnce: number): Promise<readonly Row[]> {
  const [ours, theirs]: [Round[], Round[]] = [[], []];
  await round(binding(pool), atOnce, WARM_UP);
  for (let turn = 0; turn < ROUNDS; turn += 1) {
    ours.push(await round(binding(pool), atOnce, IMAGES));
    theirs.push(await round(commands(ceph), atOnce, COMMANDS));
  }
  return VERBS.map((verb) => {
    const value = median(ours.map((one) => one[verb].aSecond));
    const floor = median(theirs.map((one) => one[verb].aSecond));
    const tookMs = ours.flatMap((one) => one[verb].tookMs);
    const row = { id: `rados.${verb}.${atOnce}`, value, unit: 'images/s', floor, ratio: value / floor };
    return { ...row, p50: median(tookMs), p99: percentile(tookMs, 0.99) };
  });
}

const FILE_BYTES = 512 * 2 ** 20;
const CONTENT_BYTES = 192 * 2 ** 20;
const COPIES = 3;

/** A file of qcow2 with some content and more holes, brought in; beside `qemu-img` as people call it. */
async function imported(cluster: RadosCluster, ceph: CephCluster): Promise<Row> {
  const dir = await mkdtemp(join(tmpdir(), 'pileus-bench-'));
  const pool = cluster.pool('rbd');
  const [raw, path] = [join(dir, 'disk.raw'), join(dir, 'disk.qcow2')];
  const target = `rbd:rbd/imported:conf=${ceph.configPath}`;
  const [ours, theirs]: [number[], number[]] = [[], []];
  try {
    {
      await using file = await open(raw, 'w');
      for (let at = 0; at < CONTENT_BYTES; at += 2 ** 20) await file.write(randomBytes(2 ** 20), 0, 2 ** 20, at * 2);
      await file.truncate(FILE_BYTES);
    }
    await run(['qemu-img', 'convert', '-O', 'qcow2', raw, path]);
    for (let turn = 0; turn < COPIES; turn += 1) {
      const startedMs = performance.now();
      await cluster.bulk.importFile(pool, 'imported', { path, format: 'qcow2' });
      ours.push(performance.now() - startedMs);
      await pool.remove('imported', { timeoutMs: 120_000 });
      const besideMs = performance.now();
      await run(['qemu-img', 'convert', '-W', '-m', '16', '-f', 'qcow2', '-O', 'raw', path, target], { timeoutMs: 600_000 });
      theirs.push(performance.now() - besideMs);
      await pool.remove('imported', { timeoutMs: 120_000 });
    }
  } finally {
    await rm(dir, { recursive: true });
  }
  const [value, floor] = [median(ours), median(theirs)];
  return { id: IMPORT, value, unit: 'ms', floor, ratio: value / floor };
}

const [IMPORT, PAGE] = ['rados.import', 'rados.page'] as const;
const NAMES = 1_000_000;
const PAGE_NAMES = 1_000;
const PAGES = 50;

/** A page of names at the end of a million; beside the first page of a thousand. */
async function paged(cluster: RadosCluster, ceph: CephCluster): Promise<Row> {
  const measure = async (name: string, count: number): Promise<readonly number[]> => {
    await ceph.createPool(name);
    await writeNames(ceph, name, count);
    const pool = cluster.pool(name);
    const after = `volume-${String(count - PAGE_NAMES - 1).padStart(12, '0')}`;
    return await inFlight(1, 0, PAGES, async () => {
      const { images } = await pool.page({ limit: PAGE_NAMES, ...(count > PAGE_NAMES && { after }) });
      if (images.length !== PAGE_NAMES) throw new Error(`a page of ${images.length} names`);
    });
  };
  const few = await measure('few', PAGE_NAMES);
  const many = await measure('many', NAMES);
  const [value, floor] = [median(many), median(few)];
  return { id: PAGE, value, unit: 'ms', p50: value, p99: percentile(many, 0.99), floor, ratio: value / floor };
}

export const radosBench: Bench = {
  ids: [...AT_ONCE.flatMap((atOnce) => VERBS.map((verb) => `rados.${verb}.${atOnce}`)), IMPORT, PAGE],
  async run(wants) {
    await using ceph = await CephCluster.start({ osds: 3 });
    await using cluster = RadosCluster.open({ monitors: ceph.monitors, user: ceph.user.name, key: ceph.user.key });
    const pool = cluster.pool('rbd');
    await pool.create(GOLDEN.image, { sizeBytes: SIZE_BYTES });
    await pool.image(GOLDEN.image).snapshots.create(GOLDEN.snapshot);
    const rows: Row[] = [];
    for (const atOnce of AT_ONCE)
      if (VERBS.some((verb) => wants(`rados.${verb}.${atOnce}`))) rows.push(...(await besideCommands(pool, ceph, atOnce)));
    if (wants(IMPORT)) rows.push(await imported(cluster, ceph));
    if (wants(PAGE)) rows.push(await paged(cluster, ceph));
    return rows.filter(({ id }) => wants(id));
  },
};
