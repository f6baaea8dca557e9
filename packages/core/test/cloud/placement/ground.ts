import fc from 'fast-check';
import { cluster, host, placementGroup, pool } from '../../../src/cloud/index.ts';
import type { PlacementRequest } from '../../../src/cloud/placement/contract.ts';
import { type PlacementPorts, TwoLevelPlacement } from '../../../src/cloud/placement/two-level.ts';
import type { Taint, Toleration } from '../../../src/cloud/taints.ts';
import type { AnyKind, Counter, Reader, RowOf, Statement } from '../../../src/kernel/index.ts';

type Part = readonly [taken: number, limit: number];

export interface SeenHost {
  readonly cluster: number;
  readonly state: 'enabled' | 'disabled' | 'maintenance';
  readonly status: 'connected' | 'disconnected';
  readonly compute: boolean;
  readonly virtType: 'kvm' | 'tcg';
  readonly rack: number;
  readonly disk: 'nvme' | 'sata' | undefined;
  readonly taints?: readonly Taint[];
  readonly vcpus: Part;
  readonly memory: Part;
}
export interface SeenPool {
  readonly scope: 'host' | 'cluster' | 'zone';
  /** Index of the host, cluster or zone. */
  readonly at: number;
  readonly storageClass: 'fast' | 'slow';
  readonly bytes: Part;
}
export interface SeenGroup {
  readonly policy: RowOf<typeof placementGroup>['policy'];
  readonly over: RowOf<typeof placementGroup>['over'];
  /** Index of the host of each member. */
  readonly members: readonly number[];
}
export interface Setting {
  readonly clusters: readonly { readonly zone: number; readonly allowEmulation: boolean }[];
  readonly hosts: readonly SeenHost[];
  readonly pools: readonly SeenPool[];
  readonly group?: SeenGroup;
}

export const GROUP_ID = 'group';
export const two = (index: number): string => String(index).padStart(3, '0');

/** Where a member of a group counts that is on the host. */
export function domainOf({ clusters, hosts }: Setting, over: SeenGroup['over'], at: number): string {
  const { cluster: of, rack } = hosts[at] as SeenHost;
  return over === 'host' ? `h${two(at)}` : over === 'cluster' ? `c${two(of % clusters.length)}` : `rack-${rack}`;
}

/** Rows and counters as a store holds them, with the commits of this node told to whoever listens. */
export class Ground {
  readonly rows = new Map<AnyKind, Map<string, object>>();
  readonly counters = new Map<string, { value: number; limit: number | null }>();
  /** Reads of everything. */
  loads = 0;
  #listener: Parameters<PlacementPorts['listen']>[0] = () => undefined;

  constructor(setting: Setting) {
    const put = (kind: AnyKind, rows: readonly { readonly id: string }[]) => this.rows.set(kind, new Map(rows.map((row) => [row.id, row])));
    const { clusters, hosts, pools, group } = setting;
    const count = clusters.length;
    put(
      cluster,
      clusters.map(({ zone, allowEmulation }, index) => ({ id: `c${two(index)}`, name: `cl${index}`, zoneId: `z${zone}`, allowEmulation })),
    );
    put(
      host,
      hosts.map((entry, index) => ({
        ...{ id: `h${two(index)}`, name: `hv${index}`, clusterId: `c${two(entry.cluster % count)}`, virtType: entry.virtType },
        ...{ state: entry.state, status: entry.status, roles: entry.compute ? ['compute', 'storage'] : ['storage'] },
        ...{ failureDomain: `rack-${entry.rack}`, ...(entry.disk === undefined ? {} : { labels: { disk: entry.disk } }) },
        ...(entry.taints === undefined ? {} : { taints: entry.taints }),
      })),
    );
    put(
      pool,
      pools.map(({ scope, at, storageClass }, index) => ({
        ...{ id: `p${two(index)}`, state: 'available', status: 'connected', scope, storageClass },
        ...(scope === 'host' ? { hostId: `h${two(at % hosts.length)}` } : {}),
        ...(scope === 'cluster' ? { clusterId: `c${two(at % count)}` } : {}),
        ...(scope === 'zone' ? { zoneId: `z${at % 2}` } : {}),
      })),
    );
    hosts.forEach((entry, index) => {
      this.#count(`capacity/host/h${two(index)}/vcpus`, entry.vcpus);
      this.#count(`capacity/host/h${two(index)}/memoryBytes`, entry.memory);
    });
    for (const [index, entry] of pools.entries()) this.#count(`capacity/pool/p${two(index)}/bytes`, entry.bytes);
    if (group !== undefined) this.#putGroup(setting, group);
  }

