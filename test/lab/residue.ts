import { readdir, readFile } from 'node:fs/promises';
import { allPids, processName } from '../../tools/system/processes.ts';
import { CGROUP_FOLDERS } from './cgroups.ts';
import { MARK } from './fabric.ts';

const LABS_PATH = '/tmp/pileus-lab/';

/**
 * What labs have left on this machine, one line a thing: namespaces, links, folders, control groups, and processes that
 * live in a lab's mounts. Empty after `down`. With a lab's name only what is that lab's, since others may be up.
 */
export async function residue(labName?: string): Promise<readonly string[]> {
  const slot = labName?.slice(MARK.length);
  const isTheirs = (name: string) =>
    labName === undefined ? name.startsWith(MARK) : name === labName || name === `${labName}m` || name.startsWith(`${labName}-`);
  // Of one lab: its folder, and what this process is removing. Others remove theirs meanwhile.
  const within = slot === undefined ? [LABS_PATH] : [`${LABS_PATH}${slot}/`, `${LABS_PATH}draft-${process.pid}-`];
  const found = await Promise.all([
    named('network namespace', '/run/netns', isTheirs),
    named('link', '/sys/class/net', isTheirs),
    ...CGROUP_FOLDERS.map((folder) => named('control group', folder, isTheirs)),
    named('folder', LABS_PATH, (name) => slot === undefined || name === slot),
    mounts(within),
    processes(within),
  ]);
  return found.flat();
}

/** When a process started, in the kernel's ticks since boot; '' when it does not run. */
export async function processStartTime(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The name in parentheses may hold anything; the start time is the 20th field after it.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

async function named(what: string, dir: string, match: (name: string) => boolean): Promise<readonly string[]> {
  const names = await readdir(dir).catch(() => []);
  return names.filter(match).map((name) => `${what} ${name}`);
}

async function mounts(within: readonly string[]): Promise<readonly string[]> {
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n');
  return lines.filter((line) => isWithin(line, within)).map((line) => `mount ${line}`);
}

/** Whether a line of mountinfo is of something in one of the folders, or mounted there. A lab in another root directory has other paths that end alike. */
function isWithin(line: string, within: readonly string[]): boolean {
  const [, , , root, mountPoint] = line.split(' ');
  return [root, mountPoint].some((path) => within.some((folder) => path?.startsWith(folder) === true));
}

/** A lab's processes see its folders mounted, whatever their command lines say. */
async function processes(within: readonly string[]): Promise<readonly string[]> {
  const found = await Promise.all(
    (await allPids()).map(async (pid) => {
      const seen = await readFile(`/proc/${pid}/mountinfo`, 'utf8').catch(() => '');
      return seen.split('\n').some((line) => isWithin(line, within)) ? [`process ${pid} ${await processName(pid)}`] : [];
    }),
  );
  return found.flat();
}
