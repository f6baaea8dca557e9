import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { attempt } from './command.ts';
import { initPid, startEnclosure } from './enclosure.ts';
import { socketPathOf } from './libvirtd-config.ts';
import { exists } from './packages.ts';
import { childrenOf, isStopped, processName } from './processes.ts';

const INIT = fileURLToPath(new URL('libvirtd-init.sh', import.meta.url));
const START_DEADLINE_MS = 90_000;
const THAW_DEADLINE_MS = 45_000;
const PAUSE_MS = 20;
/** One that crashed is started again at once; one that is not there for so long stays away. */
const GONE_MS = 2_000;
/** What the kernel does at once, on however busy a machine. */
const SIGNALLED_MS = 60_000;

export interface LibvirtdPlace {
  readonly rootDir: string;
  /** A host of its own: host name and network namespace. Absent: this machine's. */
  readonly host?: { readonly name: string; readonly netns: string; readonly cgroup?: string };
}

/** Starts libvirtd in mount and process namespaces of its own, and returns when it answers. It outlives this process. */
export async function startLibvirtd(place: LibvirtdPlace): Promise<void> {
  const { host, rootDir } = place;
  const cgroup = host?.cgroup === undefined ? [] : [host.cgroup];
  await rm(downFile(rootDir), { force: true });
  await startEnclosure(place, INIT, host === undefined ? [] : [host.name, ...cgroup]);
  await untilLibvirtdAnswers(rootDir);
}

/** Waits until a connection can be opened, which is later than the socket's appearance. @throws Error when libvirtd ends before */
export async function untilLibvirtdAnswers(rootDir: string, withinMs = START_DEADLINE_MS): Promise<void> {
  const deadline = performance.now() + withinMs;
  let hasRun = false;
  let goneMs: number | undefined;
  while (!(await libvirtdAnswers(socketPathOf(rootDir), withinMs))) {
    const nowMs = performance.now();
    const runs = (await daemonPid(rootDir)) !== undefined;
    if (runs) goneMs = undefined;
    else if (hasRun) goneMs ??= nowMs;
    if (nowMs > deadline || (goneMs !== undefined && nowMs - goneMs > GONE_MS)) {
      throw new Error(`libvirtd ${runs ? 'does not answer' : 'has ended'}; its words: ${await lastWords(rootDir)}`);
    }
    hasRun ||= runs;
    await sleep(PAUSE_MS);
  }
}

/** False also when nothing is said in time. */
export async function libvirtdAnswers(socketPath: string, timeoutMs = START_DEADLINE_MS): Promise<boolean> {
  if (!(await exists(socketPath))) return false;
  return attempt(['virsh', '--quiet', '--connect', `qemu:///system?socket=${socketPath}`, 'uri'], { timeoutMs }).then(
    ({ exitCode }) => exitCode === 0,
    () => false,
  );
}

/** The libvirtd process itself, not what it started; undefined when it was killed. */
export async function daemonPid(rootDir: string): Promise<number | undefined> {
  const init = await initPid(rootDir);
  if (init === undefined) return undefined;
  for (const pid of await childrenOf(init)) if ((await processName(pid)) === 'libvirtd') return pid;
  return undefined;
}

/** SIGKILL to libvirtd alone: its guests run on. It stays away until `resumeLibvirtd`, also where it was being started again after a crash. */
export async function killLibvirtd(rootDir: string): Promise<void> {
  await writeFile(downFile(rootDir), '');
  await untilSignalled(rootDir, 'does not end', async (pid) => {
    if (pid !== undefined) send(pid, 'SIGKILL');
    return pid === undefined;
  });
}

/** Starts a libvirtd that was killed, and returns when it answers. */
export async function resumeLibvirtd(rootDir: string): Promise<void> {
  const init = await initPid(rootDir);
  if (init === undefined) throw new Error(`nothing runs in ${rootDir}`);
  await rm(downFile(rootDir), { force: true });
  process.kill(init, 'SIGUSR1');
  await untilLibvirtdAnswers(rootDir);
}

/** Stops libvirtd in its tracks: connections stay open and nothing answers. Returns when none of its threads runs any more, which is not as soon as the signal is sent. */
export async function freezeLibvirtd(rootDir: string): Promise<void> {
  await untilSignalled(rootDir, 'does not stop', async (pid) => {
    if (pid === undefined) return false;
    send(pid, 'SIGSTOP');
    return (await isStopped(pid)) && (await daemonPid(rootDir)) === pid;
  });
}

/** Returns when it answers: one that was thawed may crash, and is started again; one that hangs is killed and started again here. */
export async function thawLibvirtd(rootDir: string): Promise<void> {
  const pid = await daemonPid(rootDir);
  if (pid !== undefined) send(pid, 'SIGCONT');
  await untilLibvirtdAnswers(rootDir, THAW_DEADLINE_MS).catch(async (error: Error) => {
    process.stderr.write(`${error.message}\nIt is killed and started again.\n`);
    await killLibvirtd(rootDir);
    await resumeLibvirtd(rootDir);
  });
}

/** Asks again and again what has become of libvirtd, which may crash and be started again meanwhile. */
async function untilSignalled(rootDir: string, failure: string, ask: (pid: number | undefined) => Promise<boolean>): Promise<void> {
  for (const deadline = performance.now() + SIGNALLED_MS; !(await ask(await daemonPid(rootDir))); await sleep(5)) {
    if (performance.now() > deadline) throw new Error(`libvirtd in ${rootDir} ${failure}; its words: ${await lastWords(rootDir)}`);
  }
}

/** One that has ended meanwhile needs no signal. */
function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function downFile(rootDir: string): string {
  return join(rootDir, 'down');
}

async function lastWords(rootDir: string): Promise<string> {
  return (await readFile(join(rootDir, 'log/libvirtd.out'), 'utf8').catch(() => 'none')).trim().slice(-1000);
}