  #putGroup(setting: Setting, { policy, over, members }: SeenGroup): void {
    const domains = members.map((at) => domainOf(setting, over, at));
    const first = policy === 'affinity' ? domains[0] : undefined;
    const row = { id: GROUP_ID, state: 'available', policy, over, ...(first === undefined ? {} : { domain: first }) };
    this.rows.set(placementGroup, new Map([[GROUP_ID, row]]));
    for (const domain of domains) {
      const key = `placement/group/${GROUP_ID}/${domain}`;
      this.#count(key, [(this.counters.get(key)?.value ?? 0) + 1, Number.NaN]);
    }
  }

  #count(key: string, [value, limit]: Part): void {
    this.counters.set(key, { value, limit: Number.isNaN(limit) ? null : limit });
  }

  get reader(): Reader {
    const counter = (key: string): Counter | undefined => {
      const found = this.counters.get(key);
      return found === undefined ? undefined : { key, ...found };
    };
    return {
      find: async (kind: AnyKind, id: string) => this.rows.get(kind)?.get(id),
      get: async (kind: AnyKind, id: string) => this.rows.get(kind)?.get(id),
      list: async (kind: AnyKind, _where: unknown, { after }: { readonly after?: readonly string[] } = {}) => {
        if (kind === host) this.loads += 1;
        return [...(this.rows.get(kind)?.values() ?? [])].filter((row) => (row as { id: string }).id > (after?.[0] ?? ''));
      },
      counter: async (key: string) => counter(key),
      counters: async (prefix: string) => [...this.counters.keys()].filter((key) => key.startsWith(prefix)).map((key) => counter(key)),
    } as unknown as Reader;
  }

  placement(hooks: Partial<ReturnType<PlacementPorts['hooks']>> = {}, nowMs: () => number = () => 0): TwoLevelPlacement {
    return new TwoLevelPlacement({
      clock: { nowMs, monotonicMs: nowMs },
      hooks: () => ({ has: () => false, collect: async () => [], ...hooks }),
      listen: (listener) => {
        this.#listener = listener;
        return () => undefined;
      },
    });
  }

  /** Writes, if no counter goes over its limit, and tells. */
  commit(statements: readonly Statement[]): boolean {
    const after = new Map([...this.counters].map(([key, counter]) => [key, { ...counter }]));
    const fits = statements.every((statement) => {
      if (statement.op !== 'adjust' && statement.op !== 'limit') return true;
      const counter = after.get(statement.counter) ?? { value: 0, limit: null };
      after.set(statement.counter, counter);
      if (statement.op === 'limit') counter.limit = statement.limit;
      else counter.value += statement.by;
      return statement.op === 'limit' || statement.by <= 0 || counter.limit === null || counter.value <= counter.limit;
    });
    if (fits) this.#write(statements, after);
    this.#listener(statements, fits);
    return fits;
  }

  #write(statements: readonly Statement[], counters: ReadonlyMap<string, { value: number; limit: number | null }>): void {
    for (const [key, counter] of counters) this.counters.set(key, counter);
    for (const statement of statements) {
      if (statement.op !== 'update') continue;
      const rows = [...this.rows].find(([kind]) => kind.name === statement.table)?.[1];
      rows?.set(statement.key, { ...rows.get(statement.key), ...statement.set });
    }
  }
}

const part = (max: number) => fc.tuple(fc.nat(max), fc.nat(max)).map(([a, b]): Part => [Math.min(a, b), Math.max(a, b)]);
const mostly = <T>(usual: T, ...others: T[]) =>
  fc.oneof({ weight: 6, arbitrary: fc.constant(usual) }, ...others.map((other) => fc.constant(other)));

const values = fc.constantFrom(undefined, 'a', 'b');
const taint = fc
  .record({ key: fc.constantFrom('gpu', 'new'), value: values, effect: fc.constantFrom<Taint['effect']>('hard', 'soft') })
  .map(({ value, ...rest }): Taint => (value === undefined ? rest : { ...rest, value }));
