import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { attempt } from './command.ts';
import { initPid, startEnclosure } from './enclosure.ts';
import { socketPathOf } from './libvirtd-config.ts';
import { exists } from './packages.ts';
import { childrenOf, processName } from './processes.ts';

const INIT = fileURLToPath(new URL('libvirtd-init.sh', import.meta.url));
const START_DEADLINE_MS = 90_000;
const PAUSE_MS = 20;
/** One that crashed is started again at once; one that is not there for so long stays away. */
const GONE_MS = 2_000;

export interface LibvirtdPlace {
  readonly rootDir: string;
  /** A host of its own: host name and network namespace. Absent: this machine's. */
  readonly host?: { readonly name: string; readonly netns: string; readonly cgroup?: string };
}

/** Starts libvirtd in mount and process namespaces of its own, and returns when it answers. It outlives this process. */
export async function startLibvirtd(place: LibvirtdPlace): Promise<void> {
  const { host, rootDir } = place;
  const cgroup = host?.cgroup === undefined ? [] : [host.cgroup];
  await startEnclosure(place, INIT, host === undefined ? [] : [host.name, ...cgroup]);
  await untilLibvirtdAnswers(rootDir);
}

/** Waits until a connection can be opened, which is later than the socket's appearance. @throws Error when libvirtd ends before */
export async function untilLibvirtdAnswers(rootDir: string): Promise<void> {
  const deadline = performance.now() + START_DEADLINE_MS;
  let ranMs: number | undefined;
  while (!(await libvirtdAnswers(socketPathOf(rootDir)))) {
    const nowMs = performance.now();
    const runs = (await daemonPid(rootDir)) !== undefined;
    if (nowMs > deadline || (!runs && ranMs !== undefined && nowMs - ranMs > GONE_MS)) {
      throw new Error(`libvirtd ${runs ? 'does not answer' : 'has ended'}; its words: ${await lastWords(rootDir)}`);
    }
    if (runs) ranMs = nowMs;
    await sleep(PAUSE_MS);
  }
}

export async function libvirtdAnswers(socketPath: string): Promise<boolean> {
  if (!(await exists(socketPath))) return false;
  const probe = await attempt(['virsh', '--quiet', '--connect', `qemu:///system?socket=${socketPath}`, 'uri'], {
    timeoutMs: START_DEADLINE_MS,
  });
  return probe.exitCode === 0;
}

/** The libvirtd process itself, not what it started; undefined when it was killed. */
export async function daemonPid(rootDir: string): Promise<number | undefined> {
  const init = await initPid(rootDir);
  if (init === undefined) return undefined;
  for (const pid of await childrenOf(init)) if ((await processName(pid)) === 'libvirtd') return pid;
  return undefined;
}

async function lastWords(rootDir: string): Promise<string> {
  return (await readFile(join(rootDir, 'log/libvirtd.out'), 'utf8').catch(() => 'none')).trim().slice(-1000);
}
