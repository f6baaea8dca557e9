import { readdir, readFile } from 'node:fs/promises';

export async function childrenOf(pid: number): Promise<readonly number[]> {
  const list = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  return list
    .split(' ')
    .filter((word) => word !== '')
    .map(Number);
}

/** The kernel's name of a process; undefined when there is no such process. */
export async function processName(pid: number): Promise<string | undefined> {
  return readFile(`/proc/${pid}/comm`, 'utf8').then(
    (name) => name.trim(),
    () => undefined,
  );
}

export async function allPids(): Promise<readonly number[]> {
  return (await readdir('/proc')).map(Number).filter(Number.isInteger);
}

/** Whether none of its threads runs any more, which is not as soon as it is sent SIGSTOP. */
export async function isStopped(pid: number): Promise<boolean> {
  const tasks = await readdir(`/proc/${pid}/task`).catch(() => []);
  const stats = await Promise.all(tasks.map((task) => readFile(`/proc/${pid}/task/${task}/stat`, 'utf8').catch(() => '')));
  // The name before it may have spaces; a thread that has just ended has none.
  const states = stats.flatMap((stat) => /.*\) (\S)/s.exec(stat)?.[1] ?? []);
  return states.length > 0 && states.every((state) => state === 'T');
}
