import { expect } from 'chai';
import fc from 'fast-check';
import { ERROR_CODES, type ErrorCode } from '../../../src/kernel/index.ts';
import { MachineStage } from './machine-stage.ts';

const NOBODY = '00000000-0000-7000-8000-00000000dead';
const KINDS = ['instance', 'instanceType', 'network', 'subnet', 'nic'];

/** Values that are at the edge of something. */
const odd = fc.constantFrom<unknown>(
  ...[null, true, '', '\0', ' ', '::/0', '0.0.0.0/0', '10.0.0.0/24', NOBODY, 'a'.repeat(70_000)],
  ...[-1, 0, 0.5, 1, 2 ** 31, 2 ** 53 - 1, 2 ** 53, 1e300, Number.NaN, Number.POSITIVE_INFINITY],
  ...[[], [[]], [null], {}, { '': 1 }, { __proto__: 1 }, { limits: {} }, [{ cidr: '::/64' }, { cidr: '::/64' }]],
);

describe('requests about machines and networks', () => {
  it('are answered with a typed error when they are malformed, whatever is in them, and change nothing', async function () {
    this.timeout(300_000);
    const stage = await MachineStage.with();
    const machine = await stage.machine({ nics: [{ networkId: stage.networkId }] });
    const targets: Readonly<Record<string, string | undefined>> = {
      instance: machine,
      network: stage.networkId,
      nic: (await stage.nics(machine))[0]?.id,
    };
    const actions = stage.sim.kernel.registry.actions().filter((action) => KINDS.includes(action.kind.name) && action.verb !== 'delete');
    const codes = new Set<ErrorCode>();
    for (const [index, action] of actions.entries()) {
      const fields = Object.keys(action.input.properties);
      const input = fc.oneof(
        { weight: 4, arbitrary: fc.dictionary(fc.constantFrom(...fields, 'unknown'), fc.oneof(odd, fc.jsonValue()), { maxKeys: 3 }) },
        { weight: 1, arbitrary: fc.oneof(odd, fc.jsonValue()) },
      );
      for (const sample of fc.sample(input, { numRuns: 60, seed: index })) {
        const revision = await stage.revision();
        const target = action.target === 'resource' ? (targets[action.kind.name] ?? NOBODY) : undefined;
        const answer = await stage.sim.submit(action.name, sample, target).catch((error: { readonly code: ErrorCode }) => error);
        const text = `${action.name} ${JSON.stringify(sample)?.slice(0, 200)}`;
        if ('operationId' in answer) {
          await stage.sim.ended(answer.operationId);
          continue;
        }
        codes.add(answer.code);
        expect(ERROR_CODES[answer.code]?.http, text).to.be.within(400, 499);
        expect(await stage.revision(), text).to.equal(revision);
      }
    }
    expect([...codes]).to.include.members(['invalid_input', 'conflict']);
    expect(stage.sim.world.violations).to.deep.equal([]);
  });
});
