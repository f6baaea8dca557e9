import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { describeServer } from '../src/document/index.ts';
import { cloudSource } from '../src/generate/cloud-source.ts';
import { type Fixture, startFixture } from './fixture/server.ts';

const run = promisify(execFile);
const MAIN = fileURLToPath(new URL('../src/generate/main.ts', import.meta.url));
const NODE = fileURLToPath(new URL('../../../tools/node.sh', import.meta.url));

describe('sdk: generate', function () {
  this.timeout(300_000);
  let fixture: Fixture;
  let directory: string;
  before(async () => {
    fixture = await startFixture();
    directory = await mkdtemp(join(tmpdir(), 'pileus-generate-'));
  });
  after(async () => {
    await fixture.close();
    await rm(directory, { recursive: true });
  });
  const generate = (...args: string[]) =>
    run('sh', [NODE, MAIN, ...args]).catch((error: { code: number; stdout: string; stderr: string }) => error);

  it('types the kinds of a running server', async () => {
    const out = join(directory, 'types');
    const { stdout } = await generate('generate', fixture.url, '--key', fixture.apiKey, '-o', out, '--runtime', '../../../src/runtime.ts');
    expect(stdout).to.equal(`${join(out, 'cloud.ts')}\n`);
    const committed = await readFile(new URL('fixture/generated/cloud.ts', import.meta.url), 'utf8');
    expect(await readFile(join(out, 'cloud.ts'), 'utf8')).to.equal(committed);
  });

  it('says what it needs, and what is wrong', async () => {
    expect(await generate()).to.include({ code: 2 });
    const missing = await generate('generate', join(directory, 'absent.json'));
    expect(missing).to.include({ code: 1 });
    expect(missing.stderr).to.include('absent.json');
    const refused = await generate('generate', fixture.url, '--key', 'pil_wrong');
    expect(refused.stderr).to.match(/^pileus-sdk: /);
  });

  it('refuses a document that is not of a Pileus server', () => {
    for (const document of [null, {}, { openapi: '3.1.0', paths: {} }])
      expect(() => describeServer(document)).to.throw(TypeError, 'Pileus');
  });

  it('writes no any, and the same text each time', async () => {
    const document = await (
      await fetch(`${fixture.url}/v1/openapi.json`, { headers: { authorization: `Bearer ${fixture.apiKey}` } })
    ).json();
    const text = cloudSource(describeServer(document), '@pileus/sdk');
    expect(text).to.equal(cloudSource(describeServer(document), '@pileus/sdk'));
    expect(text).not.to.match(/\bany\b(?! )/);
    expect(text).to.include("from '@pileus/sdk';");
  });

  it('survives what it does not know: other paths, other schemas', () => {
    const page = { type: 'object', properties: { items: { type: 'array', items: { $ref: '#/components/schemas/Thing' } } } };
    const text = cloudSource(
      describeServer({
        openapi: '3.1.0',
        paths: {
          '/v1/things': { get: { operationId: 'things.list', responses: { 200: { content: { 'application/json': { schema: page } } } } } },
          '/v1/things/{idOrName}/odd-way': { trace: { operationId: 'things.trace' } },
          '/elsewhere': { get: {} },
        },
        components: {
          schemas: {
            Thing: {
              type: 'object',
              'x-pileus-kind': 'thing',
              'x-pileus-states': { here: ['deleted'], 'odd-state': [] },
              required: ['id'],
              properties: {
                id: { type: 'string' },
                state: { type: 'string' },
                'odd-name': { type: ['string', 'null'], description: 'Ends */ early.' },
                map: { type: 'object', additionalProperties: { type: 'number' } },
                both: { allOf: [{ type: 'string' }, { enum: ['a', "it's"] }] },
                list: { type: 'array', items: { anyOf: [{ type: 'string' }, { type: 'number' }] } },
                free: {},
              },
            },
          },
        },
      }),
      '@pileus/sdk',
    );
    for (const part of [
      "readonly 'odd-name'?: string | null;",
      'Ends *\\/ early.',
      'readonly map?: { readonly [key: string]: number };',
      "readonly both?: string & ('a' | 'it\\'s');",
      'readonly list?: readonly (string | number)[];',
      'readonly free?: unknown;',
      "'odd-state': [],",
    ])
      expect(text).to.include(part);
  });
});
