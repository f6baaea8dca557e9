import type { Cloud } from '@pileus/sdk';
import type { Log } from '../system/ensure.ts';
import type { Ground } from './ground.ts';
import { askGuest, untilConsoleSays } from './guest-proof.ts';
import type { Progress } from './progress.ts';
import type { Stages } from './stages.ts';
import { type Toured, tour } from './tour.ts';

/** To the end of the line: a name may come in pieces. */
export const REAL_MARKER = /PILEUS-GUEST-READY \S+(?=\s)/;
const SIMULATED_MARKER = /\S+ has booted/;

/** What a show is made with. */
export interface Means {
  readonly cloud: Cloud;
  readonly ground: Ground;
  readonly stages: Stages;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  readonly log: Log;
}

export interface Shown {
  /** What the guest answered. */
  readonly guest: unknown;
  /** Commands to look around with. */
  readonly haveALook: readonly string[];
}

/** One machine, and the proof that its guest is there. */
export async function show(means: Means): Promise<Shown> {
  const { guest, haveALook } = await showMachine(means);
  return { guest, haveALook };
}

export async function showMachine({ cloud, ground, stages, progress, signal, log }: Means): Promise<Shown & { readonly toured: Toured }> {
  const toured = await tour(cloud, ground, stages, progress, signal);
  const { instance, nic } = toured;
  const marker = ground.hypervisor === 'simulated' ? SIMULATED_MARKER : REAL_MARKER;
  const said = await stages.run('console', 'Its serial console, until the guest says that it is there', () =>
    untilConsoleSays(cloud, instance.id, marker, signal),
  );
  log(`  console              ${said}`);
  const haveALook = [
    './pileus instances list',
    `./pileus instances get ${instance.name}`,
    './pileus operations list',
    `./pileus console ${instance.name}`,
  ];
  if (ground.hypervisor === 'simulated') return { guest: { console: said }, haveALook, toured };
  const guest = await stages.run('http', `http://${nic.address}/, answered by the guest`, () => askGuest(toured, signal));
  log(`  guest                ${JSON.stringify(guest)}`);
  return { guest, haveALook: [...haveALook, `curl http://${nic.address}/`], toured };
}
