/**
 * Has sockets made in the namespace of a network, or starts a child as an agent does; says the process id of who does that for it, and hears nothing any more:
 * not even what comes over the channel.
 */
import { readFileSync, writeSync } from 'node:fs';
import { nodeEnvironment } from '@pileus/core/environment';
import { socketsIn, type Wanted } from '../../src/agent/services/sockets.ts';
import { Supervisor } from '../../src/agent/supervisor.ts';

/** Of the one or the other. */
export interface Abandoned {
  readonly networkId?: string;
  readonly wanted?: readonly Wanted[];
  readonly directory?: string;
  readonly args?: readonly string[];
}

const { networkId = '', wanted, directory = '', args = [] } = JSON.parse(process.argv[2] ?? '{}') as Abandoned;
if (wanted !== undefined) void socketsIn(networkId, wanted);
else
  new Supervisor({ directory, environment: nodeEnvironment() }).add({
    name: 'abandoned',
    command: process.execPath,
    args: [...process.execArgv, ...args],
  });
writeSync(1, readFileSync(`/proc/self/task/${process.pid}/children`));
Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
