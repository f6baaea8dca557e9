import { expect } from 'chai';
import { parse } from 'yaml';
import { FORMATS, formatRow, formatRows, RowStream } from '../src/format.ts';
import { asJson, asYaml, onOneLine, printable } from '../src/printable.ts';
import { table } from '../src/table.ts';

/** Clears the screen, paints, rings, goes back in the line, begins another line, writes from right to left. */
const HOSTILE = '\u001b[2J\u009b31m\u0007\u007f\rme\n\tstate  running\u202egnp.exe\u2069';
const STEERS = /[^\P{Cc}\n]|[\u202a-\u202e\u2066-\u2069]/u;

describe('cli: what others wrote, on a terminal', () => {
  const row = { id: 'a', name: 'web-1', state: 'running', description: HOSTILE, labels: { note: HOSTILE } };
  const columns = ['name', 'description', 'labels'];

  for (const format of FORMATS)
    it(`steers nothing as ${format}`, () => {
      const stream = new RowStream(format, columns);
      const shown = [formatRows([row], format, columns), formatRow(row, format), stream.begin([row]), stream.next('updated', row)];
      for (const text of shown) expect(text).to.not.match(STEERS);
    });

  it('keeps to one line, in aligned columns', () => {
    expect(formatRows([row, { ...row, description: 'plain' }], 'table', ['name', 'description']).split('\n')).to.have.length(4);
    expect(formatRow({ description: 'one\ntwo\tthree' }, 'table')).to.equal('description  one\\ntwo\\tthree\n');
    expect(
      table(
        ['A', 'B'],
        [
          ['\u0007', 'b'],
          ['a', 'b'],
        ],
      ),
    ).to.equal('A       B\n\\u0007  b\na       b\n');
  });

  it('is read back unchanged from JSON and YAML', () => {
    expect(JSON.parse(asJson([row], 2))).to.deep.equal([row]);
    expect(parse(asYaml([row]))).to.deep.equal([row]);
  });

  it('leaves text in any script, tabs and ends of lines as they are', () => {
    const text = 'Köln 東京 שלום 👩‍💻\tx\r\ny\n';
    expect(printable(text)).to.equal(text);
    expect(onOneLine('a\r\nb\tc')).to.equal('a\\r\\nb\\tc');
    expect(asYaml({ text: 'one\ntwo\n' })).to.equal('text: |\n  one\n  two\n');
  });
});
