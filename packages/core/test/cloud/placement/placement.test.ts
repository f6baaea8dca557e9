import { expect } from 'chai';
import fc from 'fast-check';
import { cluster, host, instance, pool } from '../../../src/cloud/index.ts';
import type { PlacementRequest } from '../../../src/cloud/placement/contract.ts';
import { TwoLevelPlacement } from '../../../src/cloud/placement/two-level.ts';
import type { AnyKind, Clock, CloudError, Counter, Reader } from '../../../src/kernel/index.ts';
import { MachineStage } from '../compute/machine-stage.ts';
import { GIB } from '../little-cloud.ts';

interface SeenHost {
  readonly cluster: number;
  readonly state: 'enabled' | 'disabled' | 'maintenance';
  readonly status: 'connected' | 'disconnected';
  readonly compute: boolean;
  readonly virtType: 'kvm' | 'tcg';
  readonly vcpus: readonly [taken: number, limit: number];
  readonly memory: readonly [taken: number, limit: number];
}
interface SeenPool {
  readonly scope: 'host' | 'cluster' | 'zone';
  /** Index of the host, cluster or zone. */
  readonly at: number;
  readonly storageClass: 'fast' | 'slow';
  readonly bytes: readonly [taken: number, limit: number];
}
interface Setting {
  readonly clusters: readonly { readonly zone: number; readonly allowEmulation: boolean }[];
  readonly hosts: readonly SeenHost[];
  readonly pools: readonly SeenPool[];
}

const two = (index: number): string => String(index).padStart(3, '0');
const counter = (key: string, [value, limit]: readonly [number, number]): Counter => ({ key, value, limit });

/** A reader of just these rows and counters. */
function readerOf({ clusters, hosts, pools }: Setting): Reader {
  const count = Math.max(1, clusters.length);
  const rows = new Map<AnyKind, readonly object[]>([
    [cluster, clusters.map(({ zone, allowEmulation }, index) => ({ id: `c${two(index)}`, zoneId: `z${zone}`, allowEmulation }))],
    [
      host,
      hosts.map((entry, index) => ({
        ...{ id: `h${two(index)}`, name: `hv${index}`, clusterId: `c${two(entry.cluster % count)}`, virtType: entry.virtType },
        ...{ state: entry.state, status: entry.status, roles: entry.compute ? ['compute', 'storage'] : ['storage'] },
      })),
    ],
    [
      pool,
      pools.map(({ scope, at, storageClass }, index) => ({
        ...{ id: `p${two(index)}`, state: 'available', status: 'connected', scope, storageClass },
        ...(scope === 'host' ? { hostId: `h${two(at % Math.max(1, hosts.length))}` } : {}),
        ...(scope === 'cluster' ? { clusterId: `c${two(at % count)}` } : {}),
        ...(scope === 'zone' ? { zoneId: `z${at % 2}` } : {}),
      })),
    ],
  ]);
  const counters = [
    ...hosts.flatMap((entry, index) => [
      counter(`capacity/host/h${two(index)}/vcpus`, entry.vcpus),
      counter(`capacity/host/h${two(index)}/memoryBytes`, entry.memory),
    ]),
    ...pools.map((entry, index) => counter(`capacity/pool/p${two(index)}/bytes`, entry.bytes)),
  ];
  return { list: async (kind: AnyKind) => rows.get(kind) ?? [], counters: async () => counters } as unknown as Reader;
}

interface Answer {
  readonly hostId: string;
  readonly poolIds: readonly string[];
}

