import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CommandOptions, CommandResult } from '../../tools/system/command.ts';
import { initPid, killEnclosure, runEnclosed, startPlainEnclosure } from '../../tools/system/enclosure.ts';
import { socketPathOf, writeLibvirtdRoot } from '../../tools/system/libvirtd-config.ts';
import { freezeLibvirtd, killLibvirtd, resumeLibvirtd, startLibvirtd, thawLibvirtd } from '../../tools/system/libvirtd-process.ts';
import type { OvsHost } from '../../tools/system/ovs-host.ts';
import { CLIENT_NAME, installHostCertificate } from './certificates.ts';
import { CGROUP_CONTROLLERS, makeCgroups, removeCgroups } from './cgroups.ts';
import { hostNetns, managementAddress, plugHost, setManagementLink, unplugHost } from './fabric.ts';
import { bootSwitch, removeMachines, setTunnelLink, switchOf } from './ovn/host-switch.ts';

const HTTP_GET = fileURLToPath(new URL('http-get.ts', import.meta.url));

export interface HostPlace {
  readonly slot: number;
  readonly index: number;
  readonly labDir: string;
  readonly hostCount: number;
  readonly tls: boolean;
  readonly cgroups: boolean;
  readonly ovn: boolean;
  readonly libvirt: boolean;
}

/** One host of the lab: process, mount, network and host-name namespaces of its own, with a libvirtd in them, and Open vSwitch where the lab has OVN. */
export class LabHost {
  /** Host name, also the certificate's: `hv1` is the first. */
  readonly name: string;
  /** Absolute; its lib/images is the host's /var/lib/libvirt/images. */
  readonly rootDir: string;
  /** Of libvirtd, as seen from this machine. */
  readonly socketPath: string;
  readonly netns: string;
  /** Where libvirtd listens for TLS; there only if the lab was made with `tls`. */
  readonly tls: { readonly address: string; readonly port: number } | undefined;
  /** Where the other hosts' libvirtd reach this one without TLS, for migrations. */
  readonly address: string;
  readonly #place: HostPlace;
  readonly #switch: OvsHost | undefined;

  constructor(place: HostPlace) {
    this.#place = place;
    this.name = `hv${place.index + 1}`;
    this.rootDir = join(place.labDir, `h${place.index + 1}`);
    this.socketPath = socketPathOf(this.rootDir);
    this.netns = hostNetns(place.slot, place.index);
    this.address = managementAddress(place.slot, place.index);
    this.tls = place.tls ? { address: this.address, port: 16514 } : undefined;
    this.#switch = place.ovn ? switchOf(this, place) : undefined;
  }

  /** Its daemons: `database`, `vswitchd`, `controller`. There only if the lab was made with `ovn`. */
  get switch(): OvsHost {
    if (this.#switch === undefined) throw new Error('the lab has no OVN');
    return this.#switch;
  }

  /** Writes the host's folders and settings; once in its life. */
  async prepare(): Promise<void> {
    const { labDir, hostCount, tls, cgroups } = this.#place;
    const names = Array.from({ length: hostCount }, (_, index) => `CN=hv${index + 1}`);
    await writeLibvirtdRoot(this.rootDir, {
      hostUuid: randomUUID(),
      address: this.address,
      ...(tls ? { tlsClients: [`CN=${CLIENT_NAME}`, ...names] } : {}),
      ...(cgroups ? { cgroupControllers: CGROUP_CONTROLLERS } : {}),
    });
    if (tls) await installHostCertificate(join(labDir, 'pki'), this);
  }

  /** Power-on: empty /run, new network cards, libvirtd started and answering, then the switch. Disks and definitions are as they were. */
  async boot(): Promise<void> {
    const { slot, index, cgroups, libvirt } = this.#place;
    await rm(join(this.rootDir, 'run'), { recursive: true, force: true });
    await mkdir(join(this.rootDir, 'run'));
    await plugHost(slot, index);
    if (cgroups) await makeCgroups(this.netns);
    const place = { rootDir: this.rootDir, host: { name: this.name, netns: this.netns, ...(cgroups ? { cgroup: this.netns } : {}) } };
    await (libvirt ? startLibvirtd(place) : startPlainEnclosure(place));
    if (this.#switch !== undefined) await bootSwitch(this, this.#switch, this.#place);
  }

  /** Power loss: libvirtd, switch, guests, helpers and network end at once. Does nothing to a host that is off. */
  async crash(): Promise<void> {
    await killEnclosure(this.rootDir);
    await removeMachines(this);
    await unplugHost(this.#place.slot, this.#place.index);
  }

  /** SIGKILL to libvirtd alone: its guests run on, and it stays away until `startDaemon`. */
  async killDaemon(): Promise<void> {
    await this.#expectOn();
    await killLibvirtd(this.rootDir);
  }

  async startDaemon(): Promise<void> {
    await this.#expectOn();
    await resumeLibvirtd(this.rootDir);
  }

  /** Stops libvirtd in its tracks: connections stay open and nothing answers, until thaw. */
  async freeze(): Promise<void> {
    await this.#expectOn();
    await freezeLibvirtd(this.rootDir);
  }

  /** Returns when it answers: one that was thawed may crash, and is started again. */
  async thaw(): Promise<void> {
    await this.#expectOn();
    await thawLibvirtd(this.rootDir);
  }

  /** Cuts the management network. The unix socket, a file of this machine, still answers: partitions are for TLS connections. */
  async partition(): Promise<void> {
    await setManagementLink(this.#place.slot, this.#place.index, 'down');
  }

  async heal(): Promise<void> {
    await setManagementLink(this.#place.slot, this.#place.index, 'up');
  }

  /** Cuts the cable of the tunnels to the other hosts. */
  async partitionTunnels(): Promise<void> {
    await setTunnelLink(this.#place, 'down');
  }

  async healTunnels(): Promise<void> {
    await setTunnelLink(this.#place, 'up');
  }

  /** Process 1 of the host, by its number on this machine; undefined while the host is off. */
  pid(): Promise<number | undefined> {
    return initPid(this.rootDir);
  }

  /** Runs a program on the host: its network, its files, its processes. */
  async exec(argv: readonly [string, ...string[]], options?: CommandOptions): Promise<CommandResult> {
    return runEnclosed(this.rootDir, argv, options);
  }

  /** GETs a URL from where the host stands, so also from guests on its NAT networks. Rejects unless it answers 200. */
  async httpGet(url: string): Promise<string> {
    const result = await this.exec([process.execPath, HTTP_GET, url], { timeoutMs: 15_000 });
    if (result.exitCode !== 0) throw new Error(`GET ${url} from ${this.name}: ${result.stderr.trim()}`);
    return result.stdout;
  }

  /** Removes the control groups of a host that is off. */
  async removeCgroups(): Promise<void> {
    await removeCgroups(this.netns);
  }

  async #expectOn(): Promise<void> {
    if ((await this.pid()) === undefined) throw new Error(`host ${this.name} is off`);
  }
}
