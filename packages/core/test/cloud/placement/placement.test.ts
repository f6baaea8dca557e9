import { expect } from 'chai';
import fc from 'fast-check';
import type { PlacementRequest } from '../../../src/cloud/placement/contract.ts';
import type { CloudError, Statement } from '../../../src/kernel/index.ts';
import { GROUP_ID, Ground, requests, type SeenHost, type Setting, settings, two } from './ground.ts';
import { oracle } from './oracle.ts';

const placeOnce = (setting: Setting, request: PlacementRequest) => {
  const ground = new Ground(setting);
  return ground.placement().place(request, ground.reader);
};
const inGroup = (setting: Setting, request: PlacementRequest): PlacementRequest =>
  setting.group === undefined ? request : { ...request, placementGroupId: GROUP_ID };

const idle = (more: Partial<SeenHost> = {}): SeenHost => ({
  ...{ cluster: 0, state: 'enabled', status: 'connected', compute: true, virtType: 'kvm', rack: 0, disk: undefined },
  ...{ vcpus: [0, 100], memory: [0, 100], ...more },
});
const one: PlacementRequest = { vcpus: 1, memoryBytes: 1, volumes: [], attempt: 0 };
const plain = (hosts: readonly SeenHost[], allowEmulation = false): Setting => ({
  clusters: [{ zone: 0, allowEmulation }],
  hosts,
  pools: [],
});

/** All that is left are the volumes that come along and the hosts that are asked for. */
const EASY = { vcpus: 0, memoryBytes: 0, volumes: [], exceptHosts: [], hostLabels: {} };
const anyHost = ({ clusters, hosts, pools }: Setting): Setting => ({
  clusters: clusters.map(({ zone }) => ({ zone, allowEmulation: true })),
  hosts: hosts.map((entry) => idle({ cluster: entry.cluster, rack: entry.rack })),
  pools,
});