const toleration = fc
  .record({ key: fc.constantFrom('gpu', 'new'), value: values })
  .map(({ key, value }): Toleration => (value === undefined ? { key } : { key, value }));

const groups: fc.Arbitrary<SeenGroup> = fc
  .record({
    policy: fc.constantFrom<SeenGroup['policy']>('affinity', 'antiAffinity', 'softAffinity', 'softAntiAffinity'),
    over: fc.constantFrom<SeenGroup['over']>('host', 'failureDomain', 'cluster'),
    members: fc.array(fc.nat(7), { maxLength: 4 }),
  })
  // All members of an affinity group are in one place.
  .map((group) => (group.policy === 'affinity' ? { ...group, members: group.members.map(() => group.members[0] ?? 0) } : group));

const settingsOf = ({
  clusters,
  hosts,
  poolsMax,
}: {
  readonly clusters: number;
  readonly hosts: readonly [number, number];
  readonly poolsMax: number;
}): fc.Arbitrary<Setting> =>
  fc
    .record({
      clusters: fc.array(fc.record({ zone: fc.nat(1), allowEmulation: fc.boolean() }), { minLength: 1, maxLength: clusters }),
      hosts: fc.array(
        fc.record({
          cluster: fc.nat(clusters - 1),
          state: mostly<SeenHost['state']>('enabled', 'disabled', 'maintenance'),
          status: mostly<SeenHost['status']>('connected', 'disconnected'),
          compute: mostly(true, false),
          virtType: mostly<SeenHost['virtType']>('kvm', 'tcg'),
          rack: fc.nat(3),
          disk: mostly<SeenHost['disk']>('nvme', 'sata', undefined),
          taints: fc.uniqueArray(taint, { maxLength: 2, selector: ({ key }) => key }),
          vcpus: part(16),
          memory: part(16),
        }),
        { minLength: hosts[0], maxLength: hosts[1], size: 'max' },
      ),
      pools: fc.array(
        fc.record({
          scope: fc.constantFrom<SeenPool['scope']>('host', 'host', 'cluster', 'zone'),
          at: fc.nat(hosts[1] - 1),
          storageClass: fc.constantFrom('fast', 'slow'),
          bytes: part(20),
        }),
        { maxLength: poolsMax, size: 'max' },
      ),
      group: fc.option(groups, { nil: undefined }),
    })
    .map(({ group, ...rest }) => ({
      ...rest,
      ...(group === undefined ? {} : { group: { ...group, members: group.members.map((at) => at % rest.hosts.length) } }),
    }));

export const settings = settingsOf({ clusters: 3, hosts: [1, 8], poolsMax: 10 });
/** Clusters with hosts of more sorts than summaries tell apart. */
export const largeSettings = settingsOf({ clusters: 5, hosts: [20, 80], poolsMax: 60 });

export const requests: fc.Arbitrary<PlacementRequest> = fc
  .record({
    vcpus: fc.nat(8),
    memoryBytes: fc.nat(8),
    volumes: fc.array(fc.tuple(fc.integer({ min: 1, max: 6 }), fc.constantFrom(undefined, 'fast', 'slow')), { maxLength: 3 }),
    onlyHosts: mostly<readonly string[] | undefined>(undefined, ['h000', 'h002'], []),
    exceptHosts: mostly<readonly string[] | undefined>(undefined, ['h001']),
    tolerations: fc.option(fc.array(toleration, { maxLength: 3 }), { nil: undefined }),
    hostLabels: mostly<PlacementRequest['hostLabels']>(undefined, { disk: 'nvme' }, { disk: 'sata', gpu: 'yes' }),
    reaching: mostly<readonly string[] | undefined>(undefined, ['p000'], ['p000', 'p003']),
    attempt: mostly(0, 1, 2, 5),
  })
  .map(({ volumes, ...rest }) => {
    const told = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)) as typeof rest;
    const wanted = volumes.map(([sizeBytes, storageClass], index) => ({
      id: `v${index}`,
      sizeBytes,
      ...(storageClass === undefined ? {} : { storageClass }),
    }));
    return { ...told, volumes: wanted } as PlacementRequest;
  });