/** The rules written down again, without speed or state: every host that passes all filters, the best score, the idlest cluster first. */
function oracle(setting: Setting, request: PlacementRequest): readonly Answer[] {
  const count = Math.max(1, setting.clusters.length);
  const free = ([taken, limit]: readonly [number, number]) => limit - taken;
  const fits = setting.hosts.flatMap((entry, index) => {
    const id = `h${two(index)}`;
    const mine = setting.clusters[entry.cluster % count];
    const ok =
      entry.state === 'enabled' &&
      entry.status === 'connected' &&
      entry.compute &&
      (entry.virtType === 'kvm' || mine?.allowEmulation === true) &&
      (request.onlyHosts?.includes(id) ?? true) &&
      !(request.exceptHosts?.includes(id) ?? false) &&
      free(entry.vcpus) >= request.vcpus &&
      free(entry.memory) >= request.memoryBytes;
    if (!ok) return [];
    const left = setting.pools.map((each) => free(each.bytes));
    const poolIds: number[] = [];
    for (const volume of request.volumes) {
      let best = -1;
      setting.pools.forEach((each, at) => {
        const near =
          each.scope === 'host'
            ? each.at % setting.hosts.length === index
            : each.scope === 'cluster'
              ? each.at % count === entry.cluster % count
              : each.at % 2 === mine?.zone;
        if (!near || (volume.storageClass !== undefined && volume.storageClass !== each.storageClass)) return;
        if (best < 0 || (left[at] ?? 0) > (left[best] ?? 0)) best = at;
      });
      if (best < 0 || (left[best] ?? 0) < volume.sizeBytes) return [];
      left[best] = (left[best] ?? 0) - volume.sizeBytes;
      poolIds.push(best);
    }
    const share = ([taken, limit]: readonly [number, number], more: number) => (limit === 0 ? 0 : (limit - taken - more) / limit);
    const storage = poolIds.map((at) => share(setting.pools[at]?.bytes ?? [0, 0], 0));
    const score = 0.4 * share(entry.vcpus, request.vcpus) + 0.4 * share(entry.memory, request.memoryBytes) + 0.2 * Math.min(1, ...storage);
    return [{ hostId: id, poolIds: poolIds.map((at) => `p${two(at)}`), score, cluster: entry.cluster % count }];
  });
  const clusters = [...new Set(fits.map((entry) => entry.cluster))].map((number) => fits.filter((entry) => entry.cluster === number));
  const mean = (entries: typeof fits) => entries.reduce((sum, entry) => sum + entry.score, 0) / entries.length;
  return clusters
    .sort((a, b) => mean(b) - mean(a))
    .flatMap((entries) => entries.sort((a, b) => b.score - a.score || (a.hostId < b.hostId ? -1 : 1)))
    .map(({ hostId, poolIds }) => ({ hostId, poolIds }));
}

const part = (max: number) =>
  fc.tuple(fc.nat(max), fc.nat(max)).map(([a, b]): readonly [number, number] => [Math.min(a, b), Math.max(a, b)]);
const mostly = <T>(usual: T, ...others: T[]) =>
  fc.oneof({ weight: 6, arbitrary: fc.constant(usual) }, ...others.map((other) => fc.constant(other)));
const settings: fc.Arbitrary<Setting> = fc.record({
  clusters: fc.array(fc.record({ zone: fc.nat(1), allowEmulation: fc.boolean() }), { minLength: 1, maxLength: 3 }),
  hosts: fc.array(
    fc.record({
      cluster: fc.nat(2),
      state: mostly<SeenHost['state']>('enabled', 'disabled', 'maintenance'),
      status: mostly<SeenHost['status']>('connected', 'disconnected'),
      compute: mostly(true, false),
      virtType: mostly<SeenHost['virtType']>('kvm', 'tcg'),
      vcpus: part(16),
      memory: part(16),
    }),
    { minLength: 1, maxLength: 8 },
  ),
  pools: fc.array(
    fc.record({
      scope: fc.constantFrom<SeenPool['scope']>('host', 'host', 'cluster', 'zone'),
      at: fc.nat(7),
      storageClass: fc.constantFrom('fast', 'slow'),
      bytes: part(20),
    }),
    { maxLength: 10 },
  ),
});
const requests: fc.Arbitrary<PlacementRequest> = fc
  .record({
    vcpus: fc.nat(8),
    memoryBytes: fc.nat(8),
    volumes: fc.array(fc.tuple(fc.integer({ min: 1, max: 6 }), fc.constantFrom(undefined, 'fast', 'slow')), { maxLength: 3 }),
    onlyHosts: mostly<readonly string[] | undefined>(undefined, ['h000', 'h002'], []),
    exceptHosts: mostly<readonly string[] | undefined>(undefined, ['h001']),
    attempt: mostly(0, 1, 2, 5),
  })
  .map(({ volumes, onlyHosts, exceptHosts, ...rest }) => ({
    ...rest,
    volumes: volumes.map(([sizeBytes, storageClass], index) => ({
      id: `v${index}`,
      sizeBytes,
      ...(storageClass === undefined ? {} : { storageClass }),
    })),
    ...(onlyHosts === undefined ? {} : { onlyHosts }),
    ...(exceptHosts === undefined ? {} : { exceptHosts }),
  }));

