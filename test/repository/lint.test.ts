import { expect } from 'chai';
import { LAYERS } from '../../tools/lint/arrows.ts';
import { problemsOf } from '../../tools/lint/problems.ts';
import { BANS } from '../../tools/lint/rules.ts';

/** Calls that are not to be written down here either come in two parts. */
const [ignored, skipped, shell] = [['@ts', 'ignore'].join('-'), ['it', 'skip('].join('.'), ['exec', "'ls'"].join('(')];
const interpreter = ['-c', 'line'].join("', ");

/** By path and line, what is said of it. */
const refused: readonly (readonly [string, string, string])[] = [
  [
    'packages/core/src/kernel/x.ts',
    "import { a } from '../cloud/index.ts';",
    'packages/core/src/kernel may not import packages/core/src/cloud',
  ],
  ['packages/core/src/cloud/compute/x.ts', "import { kvm } from '@pileus/drivers-kvm';", 'may not import packages/drivers-kvm/src'],
  ['packages/core/src/strategy/x.ts', "import type { Kernel } from '../kernel/index.ts';", 'may not import packages/core/src/kernel'],
  ['packages/drivers-kvm/src/x.ts', "export { Kernel } from '@pileus/core/kernel';", 'may not import packages/core/src/kernel'],
  ['packages/drivers-kvm/src/libvirt/x.ts', "import { a } from '../deadline.ts';", 'packages/drivers-kvm/src/libvirt may not import'],
  ['packages/drivers-ovs/src/ovn/x.ts', "await import('@pileus/drivers-rbd/rados');", 'may not import packages/drivers-rbd/src/rados'],
  ['packages/sdk/src/x.ts', "import { instance } from '@pileus/core';", 'packages/sdk/src may not import packages/core/src'],
  ['packages/cli/src/x.ts', "import { compose } from '@pileus/server';", 'packages/cli/src may not import packages/server/src'],
  ['packages/server/src/x.ts', "import { a } from '@pileus/nothing';", 'may not import unknown @pileus/nothing'],
  ['packages/core/src/cloud/compute/x.ts', "import { a } from '../storage/pools.ts';", 'import ../storage/contract.ts'],
  ['examples/one/test/x.ts', "import { a } from '../../../packages/core/src/kernel/kernel.ts';", 'an example may not import'],
  ['packages/core/src/kernel/x.ts', 'const at = Date.now();', 'environment.clock'],
  ['packages/server/src/http/x.ts', 'const at = performance.now();', 'environment.clock.monotonicMs()'],
  ['packages/core/src/cloud/compute/x.ts', 'const id = randomUUID();', 'environment.random'],
  ['packages/server/src/x.ts', 'setTimeout(look, 10);', 'environment.timers'],
  ['packages/server/src/x.ts', "import { setTimeout as sleep } from 'node:timers/promises';", 'environment.timers'],
  ['packages/server/src/x.ts', "const text = readFileSync('x');", 'asynchronous form'],
  ['packages/drivers-rbd/src/x.ts', `${shell});`, 'without a shell'],
  ['tools/x.ts', `spawn('sh', ['${interpreter}]);`, 'without a shell'],
  ['packages/sdk/src/x.ts', `// ${ignored}`, 'a type that is right'],
  ['test/x.ts', `${skipped}'x');`, 'a test that runs'],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the text of a program.
  ['packages/cli/src/x.ts', 'say(`A ${kind} is gone`);', 'oneOf(kind)'],
  ['packages/cli/src/x.ts', "eval('1');", 'data, not code'],
  ['packages/server/src/run.ts', "import { Container } from 'inversify';", 'for server/src/compose.ts alone'],
  ['packages/server/src/http/x.ts', "import { createServer } from 'node:http';", 'core/src/node/plain-http.ts'],
  ['packages/core/src/kernel/x.ts', "import { Observable } from 'rxjs';", 'async iterables'],
];

/** What looks like it, and is right. */
const taken: readonly (readonly [string, string])[] = [
  ['packages/core/src/cloud/compute/x.ts', "import { a } from '../storage/contract.ts';"],
  ['packages/core/src/kernel/x.ts', '// Date.now() is not asked here.'],
  ['packages/core/src/node/x.ts', 'const at = Date.now();'],
  ['packages/core/test/x.ts', "import { kvm } from '@pileus/drivers-kvm';"],
  ['packages/server/src/compose.ts', "import { Container } from 'inversify';"],
  ['packages/server/src/http/x.ts', "import type { Server } from 'node:http';"],
  ['packages/server/src/agent/x.ts', "import { createServer } from 'node:http';"],
];

describe('the lint of the repository', () => {
  for (const [path, line, said] of refused)
    it(`refuses in ${path}: ${line}`, () => {
      const problems = [...problemsOf(path, `\n${line}\n`)];
      expect(problems).to.have.length(1);
      expect(problems[0])
        .to.match(/^[\w/.-]+(:2)?: /)
        .and.to.include(said);
    });

  for (const [path, line] of taken) it(`takes in ${path}: ${line}`, () => expect([...problemsOf(path, line)]).to.deep.equal([]));

  it('refuses what is long, unless it says why', () => {
    const long = '\n'.repeat(400);
    expect([...problemsOf('packages/sdk/src/x.ts', long)].join()).to.match(/401 lines; split it/);
    expect([...problemsOf('packages/sdk/src/x.ts', `// Long because it is.${long}`)]).to.deep.equal([]);
  });

  it('is tried here for each call that is banned', () => {
    const tried = (instead: string) => refused.some(([path, line]) => [...problemsOf(path, line)].some((said) => said.endsWith(instead)));
    expect(BANS.filter(({ instead }) => !tried(instead)).map(({ instead }) => instead)).to.deep.equal([]);
  });

  it('knows no layer of the north that may import a driver', () => {
    const north = Object.entries(LAYERS).filter(([layer]) => /^packages\/(core|sdk|cli)/.test(layer));
    expect(north.length).to.be.above(5);
    for (const [layer, into] of north)
      expect(
        into.filter((each) => each.startsWith('packages/drivers-')),
        layer,
      ).to.deep.equal([]);
  });
});
