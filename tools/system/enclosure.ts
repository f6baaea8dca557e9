// An enclosure: processes with process and mount namespaces of their own below one first process, with which all of them end.
import { spawn } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { attempt, type CommandOptions, type CommandResult } from './command.ts';
import { exists } from './packages.ts';
import { childrenOf } from './processes.ts';

const PLAIN_INIT = fileURLToPath(new URL('enclosure-init.sh', import.meta.url));
const START_DEADLINE_MS = 90_000;
const GONE_DEADLINE_MS = 90_000;

export interface EnclosurePlace {
  /** Absolute; says whose the enclosure is. */
  readonly rootDir: string;
  /** A host of its own: host name and network namespace. Absent: this machine's. */
  readonly host?: { readonly name: string; readonly netns: string };
}

/** Starts process 1, `sh INIT rootDir ARGS`, which makes its surroundings. It outlives this process. */
export async function startEnclosure(place: EnclosurePlace, initPath: string, args: readonly string[]): Promise<void> {
  const { host, rootDir } = place;
  const enter = host === undefined ? [] : ['nsenter', `--net=/run/netns/${host.netns}`];
  const unshare = ['unshare', '--mount', '--pid', '--fork', '--kill-child=KILL', ...(host === undefined ? [] : ['--uts', '--ipc'])];
  const [file = 'unshare', ...rest] = [...enter, ...unshare, 'sh', initPath, rootDir, ...args];
  const child = spawn(file, rest, { detached: true, stdio: 'ignore' });
  child.unref();
  if (child.pid === undefined) throw new Error(`${file} cannot be started`);
  await writeFile(pidFile(rootDir), String(child.pid));
}

/** An enclosure with nothing in it yet. Returns when programs can be run there. */
export async function startPlainEnclosure(place: EnclosurePlace): Promise<void> {
  const { rootDir, host } = place;
  await rm(join(rootDir, 'up'), { force: true });
  await startEnclosure(place, PLAIN_INIT, host === undefined ? [] : [host.name]);
  for (const deadline = performance.now() + START_DEADLINE_MS; !(await exists(join(rootDir, 'up'))); await sleep(5)) {
    if (performance.now() > deadline) throw new Error(`the enclosure in ${rootDir} does not start`);
  }
}

/** Process 1 of the enclosure, by its number here; undefined when it does not run. */
export async function initPid(rootDir: string): Promise<number | undefined> {
  const outer = Number(await readFile(pidFile(rootDir), 'utf8').catch(() => 'NaN'));
  if (!Number.isInteger(outer) || !(await isOurs(outer, rootDir))) return undefined;
  return (await childrenOf(outer))[0];
}

/** SIGKILL to process 1: the kernel takes all others with it. Returns when all of them are gone. Absent is fine. */
export async function killEnclosure(rootDir: string): Promise<void> {
  const init = await initPid(rootDir);
  if (init !== undefined) {
    try {
      process.kill(init, 'SIGKILL');
    } catch (error) {
      // It has just ended by itself.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
    for (const deadline = performance.now() + GONE_DEADLINE_MS; await exists(`/proc/${init}`); await sleep(2)) {
      if (performance.now() > deadline) throw new Error(`the enclosure in ${rootDir}, process ${init}, does not end`);
    }
  }
  await rm(pidFile(rootDir), { force: true });
}

/** The words before a program's own that run it in the enclosure; in another network namespace than the enclosure's, if one is named. */
export function enterEnclosure(init: number, netns?: string): readonly [string, ...string[]] {
  const net = netns === undefined ? '--net' : `--net=/run/netns/${netns}`;
  return ['nsenter', '--target', String(init), '--mount', '--uts', '--ipc', net, '--pid', '--'];
}

export interface EnclosedOptions extends CommandOptions {
  /** Another network namespace than the enclosure's. */
  readonly netns?: string;
}

/** Runs a program in an enclosure. @throws Error when the enclosure does not run */
export async function runEnclosed(
  rootDir: string,
  argv: readonly [string, ...string[]],
  { netns, ...options }: EnclosedOptions = {},
): Promise<CommandResult> {
  const init = await initPid(rootDir);
  if (init === undefined) throw new Error(`nothing runs in ${rootDir}`);
  return attempt([...enterEnclosure(init, netns), ...argv], options);
}

/** Process numbers are used again; the command line tells whether this one is still the one that we started. */
async function isOurs(pid: number, rootDir: string): Promise<boolean> {
  const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
  return words.includes('sh') && words.includes(rootDir);
}

function pidFile(rootDir: string): string {
  return join(rootDir, 'outer.pid');
}
