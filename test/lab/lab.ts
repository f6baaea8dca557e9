import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommandOptions, CommandResult } from '../../tools/system/command.ts';
import { type ClientCredentials, createAuthority } from './certificates.ts';
import { buildFabric, fabricNetns, removeFabric } from './fabric.ts';
import { LabHost } from './host.ts';
import { claimSlot, keepState, keptStates, labDir, lives, type Owner, releaseSlot, sweepDrafts, thisProcess } from './slots.ts';

export interface LabOptions {
  readonly hosts: number;
  /** Each libvirtd also listens with mutual TLS; `lab.client` is let in. */
  readonly tls?: boolean;
  /** Each host has control groups, which CPU shares and quotas need. */
  readonly cgroups?: boolean;
  /** The lab outlives the process that makes it, until down.ts. Else it may be swept once that process is gone. */
  readonly keep?: boolean;
}

interface LabState extends Required<LabOptions> {
  readonly slot: number;
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
  /** The control plane's certificate; there only with `tls`. */
  readonly client: ClientCredentials | undefined;
  readonly #state: LabState;
  readonly #dir: string;

  constructor(state: LabState) {
    this.#state = state;
    this.#dir = labDir(state.slot);
    this.name = fabricNetns(state.slot);
    this.sharedDir = join(this.#dir, 'shared');
    this.client = state.client;
    const { slot, tls, cgroups, hosts: hostCount } = state;
    const place = { slot, labDir: this.#dir, hostCount, tls, cgroups };
    this.hosts = Array.from({ length: hostCount }, (_, index) => new LabHost({ ...place, index }));
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
    // The slot goes last, and with it what says that there is something to remove.
    await removeFabric(this.#state.slot);
    await releaseSlot(this.#state.slot);
  }
}

/** Builds hosts and waits until every libvirtd answers. When it fails, what it made is gone again. */
export async function labUp(options: LabOptions): Promise<Lab> {
  await sweepAbandonedLabs();
  const owner = await thisProcess();
  const state = await claimSlot((slot): LabState => ({ tls: false, cgroups: false, keep: false, ...options, slot, owner }));
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
  const booting = lab.hosts.map(async (host) => {
    await host.prepare();
    await host.boot();
  });
  // All of them, also after one has failed: what is still starting cannot be taken down.
  await Promise.allSettled(booting);
  await Promise.all(booting);
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
