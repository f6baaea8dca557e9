import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Scenario } from '@pileus/core/testing';
import { actionOf } from './matrix-choices.ts';
import type { Asked, Told } from './matrix-player.ts';

const PLAYER = fileURLToPath(new URL('matrix-player.ts', import.meta.url));

interface Waiting {
  readonly scenario: Scenario;
  readonly resolve: (played: number) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Processes that play matrices, each several at once. What is asked for is played in its order by whoever has nothing to do, all of one action by the same: he
 * knows what of it he has played.
 */
export class MatrixPlayers {
  readonly #sideBySide: number;
  readonly #children: ChildProcess[];
  readonly #waiting: Waiting[] = [];
  /** What each plays, by its name. */
  readonly #playing = new Map<ChildProcess, Map<string, Waiting>>();
  /** Who plays an action. */
  readonly #players = new Map<string, ChildProcess>();

  constructor({ processes, sideBySide }: { readonly processes: number; readonly sideBySide: number }) {
    this.#sideBySide = sideBySide;
    this.#children = Array.from({ length: processes }, () => this.#player());
  }

  /** How many histories were played. @throws Error that tells what was wrong with one of them */
  play(scenario: Scenario): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    // Whoever waits for it hears of it; nobody does where a test is left out.
    promise.catch(() => undefined);
    this.#waiting.push({ scenario, resolve, reject });
    for (const child of this.#playing.keys()) this.#feed(child);
    return promise;
  }

  async stop(): Promise<void> {
    this.#waiting.length = 0;
    await Promise.all(
      this.#children.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const ended = once(child, 'exit');
        child.disconnect();
        await ended;
      }),
    );
  }

  #player(): ChildProcess {
    const child = fork(PLAYER, { execArgv: process.execArgv });
    child.on('message', (message: 'ready' | Told) => {
      if (message === 'ready') this.#playing.set(child, new Map());
      else this.#told(child, message);
      this.#feed(child);
    });
    child.on('exit', (code, signal) => this.#lost(child, `the player of matrices ended with ${signal ?? code}`));
    return child;
  }

  #feed(child: ChildProcess): void {
    const playing = this.#playing.get(child);
    while (playing !== undefined && playing.size < this.#sideBySide) {
      const place = this.#waiting.findIndex(({ scenario }) => (this.#players.get(actionOf(scenario)) ?? child) === child);
      const [next] = place < 0 ? [] : this.#waiting.splice(place, 1);
      if (next === undefined) return;
      const { scenario } = next;
      this.#players.set(actionOf(scenario), child);
      playing.set(scenario.name, next);
      child.send({ scenario: scenario.name } satisfies Asked);
    }
  }

  #told(child: ChildProcess, told: Told): void {
    const waiting = this.#playing.get(child)?.get(told.scenario);
    this.#playing.get(child)?.delete(told.scenario);
    if ('played' in told) waiting?.resolve(told.played);
    else waiting?.reject(new Error(told.error));
  }

  /** All that is not played yet has failed, for nobody knows what of it was left to him. */
  #lost(child: ChildProcess, why: string): void {
    for (const { reject } of this.#playing.get(child)?.values() ?? []) reject(new Error(why));
    this.#playing.delete(child);
    for (const { reject } of this.#waiting.splice(0)) reject(new Error(why));
  }
}
