#!/usr/bin/env node
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { describeServer } from '../document/index.ts';
import { connect } from '../index.ts';
import { cloudSource } from './cloud-source.ts';

const USAGE = `Types the kinds of any Pileus server.

Usage: pileus-sdk generate <url|file> [-o directory] [--key KEY] [--runtime MODULE]

  <url|file>           the server, or its saved /v1/openapi.json
  -o, --out DIRECTORY  where cloud.ts is written (default: src/generated)
  --key KEY            API key of the server (default: $PILEUS_KEY)
  --runtime MODULE     what the generated module imports (default: @pileus/sdk)
`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      out: { type: 'string', short: 'o', default: join('src', 'generated') },
      key: { type: 'string' },
      runtime: { type: 'string', default: '@pileus/sdk' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const [command, source, ...more] = positionals;
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  if (command !== 'generate' || source === undefined || more.length > 0) {
    process.stderr.write(USAGE);
    return 2;
  }
  const text = cloudSource(describeServer(await read(source, values.key ?? process.env.PILEUS_KEY)), values.runtime);
  await mkdir(values.out, { recursive: true });
  const file = join(values.out, 'cloud.ts');
  await writeFile(file, text);
  process.stdout.write(`${file}\n`);
  return 0;
}

async function read(source: string, apiKey: string | undefined): Promise<unknown> {
  if (!/^https?:/.test(source)) return JSON.parse(await readFile(source, 'utf8'));
  return await connect({ url: source.replace(/\/v1\/openapi\.json$/, ''), ...(apiKey === undefined ? {} : { apiKey }) }).document();
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`pileus-sdk: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
