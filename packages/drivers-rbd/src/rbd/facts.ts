import type { Call, PoolFacts } from '@pileus/core/strategy';
import type { ClusterHealth, PoolDetail } from '../rados/index.ts';
import type { CephPool } from './ceph-pool.ts';
import type { Deadline } from './deadline.ts';
import { DriverError } from './driver-error.ts';

/** A disk, or a bucket of them, as `ceph osd tree` tells. */
interface Node {
  readonly id: number;
  readonly name: string;
  readonly type: string;
  /** The wider what it is a bucket of, the higher: 0 is a disk. */
  readonly type_id: number;
  readonly children?: readonly number[];
  readonly device_class?: string;
  readonly status?: 'up' | 'down';
  /** 0: out, what was on it is kept elsewhere. */
  readonly reweight?: number;
}

interface Rule {
  readonly rule_id: number;
  readonly steps: readonly { readonly op: string; readonly item_name?: string; readonly type?: string }[];
}

/** Where the copies of a pool go. */
interface Spread {
  /** Names of the buckets that they are taken from, with the class of disks in each. */
  readonly roots: readonly { readonly name: string; readonly deviceClass?: string }[];
  readonly failureDomain: string;
}

/** As `ceph osd erasure-code-profile get` tells: data chunks, and how many more there are. */
interface Profile {
  readonly k: string;
  readonly m: string;
  /** With `shec`: how many may be lost, of those more. */
  readonly c?: string;
}

/** What the monitors tell of a cluster. */
export interface Told {
  /** Where the names of images are, and after it where their data is, if that is another pool. */
  readonly pools: readonly (PoolDetail & { readonly code?: Profile })[];
  readonly rules: readonly Rule[];
  readonly nodes: readonly Node[];
  readonly health: ClusterHealth;
}

type Trouble = Pick<PoolFacts, 'health' | 'reason'>;
const SOUND: Trouble = { health: 'healthy' };
const RANK: readonly PoolFacts['health'][] = ['healthy', 'degraded', 'unavailable'];

/**
 * What the monitors know, at once and without a manager: the pool, its rule and which disks are down; and of what managers tell them, what is said of this pool's
 * placement groups.
 */
export async function factsOf(pool: CephPool, call: Call): Promise<PoolFacts> {
  const deadline = pool.begin(call);
  const ask = async (command: Readonly<Record<string, string>> & { readonly prefix: string }) =>
    await pool.cluster.monCommand(command, deadline.left);
  const coded = async (detail: PoolDetail) =>
    detail.profile === undefined
      ? detail
      : { ...detail, code: (await ask({ prefix: 'osd erasure-code-profile get', name: detail.profile })) as Profile };
  const [pools, rules, tree, health] = await Promise.all([
    poolDetails(pool, deadline).then((details) => Promise.all(details.map(coded))),
    ask({ prefix: 'osd crush rule dump' }) as Promise<readonly Rule[]>,
    ask({ prefix: 'osd tree' }) as Promise<{ readonly nodes: readonly Node[] }>,
    pool.cluster.health(deadline.left),
  ]);
  return readFacts({ pools, rules, nodes: tree.nodes, health });
}

/** Of two pools the worse one counts: without its name no image is found. Which disks are asked for is of the data. */
export function readFacts({ pools, rules, nodes, health }: Told): PoolFacts {
  const each = pools.map((detail) => {
    const spread = spreadOf(rules.find((rule) => rule.rule_id === detail.crushRule));
    const copies = copiesOf(detail);
    const nearlyFull = detail.flags.find((flag) => /^(nearfull|backfillfull|full|full_quota)$/.test(flag));
    return {
      ...copies,
      spread,
      trouble: worse(troubleOfDisks(copies, spread, nodes), troubleOfGroups(detail, health)),
      fullness: nearlyFull === undefined ? [] : [`pool ${detail.name} is ${nearlyFull}`],
    };
  });
  const trouble = each.map((one) => one.trouble).reduce(worse);
  const fullness = each.flatMap((one) => one.fullness);
  const reason = [...(trouble.reason === undefined ? [] : [trouble.reason]), ...fullness].join('; ');
  const width = (type: string): number => nodes.find((node) => node.type === type)?.type_id ?? 0;
  const domains = each.map(({ spread }) => spread.failureDomain);
  const classes = new Set(each.at(-1)?.spread.roots.map((root) => root.deviceClass));
  const [deviceClass] = classes.size === 1 ? classes : [];
  return {
    replicas: Math.min(...each.map(({ replicas }) => replicas)),
    replicasMin: Math.min(...each.map(({ replicasMin }) => replicasMin)),
    failureDomain: domains.reduce((narrow, domain) => (width(domain) < width(narrow) ? domain : narrow)),
    ...(deviceClass === undefined ? {} : { deviceClass }),
    health: trouble.health,
    ...(reason === '' ? {} : { reason }),
    isNearlyFull: fullness.length > 0,
  };
}

