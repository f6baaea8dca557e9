import { assert } from 'chai';
import { RECEIVER_TROUBLES } from './deliveries.ts';
import { type History, type HistoryOptions, playHistory } from './history.ts';
import { CALL_EFFECTS, COMMANDS, KILL_POINTS, READ_EFFECTS, READS, SITE_TROUBLES, STORE_TROUBLES } from './plan.ts';
import { actionsWished } from './wishes.ts';

/** Always the same. On the last of them room is short before quotas are. */
const SITES: readonly HistoryOptions[] = [
  { seed: 6, hosts: 6 },
  { seed: 20022, hosts: 6, further: true },
  { seed: 20012, hosts: 6, further: true },
  { seed: 8, hosts: 6 },
  { seed: 9, hosts: 6, further: true, rageMs: 90_000 },
  { seed: 2, hosts: 2 },
];

/**
 * What is done to captures, kinds of machines, requests, groups of snapshots, stacks and policies once they are there. Each needs that one of the few was made before it, and lets
 * most of what a history does with it be refused: which of them are accepted in so few histories is luck. That they are asked for is what wishes.test.ts compares.
 */
const SELDOM = /^(image|instanceType|quotaRequest|snapshotGroup|stack|tagPolicy)\.(?!create|capture)/;

type Counted = 'troubles' | 'calls' | 'actions' | 'succeeded' | 'answers';

describe('what random histories are made of', () => {
  const histories: History[] = [];
  before(async function () {
    this.timeout(900_000);
    for (const site of SITES) histories.push(await playHistory({ clients: 10, rageMs: 120_000, ...site }));
  });

  const sum = (what: Counted, key: string) => histories.reduce((total, history) => total + (history[what][key] ?? 0), 0);
  const assertMet = (what: Counted, keys: readonly string[]) =>
    assert.deepEqual(
      keys.filter((key) => sum(what, key) === 0),
      [],
      JSON.stringify(histories.map((history) => history[what])),
    );

  it('is sound', () => {
    assert.deepEqual(
      histories.flatMap(({ problems }) => problems),
      [],
    );
  });

  it('has every trouble, and each meets something', () => {
    assertMet('troubles', [
      ...[...CALL_EFFECTS, ...READ_EFFECTS].map((effect) => `call.${effect}`),
      ...RECEIVER_TROUBLES.map((how) => `delivery.${how}`),
      ...SITE_TROUBLES.map((how) => `site.${how}`),
      ...KILL_POINTS.map((point) => `kill.${point}`),
      ...STORE_TROUBLES.map((how) => `store.${how}`),
      ...['call.lost', 'call.refused', 'call.held', 'pool.filled', 'pool.full'],
    ]);
  });

  it('has every call that is to go wrong by its name', () => {
    assertMet('calls', [...COMMANDS, ...READS]);
  });

  it('has every action that members may wish for, accepted', () => {
    assertMet(
      'actions',
      actionsWished({ further: true }).filter((action) => !SELDOM.test(action)),
    );
  });

  it('has machines and volumes that have gone elsewhere, and pictures of whole machines', () => {
    assertMet('succeeded', ['instance.migrate', 'instance.evacuate', 'instance.snapshot', 'volume.move']);
  });

  it('has what is refused for lack of room, of quota, of a right, of a key, of a thing', () => {
    assertMet('answers', [
      'accepted',
      'looked',
      'cancelled',
      'no_capacity',
      'quota_exceeded',
      'permission_denied',
      'unauthenticated',
      'not_found',
      'conflict',
    ]);
  });

  it('has events told to those outside who want them', () => {
    for (const { eventsTaken } of histories.slice(1, 2)) assert.isAbove(eventsTaken, 50);
  });

  it('has its commits checked, and its reads', () => {
    for (const { seed, checks, rowsRead, operations } of histories) {
      assert.isAbove(operations, 50, `operations of seed ${seed}`);
      assert.isAbove(checks, operations, `checks of seed ${seed}`);
      assert.isAbove(rowsRead, 200, `rows read of seed ${seed}`);
    }
  });
});
