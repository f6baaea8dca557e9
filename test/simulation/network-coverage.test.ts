import { assert } from 'chai';
import { type History, playHistory } from './history.ts';
import { FABRIC_TROUBLES, NETWORK_COMMANDS, NETWORK_READS } from './plan.ts';
import { actionsWished } from './wishes.ts';

/** Always the same. */
const SITE = { seed: 30004, hosts: 3, clients: 12, rageMs: 60_000, networks: true };
/** Of what is asked for around networks; no one history has room for all. */
const ACTIONS_MIN = 30;

describe('what random histories with networks are made of', function () {
  this.timeout(900_000);
  let history: History;
  before(async () => {
    history = await playHistory(SITE);
  });

  it('is sound', () => {
    assert.deepEqual(history.problems, []);
  });

  it('has most of the actions around networks, accepted', () => {
    const plain = new Set(actionsWished());
    const around = actionsWished({ networks: true }).filter((action) => !plain.has(action));
    const accepted = around.filter((action) => (history.actions[action] ?? 0) > 0);
    assert.isAbove(accepted.length, ACTIONS_MIN, `of ${around.length}: ${accepted.join(', ')}`);
  });

  it('has what lies around networks made in the fabric, and looked at', () => {
    const asked = [...NETWORK_COMMANDS.filter((command) => command.endsWith('.ensure')), ...NETWORK_READS];
    assert.deepEqual(
      asked.filter((command) => (history.calls[command] ?? 0) === 0),
      [],
    );
  });

  it('has hosts that lose their cables, and switches that do nothing that they are told', () => {
    const met = FABRIC_TROUBLES.map((how) => history.troubles[`fabric.${how}`] ?? 0);
    assert.isAbove(Math.min(...met), 0, JSON.stringify(history.troubles));
  });

  it('finds a fabric that says that it has what it has not', async () => {
    const lost = /^(elasticIps|portForwards|loadBalancers|dnsRecords)\.ensure$/;
    const landing = <T>(_site: string, command: string, apply: () => T): T => (lost.test(command) ? (undefined as T) : apply());
    const { problems } = await playHistory({ ...SITE, rageMs: 30_000, landing });
    assert.match(problems.join('\n'), /is (available|bound), and not in the fabric/);
  });
});
