import type { SimCloud } from '@pileus/core/testing';
import { assert } from 'chai';
import { FabricWatch, unseenLosses } from './fabric-watch.ts';
import type { Mirror, Row, Touched } from './mirror.ts';

type Rows = readonly (readonly [table: string, row: Row])[];

const [BEFORE, CUT, AFTER] = ['2026-01-01T00:00:00.000Z', '2026-01-01T00:00:05.000Z', '2026-01-01T00:00:10.000Z'];

const site: Rows = [
  ['host', { id: 'h1', name: 'hv1', clusterId: 'c' }],
  ['host', { id: 'h2', name: 'hv2', clusterId: 'c' }],
  ['physicalNetwork', { id: 'p', clusterId: 'c' }],
  ['network', { id: 'wire', physicalNetworkId: 'p' }],
  ['network', { id: 'routed', vpcId: 'v' }],
  ['instance', { id: 'wired', hostId: 'h1', state: 'running' }],
  ['instance', { id: 'plain', hostId: 'h1', state: 'running' }],
  ['nic', { id: 'n', instanceId: 'wired', networkId: 'wire', state: 'attached', createdAt: BEFORE }],
  ['nic', { id: 'm', instanceId: 'plain', networkId: 'routed', state: 'attached', createdAt: BEFORE }],
  ['instance', { id: 'later', hostId: 'h1', state: 'running' }],
  ['nic', { id: 'l', instanceId: 'later', networkId: 'wire', state: 'attached', createdAt: '2026-01-01T00:00:11.000Z' }],
  ['elasticIp', { id: 'own', nicId: 'm', distributed: true }],
  ['elasticIp', { id: 'through', nicId: 'm', distributed: false }],
  ['natGateway', { id: 'gate', externalNetworkId: 'wire' }],
];

/** A mirror of these rows, which may be changed. */
function mirrorOf(rows: Rows): { readonly mirror: Mirror; readonly put: (table: string, row: Row) => void } {
  const tables = new Map<string, Map<string, Row>>();
  const of = (table: string) => tables.get(table) ?? new Map<string, Row>();
  const put = (table: string, row: Row) => void tables.set(table, of(table).set(String(row.id), row));
  for (const [table, row] of rows) put(table, row);
  const row = (table: string, id: unknown) => of(table).get(String(id));
  return { mirror: { rows: of, row, sync: () => [] } as unknown as Mirror, put };
}

/** What is said of an operation that has succeeded, where these hosts lost their cables between `BEFORE` and `AFTER`. */
function said(
  action: string,
  resourceId: string,
  createdAt: string,
  lost: readonly string[] = ['hv1'],
  was = 'stopped',
): readonly string[] {
  const problems: string[] = [];
  const since = (name: string) => (lost.includes(name) ? Date.parse(CUT) : undefined);
  const { mirror } = mirrorOf(site);
  const watch = new FabricWatch(
    mirror,
    since,
    () => Date.parse(AFTER),
    (problem) => void problems.push(problem),
  );
  const row = { id: 'op', action, resourceId, createdAt };
  const touched = { table: 'operation', id: 'op', revision: 1, held: [] };
  const after = mirror.row('instance', resourceId);
  if (after !== undefined) watch.committed([{ ...touched, table: 'instance', id: resourceId, before: { ...after, state: was }, after }]);
  watch.committed([{ ...touched, before: { ...row, state: 'running' }, after: { ...row, state: 'succeeded' } } as Touched]);
  return problems;
}

describe('what must be true where hosts lose their cables', () => {
  for (const [action, resourceId, words] of [
    ['instance.create', 'wired', /wired has succeeded on hv1, which did not lead to the network of NIC n/],
    ['instance.start', 'wired', /on hv1/],
    ['instance.migrate', 'wired', /on hv1/],
    ['elasticIp.bind', 'own', /own is to leave from hv1/],
  ] as const)
    it(`is not that ${action} succeeds there, if it was asked for afterwards`, () => {
      assert.match(said(action, resourceId, AFTER).join(), words);
      assert.deepEqual(said(action, resourceId, BEFORE), [], 'asked for before');
      assert.deepEqual(said(action, resourceId, AFTER, ['hv2']), [], 'another host');
    });

  it('is not a gateway that no host could carry', () => {
    assert.match(said('natGateway.create', 'gate', AFTER, ['hv1', 'hv2']).join(), /no host led out/);
    assert.deepEqual(said('natGateway.create', 'gate', AFTER), []);
  });

  it('is what needs no cables, and what was there before', () => {
    assert.deepEqual(said('instance.start', 'plain', AFTER), []);
    assert.deepEqual(said('instance.start', 'wired', AFTER, ['hv1'], 'running'), [], 'of one that runs');
    assert.deepEqual(said('instance.attachNic', 'wired', AFTER), [], 'of a NIC that was there');
    assert.match(said('instance.attachNic', 'later', AFTER).join(), /of NIC l$/);
    assert.deepEqual(said('instance.migrate', 'later', AFTER), [], 'of a NIC that came later');
    assert.deepEqual(said('elasticIp.bind', 'through', AFTER), []);
  });

  /** A cloud at rest that shows a host, and moves gateways away from it, as told. */
  const rested = async ({
    shows,
    moves,
    forgets = true,
  }: {
    readonly shows: boolean;
    readonly moves: boolean;
    readonly forgets?: boolean;
  }) => {
    const { mirror, put } = mirrorOf(site);
    let hosts = ['hv1', 'hv2'];
    const objects = new Map([
      [
        'gate',
        {
          spec: {
            get hosts() {
              return hosts;
            },
          },
        },
      ],
    ]);
    const sim = { run: async () => undefined, world: { fabric: { kept: { of: () => objects } } } } as unknown as SimCloud;
    const reason = 'is not connected to network wire: it tells no bridge';
    return unseenLosses(sim, mirror, (name, isCut) => {
      const isShown = isCut ? shows : !forgets;
      put('host', { id: 'h1', name, clusterId: 'c', ...(isShown ? { networkTroubles: [{ reason }] } : {}) });
      if (moves) hosts = isCut ? ['hv2'] : ['hv1', 'hv2'];
    });
  };

  it('is a host that is shown with it as long as it is so, and carries no gateway meanwhile', async () => {
    assert.deepEqual(await rested({ shows: true, moves: true }), []);
    assert.match((await rested({ shows: false, moves: true })).join(), /^host hv1 does not lead to what machines need/);
    assert.match((await rested({ shows: true, moves: false })).join(), /^gateway gate is still to be carried by hv1/);
    assert.match((await rested({ shows: true, moves: true, forgets: false })).join(), /^host hv1 has its cables again/);
  });
});
