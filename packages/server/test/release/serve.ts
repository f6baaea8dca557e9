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
  /** The migration stays at the row of this number: it will be killed there. */
  readonly lastRow: number | undefined;
}

const { release, directory, yard, store, port, lastRow } = JSON.parse(process.argv[2] ?? '') as Serving;
const say = (line: string) => writeSync(1, `${line}\n`);
let rows = 0;
const migrating = () => {
  say('row');
  rows += 1;
  if (rows === lastRow) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
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
