/** A server of one of two releases, which says `key`, `row` for each row that it migrates, and `listening`; see crates.ts. */
import { writeSync } from 'node:fs';
import { nodeEnvironment } from '@pileus/core/node';
import { compose, createLogger, parseConfig } from '../../src/index.ts';
import { crates, type Release, Yard } from './crates.ts';

export interface Serving {
  readonly release: Release;
  readonly directory: string;
  readonly yard: string;
  readonly store: string | undefined;
  readonly port: number;
  /** How long the migration of a row takes. */
  readonly migrationMs: number;
}

const { release, directory, yard, store, port, migrationMs } = JSON.parse(process.argv[2] ?? '') as Serving;
const say = (line: string) => writeSync(1, `${line}\n`);
const migrating = () => {
  say('row');
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, migrationMs);
};
const plugin = crates(release, new Yard(yard, release === 'last'), migrating);
const plane = await compose({
  config: parseConfig({ dataDir: '.', listen: { port }, ...(store === undefined ? {} : { store }) }),
  directory,
  environment: nodeEnvironment({ logger: createLogger('silent') }),
  plugins: [],
  modules: () => () => [plugin],
});
if (plane.newRootKey !== undefined) say(`key ${plane.newRootKey}`);
say(`listening ${plane.address}`);
