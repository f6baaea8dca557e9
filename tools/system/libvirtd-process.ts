import { spawn } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { attempt } from './command.ts';
import { socketPathOf } from './libvirtd-config.ts';
import { exists } from './packages.ts';
import { childrenOf, processName } from './processes.ts';

const INIT = fileURLToPath(new URL('libvirtd-init.sh', import.meta.url));
const START_DEADLINE_MS = 90_000;

export interface LibvirtdPlace {
  readonly rootDir: string;
  /** A host of its own: host name and network namespace. Absent: this machine's. */
  readonly host?: { readonly name: string; readonly netns: string; readonly cgroup?: string };
}

/** Starts libvirtd in mount and process namespaces of its own, and returns when it answers. It outlives this process. */
export async function startLibvirtd(place: LibvirtdPlace): Promise<void> {
  const { host, rootDir } = place;
  const enter = host === undefined ? [] : ['nsenter', `--net=/run/netns/${host.netns}`];
  const unshare = ['unshare', '--mount', '--pid', '--fork', '--kill-child=KILL', ...(host === undefined ? [] : ['--uts', '--ipc'])];
  const init = ['sh', INIT, rootDir, ...(host === undefined ? [] : [host.name, ...(host.cgroup === undefined ? [] : [host.cgroup])])];
  const [file = 'unshare', ...args] = [...enter, ...unshare, ...init];
  const child = spawn(file, args, { detached: true, stdio: 'ignore' });
  child.unref();
  if (child.pid === undefined) throw new Error(`${file} cannot be started`);
  await writeFile(pidFile(rootDir), String(child.pid));
  await untilLibvirtdAnswers(rootDir);
}

/** Waits until a connection can be opened, which is later than the socket's appearance. @throws Error when libvirtd ends before */
export async function untilLibvirtdAnswers(rootDir: string): Promise<void> {
  const deadline = performance.now() + START_DEADLINE_MS;
  let began = false;
  while (!(await libvirtdAnswers(socketPathOf(rootDir)))) {
    const runs = (await daemonPid(rootDir)) !== undefined;
    if (performance.now() > deadline || (began && !runs)) {
      throw new Error(`libvirtd ${runs ? 'does not answer' : 'has ended'}; its words: ${await lastWords(rootDir)}`);
    }
    began ||= runs;
    await sleep(20);
  }
}

export async function libvirtdAnswers(socketPath: string): Promise<boolean> {
  if (!(await exists(socketPath))) return false;
  const probe = await attempt(['virsh', '--quiet', '--connect', `qemu:///system?socket=${socketPath}`, 'uri'], {
    timeoutMs: START_DEADLINE_MS,
  });
  return probe.exitCode === 0;
}

/** Process 1 of the namespace, by its number here; undefined when it does not run. */
export async function initPid(rootDir: string): Promise<number | undefined> {
  const outer = Number(await readFile(pidFile(rootDir), 'utf8').catch(() => 'NaN'));
  if (!Number.isInteger(outer) || !(await isOurs(outer, rootDir))) return undefined;
  return (await childrenOf(outer))[0];
}

/** The libvirtd process itself, not what it started; undefined when it was killed. */
export async function daemonPid(rootDir: string): Promise<number | undefined> {
  const init = await initPid(rootDir);
  if (init === undefined) return undefined;
  for (const pid of await childrenOf(init)) if ((await processName(pid)) === 'libvirtd') return pid;
  return undefined;
}

/** SIGKILL to process 1: the kernel takes libvirtd, every guest and every helper with it. Returns when all of them are gone. */
export async function killLibvirtdNamespace(rootDir: string): Promise<void> {
  const init = await initPid(rootDir);
  if (init !== undefined) {
    process.kill(init, 'SIGKILL');
    while (await exists(`/proc/${init}`)) await sleep(2);
  }
  await rm(pidFile(rootDir), { force: true });
}

/** Process numbers are used again; the command line tells whether this one is still the one that we started. */
async function isOurs(pid: number, rootDir: string): Promise<boolean> {
  const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
  return words.includes(INIT) && words.includes(rootDir);
}

function pidFile(rootDir: string): string {
  return join(rootDir, 'outer.pid');
}

async function lastWords(rootDir: string): Promise<string> {
  return (await readFile(join(rootDir, 'log/libvirtd.out'), 'utf8').catch(() => 'none')).trim().slice(-1000);
}
