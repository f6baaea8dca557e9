import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommandOptions, CommandResult } from '../../tools/system/command.ts';
import { type ClientCredentials, createAuthority } from './certificates.ts';
import { buildFabric, fabricAddress, fabricNetns, machineAddress, removeFabric } from './fabric.ts';
import { LabHost } from './host.ts';
import { LabOvn } from './ovn/central.ts';
import { claimSlot, keepState, keptStates, labDir, lives, type Owner, releaseSlot, sweepDrafts, thisProcess } from './slots.ts';

export interface LabOptions {
  readonly hosts: number;
  /** Each libvirtd also listens with mutual TLS; `lab.client` is let in. */
  readonly tls?: boolean;
  /** Each host has control groups, which CPU shares and quotas need. */
  readonly cgroups?: boolean;
  /** Each host also runs Open vSwitch and OVN's controller, and `lab.ovn` the rest of OVN with an external network. */
  readonly ovn?: boolean;
  /** False: hosts without libvirt, for `LabMachine`s. Default: true. */
  readonly libvirt?: boolean;
  /** The lab outlives the process that makes it, until down.ts. Else it may be swept once that process is gone. */
  readonly keep?: boolean;
  /** The slot that it takes if that is free, else the next one. Default: any. */
  readonly slot?: number;
}

interface LabState extends Required<LabOptions> {
  readonly owner: Owner;
  readonly client?: ClientCredentials;
}

/** Hosts that answer, on a management network that this machine is part of. */
export class Lab {
  /** Also the name of its fabric's network namespace, and what `residue` asks for. */
  readonly name: string;
  readonly hosts: readonly LabHost[];
  /** A folder that every host sees under the same path: shared storage. */
  readonly sharedDir: string;
  /** Where hosts reach what runs on this machine itself. */
  readonly address: string;
  /** Where hosts and this machine reach what runs in the fabric's namespace, which has the lab's name. */
  readonly fabricAddress: string;
  /** The control plane's certificate; there only with `tls`. */
  readonly client: ClientCredentials | undefined;
  readonly #ovn: LabOvn | undefined;
  readonly #state: LabState;
  readonly #dir: string;

  constructor(state: LabState) {
    this.#state = state;
    this.#dir = labDir(state.slot);
    this.name = fabricNetns(state.slot);
    this.address = machineAddress(state.slot);
    this.fabricAddress = fabricAddress(state.slot);
    this.sharedDir = join(this.#dir, 'shared');
    this.client = state.client;
    const { slot, tls, cgroups, ovn, libvirt, hosts: hostCount } = state;
    const place = { slot, labDir: this.#dir, hostCount, tls, cgroups, ovn, libvirt };
    this.#ovn = ovn ? new LabOvn(slot, this.#dir) : undefined;
    this.hosts = Array.from({ length: hostCount }, (_, index) => new LabHost({ ...place, index }));
  }

  /** There only if the lab was made with `ovn`. */
  get ovn(): LabOvn {
    if (this.#ovn === undefined) throw new Error('the lab has no OVN');
    return this.#ovn;
  }

  host(index: number): LabHost {
    const host = this.hosts[index];
    if (host === undefined) throw new RangeError(`the lab has ${this.hosts.length} hosts, counted from 0: there is no ${index}`);
    return host;
  }

  crash(index: number): Promise<void> {
    return this.host(index).crash();
  }

  boot(index: number): Promise<void> {
    return this.host(index).boot();
  }

  killDaemon(index: number): Promise<void> {
    return this.host(index).killDaemon();
  }

  startDaemon(index: number): Promise<void> {
    return this.host(index).startDaemon();
  }

  freeze(index: number): Promise<void> {
    return this.host(index).freeze();
  }

  thaw(index: number): Promise<void> {
    return this.host(index).thaw();
  }

  partition(index: number): Promise<void> {
    return this.host(index).partition();
  }

  heal(index: number): Promise<void> {
    return this.host(index).heal();
  }

  exec(index: number, argv: readonly [string, ...string[]], options?: CommandOptions): Promise<CommandResult> {
    return this.host(index).exec(argv, options);
  }

  /** Ends every host and removes all that the lab made. Works on a half-made lab, and again on one that is gone. */
  async down(): Promise<void> {
    await Promise.all(this.hosts.map((host) => host.crash()));
    if (this.#state.cgroups) for (const host of this.hosts) await host.removeCgroups();
    await this.#ovn?.down();
    // The slot goes last, and with it what says that there is something to remove.
    await removeFabric(this.#state.slot);
    await releaseSlot(this.#state.slot);
  }
}

const DEFAULTS = { tls: false, cgroups: false, ovn: false, libvirt: true, keep: false };

/** Builds hosts and waits until every libvirtd answers, and OVN knows them all. When it fails, what it made is gone again. */
export async function labUp(options: LabOptions): Promise<Lab> {
  await sweepAbandonedLabs();
  const owner = await thisProcess();
  const state = await claimSlot((slot): LabState => ({ ...DEFAULTS, ...options, slot, owner }), options.slot);
  const lab = new Lab(state);
  try {
    return await build(state);
  } catch (error) {
    await lab.down();
    throw error;
  }
}

async function build(state: LabState): Promise<Lab> {
  const dir = labDir(state.slot);
  await mkdir(join(dir, 'shared'), { recursive: true });
  await buildFabric(state.slot);
  const complete: LabState = state.tls ? { ...state, client: await createAuthority(join(dir, 'pki')) } : state;
  if (state.tls) await keepState(complete);
  const lab = new Lab(complete);
  if (state.ovn) await lab.ovn.start();
  const booting = lab.hosts.map(async (host) => {
    await host.prepare();
    await host.boot();
  });
  // All of them, also after one has failed: what is still starting cannot be taken down.
  await Promise.allSettled(booting);
  await Promise.all(booting);
  if (state.ovn) await lab.ovn.joined(lab.hosts);
  return lab;
}

/** The labs on this machine that no living test owns: kept ones (up.ts), and ones whose process was killed. */
export async function unownedLabs(): Promise<readonly { readonly lab: Lab; readonly kept: boolean }[]> {
  await sweepDrafts();
  const states = (await keptStates()).map((text) => JSON.parse(text) as LabState);
  const unowned = await Promise.all(states.map(async (state) => ((await lives(state.owner)) && !state.keep ? [] : [state])));
  return unowned.flat().map((state) => ({ lab: new Lab(state), kept: state.keep }));
}

async function sweepAbandonedLabs(): Promise<void> {
  for (const { lab, kept } of await unownedLabs()) if (!kept) await lab.down();
}
