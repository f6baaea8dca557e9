import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What libvirt is told that it may use. */
export const CGROUP_CONTROLLERS = ['cpu', 'cpuacct', 'memory'] as const;

const ROOT = '/sys/fs/cgroup';

/** Where groups of hosts are: in a tree for each controller (cgroup v1), or all in one (v2, as Debian 12 has it). */
export const CGROUP_FOLDERS: readonly string[] = [...CGROUP_CONTROLLERS.map((controller) => join(ROOT, controller)), ROOT];

/** Makes the control groups that a host sees as all there are, unless it has them already. libvirtd-init.sh puts the host into them. */
export async function makeCgroups(name: string): Promise<void> {
  const available = await readFile(join(ROOT, 'cgroup.controllers'), 'utf8').catch(() => undefined);
  if (available === undefined) {
    for (const controller of CGROUP_CONTROLLERS) await mkdir(join(ROOT, controller, name), { recursive: true });
    return;
  }
  // A group of the one tree either holds processes or passes controllers on: the host's own processes are in a leaf.
  await mkdir(join(ROOT, name, 'init'), { recursive: true });
  for (const folder of [ROOT, join(ROOT, name)]) await writeFile(join(folder, 'cgroup.subtree_control'), '+cpu +memory');
}

/** Removes the control groups of a host that is off. */
export async function removeCgroups(name: string): Promise<void> {
  for (const folder of CGROUP_FOLDERS) await remove(join(folder, name));
}

/** Groups are removed folder by folder, innermost first; their files are not files and cannot be removed. Absent is fine. */
async function remove(dir: string): Promise<void> {
  const entries = await readdir(dir, { withFileTypes: true }).catch(() => undefined);
  if (entries === undefined) return;
  for (const entry of entries) if (entry.isDirectory()) await remove(join(dir, entry.name));
  await rmdir(dir);
}
