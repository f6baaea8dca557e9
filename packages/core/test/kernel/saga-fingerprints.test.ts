import { readFileSync, writeFileSync } from 'node:fs';
import { assert } from 'chai';
import { fingerprint, NOTHING_TO_UNDO, saga, sagaKey } from '../../src/kernel/index.ts';
import { SimCloud } from '../../testing/index.ts';

const FILE = new URL('saga-fingerprints.json', import.meta.url);
type Fingerprints = Readonly<Record<string, string>>;

/** What is wrong between the sagas that were committed and those that are registered, in words that say what to do. */
function problems(committed: Fingerprints, registered: Fingerprints): readonly string[] {
  const changed = Object.entries(registered).flatMap(([key, now]) => {
    const before = committed[key];
    if (before === undefined) return [`${key} is new: write it down with PILEUS_UPDATE=1`];
    if (before === now) return [];
    return [
      `${key} has changed its steps: give it a new version and keep the old one in its plugin's \`sagas\` (PILEUS_UPDATE=unreleased if no release has it)\n  was ${before}\n  is  ${now}`,
    ];
  });
  const gone = Object.keys(committed).filter((key) => registered[key] === undefined);
  return [
    ...changed,
    ...gone.map(
      (key) =>
        `${key} is gone: operations of the last release may still run it; after one minor release remove it with PILEUS_UPDATE=unreleased`,
    ),
  ];
}

describe('the steps of every saga', () => {
  it('are those that were committed for its version', async () => {
    const sim = new SimCloud({ seed: 'fingerprints' });
    await sim.start();
    const sagas = [...sim.kernel.registry.sagas()].sort((a, b) => (sagaKey(a) < sagaKey(b) ? -1 : 1));
    const registered = Object.fromEntries(sagas.map((each) => [sagaKey(each), fingerprint(each)]));
    const committed = JSON.parse(readFileSync(FILE, 'utf8')) as Fingerprints;
    // What is new is written down on demand. What a release may have journaled is not: `unreleased` says that none has.
    const found = problems(committed, registered).filter(
      (problem) => !(process.env.PILEUS_UPDATE === '1' && problem.includes(' is new: ')),
    );
    if (process.env.PILEUS_UPDATE !== 'unreleased') assert.deepEqual(found, []);
    if (process.env.PILEUS_UPDATE !== undefined) writeFileSync(FILE, `${JSON.stringify(registered, undefined, 2)}\n`);
  });

  it('a change of them asks for a new version, in words', () => {
    const effect = { do: () => undefined, undo: NOTHING_TO_UNDO } as const;
    const before = { 'x@1': fingerprint(saga('x', 1).effect('a', effect).build()) };
    const changes = [
      saga('x', 1).effect('a', effect).effect('b', effect),
      saga('x', 1).effect('b', effect),
      saga('x', 1).write('a', { do: () => [], undo: NOTHING_TO_UNDO }),
      saga('x', 1).effect('a', { ...effect, undo: () => undefined }),
      saga('x', 1).effect('a', { ...effect, undo: 'forward_only' }),
    ];
    for (const changed of changes)
      assert.match(problems(before, { 'x@1': fingerprint(changed.build()) }).join(), /^x@1 has changed its steps: give it a new version/);
    assert.match(problems({}, before).join(), /^x@1 is new/);
    assert.match(problems(before, {}).join(), /^x@1 is gone/);
    assert.deepEqual(problems(before, before), []);
  });
});
