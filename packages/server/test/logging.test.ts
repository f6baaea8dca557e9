import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { Together } from '../src/logging.ts';

const CHILD = fileURLToPath(new URL('./log-and-end.ts', import.meta.url));
/** More than are handed over in one go, and less than a pipe holds. */
const LINES = 300;

/** What was written by when, and the one timer that is set. */
function stage() {
  const written: string[] = [];
  const timers: (() => void)[] = [];
  const lines = new Together(
    { write: (text: string) => void written.push(text) },
    {
      after(_, run) {
        timers.push(run);
        return () => undefined;
      },
    },
  );
  return { lines, written, timers, later: () => timers.shift()?.() };
}

describe('the log', () => {
  it('has the first line of a quiet time at once, and those behind it together', () => {
    const { lines, written, timers, later } = stage();
    lines.write('1\n');
    expect(written).to.deep.equal(['1\n']);
    lines.write('2\n');
    lines.write('3\n');
    expect(written).to.deep.equal(['1\n']);
    later();
    expect(written).to.deep.equal(['1\n', '2\n3\n']);
    later();
    expect(timers, 'timers while nothing is said').to.have.length(0);
    lines.write('4\n');
    expect(written.at(-1)).to.equal('4\n');
  });

  it('keeps no more waiting than a write takes', () => {
    const { lines, written } = stage();
    lines.write('1\n');
    for (let line = 0; line < 40; line += 1) lines.write(`${'x'.repeat(999)}\n`);
    expect(written.slice(1).map(({ length }) => length)).to.deep.equal([17_000, 17_000]);
    lines.flush();
    expect(written.join('')).to.have.length(2 + 40 * 1000);
  });

  it('is whole when the process ends itself', async () => {
    const { stderr } = await promisify(execFile)(process.execPath, [...process.execArgv, CHILD, String(LINES)], { maxBuffer: 2 ** 24 });
    // The write that is under way then may come last.
    const said = stderr.trimEnd().split('\n');
    const numbers = said.map((line) => (JSON.parse(line) as { readonly line: number }).line).sort((a, b) => a - b);
    expect(numbers).to.deep.equal(Array.from({ length: LINES }, (_, line) => line));
  });
});
