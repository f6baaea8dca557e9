import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Identity } from '@pileus/core/node';
import { AgentProcess } from '../../../packages/server/test/agent/agent-process.ts';
import { enterEnclosure } from '../../../tools/system/enclosure.ts';
import type { LabHost } from '../../lab/host.ts';

const MAIN = fileURLToPath(new URL('../../../packages/server/src/agent/main.ts', import.meta.url));
const OWN_NAMESPACES = fileURLToPath(new URL('../../lab/ovn/own-namespaces.sh', import.meta.url));

/** The agent of a host, on it. */
export async function agentOn(host: LabHost, controller: Identity): Promise<AgentProcess> {
  const init = await host.pid();
  if (init === undefined) throw new Error(`${host.name} is off`);
  const within = [...enterEnclosure(init), 'unshare', '--mount', 'sh', OWN_NAMESPACES];
  return AgentProcess.start({ program: MAIN, host: host.address, within, controller });
}

/** The network namespaces that there are by an agent on a host, by name. */
export async function namespacesOf({ pid }: AgentProcess): Promise<readonly string[]> {
  // Who enters the processes of a host waits for the one that it began there.
  const [child] = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).split(' ');
  return readdir(`/proc/${child}/root/run/netns`);
}
