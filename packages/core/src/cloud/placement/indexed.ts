import type { RowOf } from '../../kernel/index.ts';
import { notTaking, type pool } from '../storage/contract.ts';
import type { Taint } from '../taints.ts';
import type { cluster, host } from '../topology/contract.ts';
import type { HostView } from './points.ts';

/** What a score is made of. */
export const WEIGHTS = { vcpus: 0.4, memory: 0.4, storage: 0.2 };

/** Of a cluster whose hosts differ more than that the rest is told apart no more. */
const PARTS_MAX = 8;
const PLAIN = '';

/** A counter of capacity as it was last read, less what was promised since. */
export class Account {
  limit = 0;
  /** Told of every change. */
  onChange: () => void = () => undefined;
  #value = 0;
  #promised = 0;
  #looks = 0;

  get free(): number {
    return this.limit - this.#value - this.#promised;
  }

  /** How often it was read. */
  get looks(): number {
    return this.#looks;
  }

  /** Part of all that is free; none of an account without a limit. */
  share(less = 0): number {
    return this.limit === 0 ? 0 : (this.free - less) / this.limit;
  }

  set(value: number, limit: number | null): void {
    this.#looks += 1;
    if (value === this.#value && (limit ?? 0) === this.limit) return;
    this.#value = value;
    this.limit = limit ?? 0;
    this.onChange();
  }

  add(by: number): void {
    this.#value += by;
    this.onChange();
  }

  promise(by: number): void {
    this.#promised += by;
    this.onChange();
  }
}

export class IndexedPool {
  readonly id: string;
  readonly hostId: string | undefined;
  readonly clusterId: string | undefined;
  readonly zoneId: string | undefined;
  readonly bytes: Account;
  storageClass: string;
  classId: string | undefined;
  /** Whether volumes in it can be encrypted, as far as that is known. */
  encrypts: boolean | undefined;
  name: string;
  /** Why nothing new is placed there. */
  refusal: string | undefined;

  constructor(row: RowOf<typeof pool>, bytes: Account) {
    this.id = row.id;
    this.hostId = row.scope === 'host' ? row.hostId : undefined;
    this.clusterId = row.scope === 'cluster' ? row.clusterId : undefined;
    this.zoneId = row.scope === 'zone' ? row.zoneId : undefined;
    this.bytes = bytes;
    this.storageClass = row.storageClass;
    this.classId = row.classId;
    this.encrypts = row.encrypts;
    this.name = row.name;
    this.refusal = notTaking(row);
  }

  show(row: RowOf<typeof pool>): void {
    this.storageClass = row.storageClass;
    this.classId = row.classId;
    this.encrypts = row.encrypts;
    this.name = row.name;
    this.refusal = notTaking(row);
  }

  reachedBy(at: HostView): boolean {
    if (this.hostId !== undefined) return this.hostId === at.id;
    return this.clusterId === undefined ? this.zoneId === at.zoneId : this.clusterId === at.clusterId;
  }
}

export class IndexedHost implements HostView {
  readonly id: string;
  readonly cluster: IndexedCluster;
  readonly vcpus: Account;
  readonly memoryBytes: Account;
  /** Of its own. */
  readonly pools = new Set<IndexedPool>();
  name = '';
  /** What drivers of networks call it. */
  hostname = '';
  failureDomain = '';
  labels: Readonly<Record<string, string>> = {};
  taints: readonly Taint[] = [];
  /** Of its labels and taints: the same for the same ones. */
  sort = PLAIN;
  virtType: string | undefined;
  state = '';
  status = '';
  computes = false;
  /** The operator wants other ways to storage than it has. */
  isUnfit = false;
  /** Pools that it should reach and does not. */
  unreached: ReadonlySet<string> = new Set();

  constructor(row: RowOf<typeof host>, of: IndexedCluster, free: { readonly vcpus: Account; readonly memoryBytes: Account }) {
    this.id = row.id;
    this.cluster = of;
    this.vcpus = free.vcpus;
    this.memoryBytes = free.memoryBytes;
    this.vcpus.onChange = () => of.changed();
    this.memoryBytes.onChange = () => of.changed();
    this.show(row);
  }

  get clusterId(): string {
    return this.cluster.id;
  }

  get zoneId(): string {
    return this.cluster.zoneId;
  }

  /** Whether it takes machines at all. */
  get usable(): boolean {
    return this.computes && this.state === 'enabled' && this.status === 'connected';
  }

  /** How much of it is free, as its score counts it. */
  idlenessWith({ vcpus, memoryBytes }: { readonly vcpus: number; readonly memoryBytes: number }): number {
    return WEIGHTS.vcpus * this.vcpus.share(vcpus) + WEIGHTS.memory * this.memoryBytes.share(memoryBytes);
  }