describe('placement', () => {
  it('is what the rules say, on any cloud', async () => {
    await fc.assert(
      fc.asyncProperty(settings, requests, async (setting, plainRequest) => {
        const request = inGroup(setting, plainRequest);
        const ranking = oracle(setting, request);
        const expected = ranking[request.attempt % Math.max(1, ranking.length)];
        const answer = await placeOnce(setting, request).catch((error: CloudError) => error);
        if (expected === undefined) {
          if ((answer as CloudError).code === 'conflict') {
            expect(oracle(anyHost(setting), { ...request, ...EASY })).to.deep.equal([]);
            return;
          }
          expect(answer).to.include({ code: 'no_capacity' });
          const reasons = (answer as CloudError).params?.reasons as Record<string, string>;
          expect(Object.keys(reasons).sort()).to.deep.equal(setting.hosts.map((_, index) => `hv${index}`).sort());
          return;
        }
        expect(answer).to.deep.include(expected);
        expect(await placeOnce(setting, request), 'the same again').to.deep.equal(answer);
      }),
      { numRuns: 2000 },
    );
  });

  it('knows after any history what one that begins now would read', async () => {
    const moves = fc.array(
      fc.oneof(
        fc.record({ type: fc.constant('place' as const), request: requests, lost: fc.boolean() }),
        fc.record({ type: fc.constant('free' as const), which: fc.nat(20) }),
        fc.record({ type: fc.constant('limit' as const), host: fc.nat(7), limit: fc.nat(20) }),
        fc.record({ type: fc.constant('state' as const), host: fc.nat(7), state: fc.constantFrom('enabled', 'disabled') }),
      ),
      { maxLength: 20 },
    );
    await fc.assert(
      fc.asyncProperty(settings, moves, requests, async (setting, history, last) => {
        let nowMs = 0;
        const ground = new Ground(setting);
        const placement = ground.placement({}, () => nowMs);
        const placed: (readonly Statement[])[] = [];
        for (const move of history) {
          if (move.type === 'place') {
            const answer = await placement.place({ ...move.request, attempt: 0 }, ground.reader).catch(() => undefined);
            // One in two is never written: what it was promised is free again after a while.
            if (answer !== undefined && !move.lost && ground.commit(answer.reserve)) placed.push(answer.reserve);
          } else if (move.type === 'free') {
            const [taken] = placed.splice(move.which % Math.max(1, placed.length), 1);
            if (taken !== undefined)
              ground.commit(taken.map((statement) => (statement.op === 'adjust' ? { ...statement, by: -statement.by } : statement)));
          } else if (move.type === 'limit')
            ground.commit([{ op: 'limit', counter: `capacity/host/h${two(move.host % setting.hosts.length)}/vcpus`, limit: move.limit }]);
          else
            ground.commit([{ op: 'update', table: 'host', key: `h${two(move.host % setting.hosts.length)}`, set: { state: move.state } }]);
        }
        nowMs += 10_000;
        const answers = await Promise.all(
          [placement, ground.placement()].map((each) => each.place(last, ground.reader).catch((error: CloudError) => error.params)),
        );
        expect(answers[0]).to.deep.equal(answers[1]);
      }),
      { numRuns: 500 },
    );
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
      hv0: 'is in maintenance',
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

  it('says of many hosts why each group of them was not taken', async () => {
    const hosts = Array.from({ length: 100 }, (_, index) =>
      idle({ cluster: index % 2, ...(index < 30 ? { state: 'disabled' } : { vcpus: [100, 100] }) }),
    );
    const setting = { ...plain(hosts), clusters: [0, 1].map((zone) => ({ zone, allowEmulation: false })) };
    const error: CloudError = await placeOnce(setting, one).then(
      () => Promise.reject(new Error('placed')),
      (cause: CloudError) => cause,
    );
    expect(error.params?.groups).to.deep.equal([
      { cluster: 'cl0', filter: 'vcpus', hosts: 35, example: 'hv30', reason: 'has 0 of 1 virtual processors free' },
      { cluster: 'cl1', filter: 'vcpus', hosts: 35, example: 'hv31', reason: 'has 0 of 1 virtual processors free' },
      { cluster: 'cl0', filter: 'state', hosts: 15, example: 'hv0', reason: 'is disabled' },
      { cluster: 'cl1', filter: 'state', hosts: 15, example: 'hv1', reason: 'is disabled' },
    ]);
    expect(Object.keys(error.params?.reasons as object)).to.deep.equal(['hv30', 'hv31', 'hv0', 'hv1']);
  });

  it('says how many hosts each taint reserves', async () => {
    const taints = [{ key: 'gpu', value: 'a100', effect: 'hard' as const }];
    const hosts = Array.from({ length: 20 }, (_, index) => idle(index < 15 ? { taints } : { taints: [{ key: 'new', effect: 'hard' }] }));
    const error: CloudError = await placeOnce(plain(hosts), one).then(
      () => Promise.reject(new Error('placed')),
      (cause: CloudError) => cause,
    );
    const reserved = (by: string) => `is reserved by the taint ${by}, which the machine does not tolerate`;
    expect(error.params?.groups).to.deep.equal([
      { cluster: 'cl0', filter: 'taint gpu=a100', hosts: 15, example: 'hv0', reason: reserved('gpu=a100') },
      { cluster: 'cl0', filter: 'taint new', hosts: 5, example: 'hv15', reason: reserved('new') },
    ]);
  });

  it('says that there are no hosts', async () => {
    const refused = placeOnce(plain([]), one).catch((error: CloudError) => error.publicMessage);
    expect(await refused).to.equal('There are no hosts; create one first.');
  });

  it('takes hosts without hardware virtualisation only where that is allowed', async () => {
    expect((await placeOnce(plain([idle({ virtType: 'tcg' })], true), one)).hostId).to.equal('h000');
    expect(await placeOnce(plain([idle({ virtType: 'tcg' })]), one).catch((error: CloudError) => error.code)).to.equal('no_capacity');
  });

  it('spreads 10,000 machines evenly over 20 hosts in four racks', async () => {
    const roomy = (rack: number) => idle({ vcpus: [0, 1000], memory: [0, 1000], rack });
    const setting = plain(Array.from({ length: 20 }, (_, index) => roomy(index % 4)));
    const ground = new Ground(setting);
    const placement = ground.placement();
    const load = Array.from({ length: 20 }, () => 0);
    for (let count = 0; count < 10_000; count += 1) {
      const { hostId, reserve } = await placement.place(one, ground.reader);
      expect(ground.commit(reserve)).to.equal(true);
      const at = Number(hostId.slice(1));
      load[at] = (load[at] ?? 0) + 1;
    }
    const deviation = Math.sqrt(load.reduce((sum, value) => sum + (value - 500) ** 2, 0) / 20);
    expect(deviation, load.join()).to.be.below(1);
    const racks = [0, 1, 2, 3].map((rack) => load.reduce((sum, value, at) => sum + (at % 4 === rack ? value : 0), 0));
    for (const of of racks) expect(of, racks.join()).to.be.within(2_490, 2_510);
  });

  it('reads everything once, and then only what has changed', async () => {
    const ground = new Ground(plain([idle(), idle()]));
    const placement = ground.placement();
    const placed = await Promise.all(Array.from({ length: 10 }, () => placement.place(one, ground.reader)));
    expect(placed.filter(({ hostId }) => hostId === 'h000')).to.have.length(5);
    for (const { reserve } of placed) ground.commit(reserve);
    await placement.place(one, ground.reader);
    expect(ground.loads).to.equal(1);
  });

  it('gives free again what a commit did not take', async () => {
    const ground = new Ground(plain([idle({ vcpus: [0, 1] })]));
    const placement = ground.placement();
    const { reserve } = await placement.place(one, ground.reader);
    expect(await placement.place(one, ground.reader).catch((error: CloudError) => error.code)).to.equal('no_capacity');
    expect(ground.commit([...reserve, { op: 'limit', counter: 'other', limit: 0 }, { op: 'adjust', counter: 'other', by: 1 }])).to.equal(
      false,
    );
    expect((await placement.place(one, ground.reader)).hostId).to.equal('h000');
  });
});
