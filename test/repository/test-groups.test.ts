import { globSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { attempt } from '../../tools/system/command.ts';
import { askedFor, USAGE } from '../../tools/test/arguments.ts';
import { BUDGETS } from '../../tools/test/groups.ts';

const cwd = fileURLToPath(new URL('../..', import.meta.url));

describe('the groups of the tests', () => {
  it('have every file of tests once', () => {
    const groups = BUDGETS.flatMap((budget) => budget.groups);
    const played = groups.flatMap(({ files, except = [] }) => globSync(files, { cwd, exclude: except }));
    const all = globSync(['examples/*/test/**/*.test.ts', 'packages/*/test/**/*.test.ts', 'test/**/*.test.ts'], { cwd });
    expect(played.sort()).to.deep.equal(all.sort());
    expect(all.length).to.be.greaterThan(200);
  });
});

describe('what the runner of tests is asked for', () => {
  it('is all, one group, the long form or its usage', () => {
    expect(askedFor([])).to.deep.equal({ full: false, help: false });
    expect(askedFor(['--full', '--only', 'core'])).to.deep.equal({ full: true, help: false, only: 'core' });
    expect(askedFor(['-h'])).to.include({ help: true });
  });

  it('is refused when it is anything else', () => {
    for (const [wrong, told] of [
      [['--onyl', 'core'], /onyl/],
      [['core'], /core/],
      [['--only'], /only/],
      [['--only', 'cores'], /^there is no group cores$/],
    ] as const)
      expect(() => askedFor(wrong), wrong.join(' ')).to.throw(Error, told);
  });

  it('runs nothing when its usage is asked for, or told in a refusal', async () => {
    const main = [process.execPath, ...process.execArgv, 'tools/test/main.ts'] as const;
    const [help, wrong] = await Promise.all([attempt([...main, '--help'], { cwd }), attempt([...main, '--bogus'], { cwd })]);
    expect([help.exitCode, help.stdout, help.stderr]).to.deep.equal([0, USAGE, '']);
    expect([wrong.exitCode, wrong.stdout]).to.deep.equal([2, '']);
    expect(wrong.stderr)
      .to.match(/^test: .*--bogus.*\n\n/)
      .and.include(USAGE);
  });
});