  show(row: RowOf<typeof host>): void {
    this.name = row.name;
    this.hostname = row.hostname ?? row.name;
    this.failureDomain = row.failureDomain;
    this.labels = row.labels ?? {};
    this.taints = row.taints ?? [];
    this.sort = sortOf(this.labels, this.taints);
    this.virtType = row.virtType;
    this.state = row.state;
    this.status = row.status;
    this.computes = row.roles.includes('compute');
    this.isUnfit = row.storageNetworkStatus === 'unfit';
    this.unreached = new Set(row.unreachedPools?.map(({ poolId }) => poolId));
    this.cluster.changed();
  }
}

const sortOf = (labels: IndexedHost['labels'], taints: IndexedHost['taints']): string => {
  const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.length === 0 && taints.length === 0 ? PLAIN : JSON.stringify([sorted, taints]);
};

/** Hosts of a cluster that may be given machines and are alike: as large, with the same labels and taints. */
export interface Part {
  /** One of them; undefined where they are not alike. */
  readonly like: IndexedHost | undefined;
  /** Of the host that has most of it. */
  vcpusMax: number;
  memoryBytesMax: number;
  idlenessMax: number;
  /** Promised of the largest host in all. */
  vcpusLimit: number;
  memoryBytesLimit: number;
}

/** What is known of a cluster without looking at its hosts. */
export interface Summary {
  /** Mean of what is free of its usable hosts' processors and memory, 0 to 1. */
  readonly idleness: number;
  /** Of the part that has most of it. */
  readonly idlenessMax: number;
  readonly parts: readonly Part[];
}

/** The most that a host of the part can be idle with that on it; minus infinity where none has room. */
export function idlenessWithin(part: Part, { vcpus, memoryBytes }: { readonly vcpus: number; readonly memoryBytes: number }): number {
  if (part.vcpusMax < vcpus || part.memoryBytesMax < memoryBytes) return Number.NEGATIVE_INFINITY;
  const processors = vcpus === 0 ? 0 : (WEIGHTS.vcpus * vcpus) / part.vcpusLimit;
  const memory = memoryBytes === 0 ? 0 : (WEIGHTS.memory * memoryBytes) / part.memoryBytesLimit;
  return part.idlenessMax - processors - memory + ROUNDED;
}

/** The same sum in another order may differ by that. */
const ROUNDED = 1e-9;

const isLike = (at: IndexedHost, { like, vcpusLimit, memoryBytesLimit }: Part): boolean =>
  like === undefined || (like.sort === at.sort && at.vcpus.limit === vcpusLimit && at.memoryBytes.limit === memoryBytesLimit);

export class IndexedCluster {
  readonly id: string;
  readonly hosts = new Map<string, IndexedHost>();
  readonly pools = new Set<IndexedPool>();
  name = '';
  zoneId = '';
  allowEmulation = false;
  #summary: Summary | undefined;

  constructor(row: RowOf<typeof cluster>) {
    this.id = row.id;
    this.show(row);
  }

  show(row: RowOf<typeof cluster>): void {
    this.name = row.name;
    this.zoneId = row.zoneId;
    this.allowEmulation = row.allowEmulation;
    this.changed();
  }

  add(one: IndexedHost): void {
    this.hosts.set(one.id, one);
    this.changed();
  }

  remove(one: IndexedHost): void {
    this.hosts.delete(one.id);
    this.changed();
  }

  changed(): void {
    this.#summary = undefined;
  }

  get summary(): Summary {
    this.#summary ??= this.#summarize();
    return this.#summary;
  }

  #summarize(): Summary {
    let [count, sum] = [0, 0];
    const parts: Part[] = [];
    let part: Part | undefined;
    for (const each of this.hosts.values()) {
      if (!each.usable) continue;
      count += 1;
      const [vcpus, memory] = [each.vcpus.share(), each.memoryBytes.share()];
      sum += (vcpus + memory) / 2;
      if (each.isUnfit || (each.virtType === 'tcg' && !this.allowEmulation)) continue;
      if (part === undefined || !isLike(each, part)) part = partFor(each, parts);
      part.vcpusMax = Math.max(part.vcpusMax, each.vcpus.free);
      part.memoryBytesMax = Math.max(part.memoryBytesMax, each.memoryBytes.free);
      part.idlenessMax = Math.max(part.idlenessMax, WEIGHTS.vcpus * vcpus + WEIGHTS.memory * memory);
      part.vcpusLimit = Math.max(part.vcpusLimit, each.vcpus.limit);
      part.memoryBytesLimit = Math.max(part.memoryBytesLimit, each.memoryBytes.limit);
    }
    const idlenessMax = parts.reduce((most, each) => Math.max(most, each.idlenessMax), Number.NEGATIVE_INFINITY);
    return { idleness: count === 0 ? 0 : sum / count, idlenessMax, parts };
  }
}

function partFor(at: IndexedHost, parts: Part[]): Part {
  const known = parts.find((each) => isLike(at, each));
  if (known !== undefined) return known;
  const made: Part = {
    like: parts.length < PARTS_MAX - 1 ? at : undefined,
    ...{ vcpusMax: 0, memoryBytesMax: 0, idlenessMax: Number.NEGATIVE_INFINITY },
    ...{ vcpusLimit: at.vcpus.limit, memoryBytesLimit: at.memoryBytes.limit },
  };
  parts.push(made);
  return made;
}
