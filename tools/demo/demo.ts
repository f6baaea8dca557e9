import { type Cloud, connect } from '@pileus/sdk';
import type { Log } from '../system/ensure.ts';
import { findGround, type Ground } from './ground.ts';
import { Interrupts } from './interrupts.ts';
import { ovnGround } from './ovn-ground.ts';
import { showOvn } from './ovn-show.ts';
import { Place } from './place.ts';
import { Progress } from './progress.ts';
import { rbdGround } from './rbd-ground.ts';
import { showRbd } from './rbd-show.ts';
import { ServerProcess } from './server-process.ts';
import { type Shown, show } from './show.ts';
import { Stages } from './stages.ts';
import { deleteEverything } from './tidy.ts';

/** Ctrl-C, a polite end, and a terminal that was closed. */
const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** What is shown, and what it stands on. */
const SHOWS = {
  libvirt: { ground: findGround, show },
  ovn: { ground: ovnGround, show: showOvn },
  rbd: { ground: rbdGround, show: showRbd },
} as const;
type What = keyof typeof SHOWS;

/** What came of a run. */
interface Ended {
  readonly hypervisor: Ground['hypervisor'];
  /** The guest's own answer; undefined when it never came. */
  readonly guest: unknown;
  readonly ok: boolean;
  /** What is still there, one line each. */
  readonly residue: readonly string[];
}

/** Everything of one run: it is put up in order, and taken down in the other order whatever happens. */
export class Demo {
  readonly #log: Log;
  readonly #exit: boolean;
  readonly #what: What;
  readonly #interrupt = new AbortController();
  readonly #stages: Stages;
  readonly #progress: Progress;
  #server: ServerProcess | undefined;

  /** @param options `exit`: take everything down as soon as it was seen to work */
  constructor(options: { readonly exit: boolean; readonly what: What; readonly log: Log }) {
    this.#exit = options.exit;
    this.#what = options.what;
    this.#log = options.log;
    this.#stages = new Stages(options.log, this.#interrupt.signal);
    this.#progress = new Progress(options.log);
  }

  /** Answers the exit code. */
  async run(): Promise<number> {
    const stopListening = this.#onSignals();
    try {
      const place = await Place.claim();
      try {
        return this.#report(await this.#onGround(place));
      } finally {
        await place.release();
      }
    } catch (error) {
      this.#log(`The demo failed: ${describe(error)}`);
      return 1;
    } finally {
      stopListening();
    }
  }

  #report({ hypervisor, guest, ok, residue }: Ended): number {
    const timings = this.#stages.timingsMs;
    if (this.#exit) this.#log(JSON.stringify({ hypervisor, timings, guest: guest ?? null, residue: residue.length }));
    else if (residue.length === 0) this.#log('All of it is removed.');
    return ok && residue.length === 0 ? 0 : 1;
  }

  async #onGround(place: Place): Promise<Ended> {
    const ground = await this.#stages.run('system', 'What this machine needs to run guests', () =>
      SHOWS[this.#what].ground(place, this.#log),
    );
    let residue: readonly string[] | undefined;
    try {
      await this.#removeEarlier(place, ground);
      await ground.witness.begin();
      const shown = await this.#serve(place, ground);
      if (!shown.ok && !this.#interrupt.signal.aborted) this.#log(`The server's log is kept in ${await place.keepLog()}`);
      residue = await this.#lookForResidue(ground);
      if (residue.length === 0 || ground.hypervisor === 'simulated') await place.forgetCloud();
      return { ...shown, hypervisor: ground.hypervisor, residue };
    } finally {
      await ground.stop({ clean: residue?.length === 0 });
    }
  }

  /** The server is down and everything deleted when this ends, if that could be done. */
  async #serve(place: Place, ground: Ground): Promise<Pick<Ended, 'guest' | 'ok'>> {
    const cloud = await this.#stages.run('server', 'The server, on the embedded store', () => this.#startServer(place, ground));
    let guest: unknown;
    let ok = true;
    try {
      this.#progress.follow(cloud);
      const means = { cloud, ground, stages: this.#stages, progress: this.#progress, signal: this.#interrupt.signal, log: this.#log };
      const shown = await SHOWS[this.#what].show(means);
      guest = shown.guest;
      if (!this.#exit) await this.#untilInterrupted(shown);
    } catch (error) {
      ok = false;
      if (!this.#interrupt.signal.aborted) this.#log(`The demo failed: ${describe(error)}`);
    }
    try {
      await this.#stages.finish('delete', 'Deleting all of it', () => this.#deleteEverything(cloud));
    } catch (error) {
      ok = false;
      this.#log(`Not everything could be deleted: ${describe(error)}`);
    }
    await this.#progress.stop();
    await this.#server?.stop();
    return { guest, ok };
  }

  async #untilInterrupted({ haveALook }: Shown): Promise<void> {
    const { url = '', apiKey = '' } = this.#server ?? {};
    this.#log(`
The machine runs. Have a look, in another terminal:

  export PILEUS_URL=${url} PILEUS_KEY=${apiKey}
${haveALook.map((line) => `  ${line}`).join('\n')}

Ctrl-C removes all of it and ends.`);
    const { signal } = this.#interrupt;
    const interrupted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    const died = this.#server?.ended.then(() => {
      throw new Error('the server ended by itself');
    });
    await Promise.race([interrupted, died]);
  }

  async #lookForResidue({ witness }: Ground): Promise<readonly string[]> {
    const residue = await this.#stages.finish('check', `What is left of it, asked of ${witness.place}`, () => witness.residue());
    for (const thing of residue) this.#log(`Left behind: ${thing}`);
    return residue;
  }

  /** A demo that was killed left a cloud: its own server takes it down, since nothing else knows what is its. */
  async #removeEarlier(place: Place, ground: Ground): Promise<void> {
    if (!(await place.hasEarlierCloud())) return place.forgetCloud();
    this.#log('Removing what an earlier demo left');
    // A pretended world has gone with its server.
    if (ground.hypervisor !== 'simulated') {
      const cloud = await this.#startServer(place, ground);
      try {
        await this.#deleteEverything(cloud);
      } finally {
        await this.#server?.stop();
      }
    }
    await place.forgetCloud();
  }

  async #startServer(place: Place, { serverConfig }: Ground): Promise<Cloud> {
    this.#server = await ServerProcess.start({ dir: place.serverDir, config: serverConfig });
    await place.rememberServer(this.#server.pid);
    return this.#connect();
  }

  #connect(project?: string): Cloud {
    const { url = '', apiKey = '' } = this.#server ?? {};
    return connect({ url, apiKey, ...(project === undefined ? {} : { project }) });
  }

  #deleteEverything(cloud: Cloud): Promise<void> {
    return deleteEverything(cloud, (project) => this.#connect(project));
  }

  /** The first signal takes everything down. A second Ctrl-C ends at once, and the next run cleans up. */
  #onSignals(): () => void {
    const interrupts = new Interrupts();
    const onSignal = (signal: NodeJS.Signals) => {
      const meaning = interrupts.take(signal, performance.now());
      if (meaning === 'ignore') return;
      if (meaning === 'end-at-once') process.exit(130);
      this.#log('\nInterrupted. Ctrl-C again: end at once, leaving what is still there for the next run to remove');
      this.#interrupt.abort(new Error('interrupted'));
    };
    for (const signal of ENDING) process.on(signal, onSignal);
    return () => {
      for (const signal of ENDING) process.off(signal, onSignal);
    };
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message} (${describe(error.cause)})`;
}