const still: Clock = { nowMs: () => 0, monotonicMs: () => 0 };
const placeOnce = (setting: Setting, request: PlacementRequest) => new TwoLevelPlacement(still).place(request, readerOf(setting));

describe('placement', () => {
  it('is what the rules say, on any cloud', async () => {
    await fc.assert(
      fc.asyncProperty(settings, requests, async (setting, request) => {
        const ranking = oracle(setting, request);
        const expected = ranking[request.attempt % Math.max(1, ranking.length)];
        const answer = await placeOnce(setting, request).catch((error: CloudError) => error);
        if (expected === undefined) {
          expect(answer).to.include({ code: 'no_capacity' });
          const reasons = (answer as CloudError).params?.reasons as Record<string, string>;
          expect(Object.keys(reasons).sort()).to.deep.equal(setting.hosts.map((_, index) => `hv${index}`).sort());
          return;
        }
        expect(answer).to.deep.include(expected);
        expect(await placeOnce(setting, request), 'the same again').to.deep.equal(answer);
      }),
      { numRuns: 1000 },
    );
  });

  const idle = (more: Partial<SeenHost> = {}): SeenHost => ({
    ...{ cluster: 0, state: 'enabled', status: 'connected', compute: true, virtType: 'kvm', vcpus: [0, 100], memory: [0, 100] },
    ...more,
  });
  const one: PlacementRequest = { vcpus: 1, memoryBytes: 1, volumes: [], attempt: 0 };
  const plain = (hosts: readonly SeenHost[], allowEmulation = false): Setting => ({
    clusters: [{ zone: 0, allowEmulation }],
    hosts,
    pools: [],
  });

  it('walks down the ranking with each attempt, and begins again at its end', async () => {
    const setting = plain([idle({ vcpus: [50, 100] }), idle({ vcpus: [10, 100] }), idle({ vcpus: [30, 100] })]);
    const chosen = [];
    for (let attempt = 0; attempt < 4; attempt += 1) chosen.push((await placeOnce(setting, { ...one, attempt })).hostId);
    expect(chosen).to.deep.equal(['h001', 'h002', 'h000', 'h001']);
  });

  it('says of each host why it was not taken', async () => {
    const setting: Setting = {
      clusters: [{ zone: 0, allowEmulation: false }],
      hosts: [
        idle({ state: 'maintenance' }),
        idle({ status: 'disconnected' }),
        idle({ compute: false }),
        idle({ virtType: 'tcg' }),
        idle({ vcpus: [99, 100] }),
        idle({ memory: [99, 100] }),
        idle(),
        idle(),
      ],
      pools: [{ scope: 'host', at: 7, storageClass: 'fast', bytes: [0, 5] }],
    };
    const request = { ...one, vcpus: 2, memoryBytes: 2, volumes: [{ id: 'v', sizeBytes: 6 }] };
    const error: CloudError = await placeOnce(setting, request).then(
      () => Promise.reject(new Error('placed')),
      (cause: CloudError) => cause,
    );
    expect(error.params?.reasons).to.deep.equal({
      hv0: 'is maintenance',
      hv1: 'is disconnected',
      hv2: 'does not run machines',
      hv3: 'has no hardware virtualisation, and its cluster does not allow emulation',
      hv4: 'has 1 of 2 virtual processors free',
      hv5: 'has 1 bytes of memory free, not 2 bytes',
      hv6: 'reaches no pool',
      hv7: 'reaches no pool with 6 bytes free',
    });
    const { reasons } = await placeOnce(plain([idle(), idle({ state: 'disabled' })]), one);
    expect(reasons).to.deep.equal({ chosen: 'hv0', score: 0.992, refused: { hv1: 'is disabled' } });
  });

  it('says that there are no hosts', async () => {
    const refused = placeOnce(plain([]), one).catch((error: CloudError) => error.publicMessage);
    expect(await refused).to.equal('There are no hosts; create one first.');
  });

  it('takes hosts without hardware virtualisation only where that is allowed', async () => {
    expect((await placeOnce(plain([idle({ virtType: 'tcg' })], true), one)).hostId).to.equal('h000');
    expect(await placeOnce(plain([idle({ virtType: 'tcg' })]), one).catch((error: CloudError) => error.code)).to.equal('no_capacity');
  });

  it('spreads 1,000 machines evenly over 20 hosts', async () => {
    const setting = plain(Array.from({ length: 20 }, () => idle({ vcpus: [0, 1000], memory: [0, 1000] })));
    const [placement, reader] = [new TwoLevelPlacement(still), readerOf(setting)];
    const load = new Map<string, number>();
    for (let count = 0; count < 1000; count += 1) {
      const { hostId } = await placement.place(one, reader);
      load.set(hostId, (load.get(hostId) ?? 0) + 1);
    }
    expect(load.size).to.equal(20);
    const deviation = Math.sqrt([...load.values()].reduce((sum, value) => sum + (value - 50) ** 2, 0) / 20);
    expect(deviation).to.be.below(1);
  });

  it('reads once for all who ask at once', async () => {
    let reads = 0;
    const reader = readerOf(plain([idle(), idle()]));
    const counters = (prefix: string) => {
      reads += 1;
      return reader.counters(prefix);
    };
    const counting = { ...reader, counters } as unknown as Reader;
    const placement = new TwoLevelPlacement(still);
    const placed = await Promise.all(Array.from({ length: 10 }, () => placement.place(one, counting)));
    expect(reads).to.equal(1);
    expect(placed.filter(({ hostId }) => hostId === 'h000')).to.have.length(5);
  });
});