/** Of the pool of the names, and that of the data where it is another. @throws DriverError not_found */
export async function poolDetails({ cluster, settings }: CephPool, deadline: Deadline): Promise<readonly PoolDetail[]> {
  const details = await cluster.pools(deadline.left);
  return [...new Set([settings.pool, settings.dataPool ?? settings.pool])].map((name) => {
    const detail = details.find((each) => each.name === name);
    if (detail === undefined) throw new DriverError('not_found', `the cluster has no pool ${name}`);
    return detail;
  });
}

type Copies = Pick<PoolFacts, 'replicas' | 'replicasMin'>;

/** What is in chunks counts as so many copies as outlive the same losses: one more than may be lost. */
function copiesOf({ size, minSize, code }: Told['pools'][number]): Copies {
  if (code === undefined) return { replicas: size, replicasMin: minSize };
  const replicas = 1 + Number(code.c ?? code.m);
  return { replicas, replicasMin: Math.max(1, Math.min(replicas, 1 + minSize - Number(code.k))) };
}

/** A rule takes from buckets, of the form `default~ssd` where it wants a class, and chooses so that copies are in different ones of a type. */
function spreadOf(rule: Rule | undefined): Spread {
  const steps = rule?.steps ?? [];
  const taken = steps.flatMap(({ op, item_name }) => (op === 'take' && item_name !== undefined ? [item_name] : []));
  const types = steps.flatMap(({ op, type }) => (/^choose/.test(op) && type !== undefined ? [type] : []));
  return {
    roots: taken.map((item) => {
      const [name = item, deviceClass] = item.split('~');
      return { name, ...(deviceClass === undefined ? {} : { deviceClass }) };
    }),
    // Where it chooses racks first, and then hosts in them, it is the last that no two copies share for certain.
    failureDomain: types.at(-1) ?? 'osd',
  };
}

/** Each group of copies has lost one at most in each domain with a disk that is down. */
function troubleOfDisks({ replicas, replicasMin }: Copies, spread: Spread, nodes: readonly Node[]): Trouble {
  const down = disksUnder(spread, nodes).filter(({ disk }) => disk.status === 'down' && disk.reweight !== 0);
  if (down.length === 0) return SOUND;
  const domains = new Set(down.map(({ domain }) => domain));
  const reason = `down: ${down.map(({ disk }) => disk.name).join(', ')}`;
  return { health: replicas - domains.size < replicasMin ? 'unavailable' : 'degraded', reason };
}

/** The disks that the rule may choose, each with the name of the failure domain that it is in. */
function disksUnder({ roots, failureDomain }: Spread, nodes: readonly Node[]): readonly { readonly disk: Node; readonly domain: string }[] {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const found = new Map<number, { readonly disk: Node; readonly domain: string }>();
  const descend = (node: Node, domain: string, deviceClass: string | undefined): void => {
    const within = node.type === failureDomain ? node.name : domain;
    if (node.type === 'osd' && (deviceClass === undefined || node.device_class === deviceClass))
      found.set(node.id, { disk: node, domain: within });
    for (const id of node.children ?? []) {
      const child = byId.get(id);
      if (child !== undefined) descend(child, within, deviceClass);
    }
  };
  for (const { name, deviceClass } of roots) {
    const root = nodes.find((node) => node.name === name);
    if (root !== undefined) descend(root, root.name, deviceClass);
  }
  return [...found.values()];
}

const OF_GROUPS: Readonly<Record<string, PoolFacts['health']>> = {
  PG_AVAILABILITY: 'unavailable',
  PG_DEGRADED: 'degraded',
  PG_DAMAGED: 'degraded',
  OBJECT_UNFOUND: 'unavailable',
};

/** What a check says of groups of this pool, whose names begin with its number: `pg 3.1f is active+undersized+degraded`. */
function troubleOfGroups({ id }: PoolDetail, { checks }: ClusterHealth): Trouble {
  const ours = new RegExp(`\\bpg ${id}\\.`);
  const any = /\bpg \d+\./;
  return checks.reduce((worst, { code, summary, details }) => {
    const health = OF_GROUPS[code];
    // Where all of many groups cannot be told, ours may be among those that are not.
    const isOurs = details.some((line) => ours.test(line)) || !details.some((line) => any.test(line));
    return health === undefined || !isOurs ? worst : worse(worst, { health, reason: summary });
  }, SOUND);
}

const worse = (a: Trouble, b: Trouble): Trouble => (RANK.indexOf(b.health) > RANK.indexOf(a.health) ? b : a);
