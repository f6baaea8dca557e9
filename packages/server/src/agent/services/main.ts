/** Serves metadata and names to machines: a child of the agent, which ends with it. What it serves is on disk; it is told what has changed there. */
import { readFile } from 'node:fs/promises';
import { nodeEnvironment } from '@pileus/core/environment';
import { createLogger } from '../../logging.ts';
import { ServedFiles, type ServedSort } from './served.ts';
import { Services, systemResolvers } from './server.ts';

interface Told {
  readonly sort: ServedSort;
  readonly id: string;
}

const { directory, keyFile, upstreams, logLevel } = JSON.parse(process.argv[2] ?? '{}') as {
  readonly directory: string;
  readonly keyFile: string;
  readonly upstreams: readonly string[];
  readonly logLevel: string;
};
const end = () => process.exit(0);
process.once('disconnect', end);
process.once('SIGTERM', end);

const environment = nodeEnvironment({ logger: createLogger(logLevel) });
// What is told while the files are read is in them, or is read again.
const told: Told[] = [];
let services: Services | undefined;
process.on('message', (message: Told) => {
  if (services === undefined) told.push(message);
  else void services.changed(message.sort, message.id);
});
const files = await ServedFiles.open(directory);
services = new Services({
  files,
  environment,
  key: Buffer.from(await readFile(keyFile, 'utf8'), 'hex'),
  upstreams: upstreams.length > 0 ? upstreams : await systemResolvers(),
});
services.start();
for (const { sort, id } of told.splice(0)) await services.changed(sort, id);