describe('the capacity of hosts', () => {
  const demand = async (stage: MachineStage, count: number) => {
    const { kernel, principal, environment } = stage.sim;
    const ask = () => kernel.submit({ action: 'instance.create', input: stage.input({ start: false }), principal });
    const answers = await environment.complete(Promise.all(Array.from({ length: count }, () => ask().catch((error: CloudError) => error))));
    const codes: string[] = [];
    for (const answer of answers) codes.push('operationId' in answer ? (await stage.sim.ended(answer.operationId)).state : answer.code);
    return codes;
  };

  it('takes exactly as many machines as fit, of 200 that are asked for at once', async () => {
    const stage = await MachineStage.with({ hosts: 4, cpus: 8, network: false, cluster: { vcpuOvercommit: 4 } });
    const codes = await demand(stage, 200);
    expect(codes.filter((code) => code === 'succeeded')).to.have.length(128);
    expect(codes.filter((code) => code === 'no_capacity')).to.have.length(72);
    for (const hostId of stage.hostIds) expect(await stage.taken(hostId)).to.deep.equal([32, 32 * GIB]);
    expect(await stage.rows(instance)).to.have.length(128);
  });

  it('is what the cluster promises of it, and no more after it promises less', async () => {
    const stage = await MachineStage.with({ cpus: 2, network: false, cluster: { vcpuOvercommit: 1.5 } });
    expect((await demand(stage, 5)).filter((code) => code === 'succeeded')).to.have.length(3);
    await stage.sim.done('cluster.update', { vcpuOvercommit: 1 }, stage.clusterId);
    const [row] = await stage.rows(instance);
    await stage.sim.done('instance.delete', {}, row?.id);
    expect((await stage.refusal('instance.create', stage.input())).params?.reasons).to.deep.equal({
      hv1: 'has 0 of 1 virtual processors free',
    });
    await stage.sim.done('cluster.update', { vcpuOvercommit: 2 }, stage.clusterId);
    expect((await demand(stage, 5)).filter((code) => code === 'succeeded')).to.have.length(2);
  });

  it('is given back when a machine fails, and there is room for the next', async () => {
    const stage = await MachineStage.with({ cpus: 1, network: false, cluster: { vcpuOvercommit: 1 } });
    for (let count = 0; count < 3; count += 1) {
      stage.sim.world.faults.add({ command: 'machines.define', times: 1, effect: 'fail', fault: 'invalid' });
      expect((await stage.outcome('instance.create', stage.input())).state).to.equal('failed');
    }
    await stage.machine();
  });
});
