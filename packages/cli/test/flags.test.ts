import type { Schema } from '@pileus/sdk/document';
import { expect } from 'chai';
import { Command } from 'commander';
import { UsageError } from '../src/exit.ts';
import { InputFlags } from '../src/flags.ts';
import { age, size } from '../src/format.ts';
import { takeGlobals } from '../src/globals.ts';
import { distance } from '../src/near.ts';
import { parseBytes } from '../src/values.ts';

/** The input that arguments make under a schema. */
async function inputOf(schema: Schema, args: readonly string[], taken: readonly string[] = []): Promise<Record<string, unknown>> {
  const flags = new InputFlags(schema, [], taken);
  const command = new Command().exitOverride().configureOutput({ writeErr: () => {} });
  flags.declare(command);
  command.parse([...args], { from: 'user' });
  return await flags.read(command.opts(), {}, async (kind, named) => `${kind}:${named}`);
}
const object = (properties: Readonly<Record<string, Schema>>): Schema => ({ type: 'object', properties });

function refusalOf(act: () => unknown): UsageError {
  try {
    act();
  } catch (error) {
    if (error instanceof UsageError) return error;
    throw error;
  }
  throw new Error('it was taken');
}

describe('cli: flags', () => {
  it('take anything as JSON where anything goes, and as text where it is none', async () => {
    const schema = object({ value: { description: 'Of a setting.' } });
    const of = async (text: string) => (await inputOf(schema, ['--value', text])).value;
    expect(await of('[9100, 8443]')).to.deep.equal([9100, 8443]);
    expect(await of('{"a": true}')).to.deep.equal({ a: true });
    expect([await of('5'), await of('false'), await of('"5"'), await of('keep'), await of('1.5 GiB')]).to.deep.equal([
      ...[5, false, '5', 'keep', '1.5 GiB'],
    ]);
  });

  it('reads sizes with binary and decimal units', () => {
    const sizes = {
      '4096': 4096,
      '1k': 1024,
      '1.5GiB': 1.5 * 1024 ** 3,
      '20 GB': 20e9,
      '2T': 2 * 1024 ** 4,
      '1KB': 1000,
      '5PiB': 5 * 1024 ** 5,
      '3pb': 3e15,
    };
    for (const [text, bytes] of Object.entries(sizes)) expect(parseBytes(text, '--size'), text).to.equal(bytes);
    for (const text of ['', 'big', '1XB', '-1', '1e3'])
      expect(() => parseBytes(text, '--size'), text).to.throw(UsageError, 'is not a size');
    for (const text of ['99999TiB', '8PiB', '1EiB', '9007199254740992']) {
      const refusal = refusalOf(() => parseBytes(text, '--size'));
      expect(refusal.message).to.equal(`--size: ${JSON.stringify(text)} is too much.`);
      expect(refusal.advice).to.equal('A size is less than 8PiB: 9007199254740991 bytes at most.');
    }
    expect(parseBytes('9007199254740991', '--size')).to.equal(Number.MAX_SAFE_INTEGER);
  });

  it('gives way to flags of the command and to full names of other fields', async () => {
    const schema = object({
      key: { type: 'string' },
      sizeBytes: { type: 'integer' },
      size: { type: 'string' },
      hostId: { type: 'string' },
    });
    expect(await inputOf(schema, ['--field-key', 'a', '--size', 'xl', '--size-bytes', '1k', '--host', 'h'], ['key'])).to.deep.equal({
      key: 'a',
      size: 'xl',
      sizeBytes: 1024,
      hostId: 'h',
    });
  });

  it('names one of several as one would', async () => {
    const texts: Schema = { type: 'array', items: { type: 'string' } };
    const schema = object({ addresses: texts, cidrs: texts });
    expect(await inputOf(schema, ['--address', 'a', '--address', 'b', '--cidr', 'c'])).to.deep.equal({
      addresses: ['a', 'b'],
      cidrs: ['c'],
    });
  });

  it('keeps two fields apart whose short names are the same', async () => {
    const id: Schema = { type: 'string', format: 'uuid', 'x-ref': { kind: 'host' } };
    const schema = object({ hostId: id, hostIds: { type: 'array', items: id } });
    expect(await inputOf(schema, ['--host', 'a', '--host-ids', 'b', '--host-ids', 'c'])).to.deep.equal({
      hostId: 'host:a',
      hostIds: ['host:b', 'host:c'],
    });
  });

  it('reads pairs into objects, in lists too, with names in place of ids and units', async () => {
    const nic = object({
      networkId: { type: 'string', 'x-ref': { kind: 'network' } },
      rateBytes: { type: 'integer' },
      up: { type: 'boolean' },
    });
    const schema = object({ nics: { type: 'array', items: nic }, start: { type: 'boolean' } });
    expect(await inputOf(schema, ['--nic', 'network=lan,rate=1M,up=true', '--nics', '{"networkId":"x"}', '--no-start'])).to.deep.equal({
      nics: [{ networkId: 'network:lan', rateBytes: 1024 ** 2, up: true }, { networkId: 'x' }],
      start: false,
    });
    expect(await inputOf(schema, ['--nics', '[{"up":true},{"up":false}]'])).to.deep.equal({ nics: [{ up: true }, { up: false }] });
  });

  it('reads pairs into objects whose fields may have any names', async () => {
    const schema = object({ settings: { type: 'object', patternProperties: { '^.*$': { type: 'string' } } } });
    expect(await inputOf(schema, ['--settings', 'path=/x,colour=red=blue'])).to.deep.equal({
      settings: { path: '/x', colour: 'red=blue' },
    });
    const refused = await inputOf(schema, ['--settings', '/x']).catch((error) => error);
    expect([refused.message, refused.advice]).to.deep.equal([
      '--settings: "/x" is not of the form field=value.',
      'It takes JSON, or name=value pairs with commas between.',
    ]);
  });

  it('puts together what a flag of pairs is given several times', async () => {
    const text: Schema = { type: 'string' };
    const schema = object({ tags: { type: 'object', patternProperties: { '^.*$': text } }, disk: object({ pool: text, class: text }) });
    const args = [
      '--tags',
      'env=prod',
      '--tags',
      'team=blue,env=test',
      '--tags',
      '{"on": "call"}',
      '--disk',
      'pool=a',
      '--disk',
      'class=b',
    ];
    expect(await inputOf(schema, args)).to.deep.equal({ tags: { env: 'test', team: 'blue', on: 'call' }, disk: { pool: 'a', class: 'b' } });
  });

  it('takes sizes for the bounds of something, and for what flows in a second, too', async () => {
    const schema = object({ memoryBytes: { type: 'integer' }, memoryBytesMax: { type: 'integer' }, bytesPerSecond: { type: 'integer' } });
    expect(await inputOf(schema, ['--memory', '1k', '--memory-max', '2k', '--bytes-per-second', '100MB'])).to.deep.equal({
      memoryBytes: 1024,
      memoryBytesMax: 2048,
      bytesPerSecond: 100e6,
    });
  });

  it('takes one of a few numbers as a number, and names them all', async () => {
    const schema = object({ family: { anyOf: [{ const: 4 }, { const: 6 }] }, level: { enum: [1, 2] }, word: { enum: ['1', '2'] } });
    expect(await inputOf(schema, ['--family', '6', '--level', '2', '--word', '2'])).to.deep.equal({ family: 6, level: 2, word: '2' });
    const command = new Command();
    new InputFlags(schema).declare(command);
    expect(command.helpInformation()).to.include('--family <4|6>').and.include('--level <1|2>');
    const silent = new Command().exitOverride().configureOutput({ writeErr: () => {} });
    new InputFlags(schema).declare(silent);
    expect(() => silent.parse(['--family', '5'], { from: 'user' })).to.throw('Allowed choices are 4, 6');
  });

  it('clears what can be cleared by null, as JSON has it, but for texts', async () => {
    const nothing: Schema = { type: 'null' };
    const schema = object({
      healthCheck: { anyOf: [object({ failures: { type: 'integer' } }), nothing] },
      routes: { anyOf: [{ type: 'array', items: object({ to: { type: 'string' } }) }, nothing] },
      ports: { anyOf: [{ type: 'integer' }, nothing] },
      note: { anyOf: [{ type: 'string' }, nothing] },
      fixed: { type: 'array', items: { type: 'string' } },
    });
    const args = ['--health-check', 'null', '--routes', 'null', '--ports', 'null', '--note', 'null', '--fixed', 'null'];
    expect(await inputOf(schema, args)).to.deep.equal({ healthCheck: null, routes: null, ports: null, note: 'null', fixed: ['null'] });
  });

  it('takes @ for a file, but for an example of the field and @@ for a text', async () => {
    const schema = object({ schedule: { type: 'string', examples: ['30 2 * * *', '@daily'] } });
    const of = async (text: string) => (await inputOf(schema, ['--schedule', text])).schedule;
    expect([await of('@daily'), await of('@@daily'), await of('@@x')]).to.deep.equal(['@daily', '@daily', '@x']);
    const refused = await of('@sometimes').catch((error: unknown) => error);
    expect(String(refused)).to.include('--schedule: cannot read sometimes');
  });

  it('takes the global flags from wherever they stand, but not behind --', () => {
    expect(takeGlobals(['instances', '--url', 'u', 'get', '--key=k', 'x', '--', '--profile', 'p'])).to.deep.equal({
      words: ['instances', 'get', 'x', '--', '--profile', 'p'],
      choice: { url: 'u', key: 'k' },
    });
  });

  it('shows sizes and ages short', () => {
    expect([0, 1023, 1024, 1500, 1536, 70_000, 1536 * 1024 ** 2, 2 ** 53].map(size)).to.deep.equal([
      ...['0B', '1023B', '1KiB', '1500B', '1.5KiB', '68.4KiB', '1.5GiB', '8PiB'],
    ]);
    expect([0, 119_000, 120_000, 7_200_000, 172_800_000].map(age)).to.deep.equal(['0s', '119s', '2m', '2h', '2d']);
  });

  it('counts edits between words', () => {
    expect(distance('instanzes', 'instances')).to.equal(1);
    expect(distance('', 'abc')).to.equal(3);
    expect(distance('same', 'same')).to.equal(0);
  });
});
