import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './command.ts';
import { initPid, killEnclosure } from './enclosure.ts';
import type { Log } from './ensure.ts';
import { type FirewallState, readFirewall, restoreFirewall } from './firewall.ts';
import { socketPathOf, writeLibvirtdRoot } from './libvirtd-config.ts';
import { libvirtdAnswers, startLibvirtd } from './libvirtd-process.ts';

const SYSTEM_SOCKET = '/run/libvirt/libvirt-sock';
const FORWARDING = '/proc/sys/net/ipv4/ip_forward';

export interface Libvirtd {
  readonly socketPath: string;
  /** False: the machine's own, which `stop` leaves alone. */
  readonly ours: boolean;
  /** The folder that guests of this libvirtd see as /var/lib/libvirt/images, by its path on this machine. */
  readonly imagesDir: string;
  /** Ends ours with all its guests, and takes back its networks, bridges and firewall rules. */
  stop(): Promise<void>;
}

/** How the machine was before our libvirtd first touched it. Kept in a file, so that it is still known after a kill -9. */
interface Before {
  readonly firewall: FirewallState;
  readonly forwarding: string;
}

/**
 * Answers the machine's libvirtd if one runs, else starts one in the network of this machine, with folders of its own below
 * `rootDir` (absolute, and short: unix sockets lie in it). One that an earlier, killed process started there is taken over.
 */
export async function startPrivateLibvirtd(options: { readonly rootDir: string; readonly log: Log }): Promise<Libvirtd> {
  if (await libvirtdAnswers(SYSTEM_SOCKET)) {
    return { socketPath: SYSTEM_SOCKET, ours: false, imagesDir: '/var/lib/libvirt/images', stop: async () => {} };
  }
  const { rootDir } = options;
  const socketPath = socketPathOf(rootDir);
  if ((await initPid(rootDir)) === undefined || !(await libvirtdAnswers(socketPath))) {
    options.log('Starting a libvirtd, since none runs');
    await killEnclosure(rootDir);
    await mkdir(rootDir, { recursive: true });
    await rememberBefore(rootDir);
    await writeLibvirtdRoot(rootDir, { hostUuid: await hostUuid(rootDir) });
    // run/ stays: what is in it lets libvirtd take back the networks of one that was killed.
    await startLibvirtd({ rootDir }).catch(async (cause) => {
      await takeDown(rootDir);
      throw cause;
    });
  }
  return { socketPath, ours: true, imagesDir: join(rootDir, 'lib/images'), stop: () => stop(rootDir) };
}

async function stop(rootDir: string): Promise<void> {
  const virsh = ['virsh', '--quiet', '--connect', `qemu:///system?socket=${socketPathOf(rootDir)}`] as const;
  if (await libvirtdAnswers(socketPathOf(rootDir))) {
    const networks = (await run([...virsh, 'net-list', '--name'])).split('\n').filter((name) => name.trim() !== '');
    for (const network of networks) await run([...virsh, 'net-destroy', network.trim()]);
  }
  await takeDown(rootDir);
}

async function takeDown(rootDir: string): Promise<void> {
  await killEnclosure(rootDir);
  const before = await readBefore(rootDir);
  if (before === undefined) return;
  await restoreFirewall(before.firewall);
  await writeFile(FORWARDING, before.forwarding);
  await rm(beforeFile(rootDir));
}

async function rememberBefore(rootDir: string): Promise<void> {
  if ((await readBefore(rootDir)) !== undefined) return;
  const before: Before = { firewall: await readFirewall(), forwarding: await readFile(FORWARDING, 'utf8') };
  await writeFile(beforeFile(rootDir), JSON.stringify(before));
}

async function readBefore(rootDir: string): Promise<Before | undefined> {
  const text = await readFile(beforeFile(rootDir), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as Before);
}

function beforeFile(rootDir: string): string {
  return join(rootDir, 'before.json');
}

/** The same in every life of this folder: it is the host that clients and definitions know. */
async function hostUuid(rootDir: string): Promise<string> {
  const path = join(rootDir, 'host-uuid');
  const known = await readFile(path, 'utf8').catch(() => undefined);
  if (known !== undefined) return known;
  const fresh = randomUUID();
  await writeFile(path, fresh);
  return fresh;
}
