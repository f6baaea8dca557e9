import { globSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
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
