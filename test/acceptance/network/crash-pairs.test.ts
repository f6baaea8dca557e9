import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { crashPairs } from './crash-pairs.ts';
import type { CrashStage } from './crash-stage.ts';

const REFERENCE = new URL('../../../docs/reference/sagas.md', import.meta.url);
/** Kinds of networks, and what machines do with them. */
const OF_NETWORKS =
  /^(vpc|network|subnet|nic|route|peering|securityGroup\w*|dnsRecord|natGateway|elasticIp|portForward|reservedAddress|loadBalancer|listener|backend|fabric)\.|^instance\.(create|remove|start|stop|attachNic|detachNic|migrate|evacuate|back)$/;

/** Sagas that are at work in another one, by what is played. */
const WITHIN: Readonly<Record<string, string>> = {
  'network.quiesce': 'network.remove',
  'nic.quiesce': 'instance.remove',
  'nic.remove': 'instance.detachNic',
};
/** Those that are not played as pairs, and why. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  'fabric.rebuild': 'by a test of its own, in crash-matrix.test.ts',
  'instance.back': 'in crash-moves.test.ts',
  'instance.evacuate': 'in simulation, by the crash matrix',
  'instance.migrate': 'in crash-moves.test.ts',
  'nic.back': 'in crash-moves.test.ts, with its machine',
  'reservedAddress.remove': 'changes a row alone',
};

/** Of it nothing is asked but what pairs are made of. */
const nowhere = {
  ids: {},
  named: () => 'id',
  rowsOf: () => [],
  nicOf: () => 'id',
  instance: (name: string) => ({ name }),
} as unknown as CrashStage;

describe('the sagas of networks that are cut short on OVN', () => {
  it('are all that there are, but for those that say why', async () => {
    const sagas = [...(await readFile(REFERENCE, 'utf8')).matchAll(/^## (\S+)$/gm)].map(([, name = '']) => name);
    const { always, further, whole } = crashPairs(nowhere);
    const actions = [...always, ...further, ...whole].flatMap(({ make, takeBack }) => [make().action, takeBack().action]);
    const played = new Set(actions.map((action) => action.replace(/\.delete$/, '.remove')));
    const missing = sagas.filter((name) => OF_NETWORKS.test(name) && !played.has(name) && !(name in WITHIN) && !(name in ELSEWHERE));
    expect(missing).to.deep.equal([]);
    for (const name of Object.values(WITHIN)) expect([...played]).to.include(name);
    // Nobody is excused who is played, or is not there any more.
    for (const name of [...Object.keys(WITHIN), ...Object.keys(ELSEWHERE)]) {
      expect(sagas).to.include(name);
      expect([...played]).to.not.include(name);
    }
  });
});
