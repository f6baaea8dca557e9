import { crashMatrix, type Scenario } from '@pileus/core/testing';
import { PostgresBackend } from './backend.ts';
import type { TestCluster } from './cluster.ts';
import type { Choices } from './matrix-choices.ts';

/** Plays scenarios on a server, several side by side, each on a store of its own: a history waits for the database for some of its time. */
export class MatrixPlays {
  readonly #cluster: TestCluster;
  readonly #choices: (scenario: Scenario) => Choices;
  readonly #idle: PostgresBackend[] = [];
  readonly #backends: PostgresBackend[] = [];
  readonly #playing = new Set<Promise<unknown>>();
  #stopped = false;

  constructor(cluster: TestCluster, choices: (scenario: Scenario) => Choices) {
    this.#cluster = cluster;
    this.#choices = choices;
  }

  /** How many histories of it were played. */
  async play(scenario: Scenario): Promise<number> {
    const playing = this.#play(scenario);
    const ended = playing.catch(() => undefined);
    this.#playing.add(ended);
    void ended.then(() => this.#playing.delete(ended));
    return playing;
  }

  /** What is under way ends with its next history. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#playing);
    for (const backend of this.#backends) await backend.close();
  }

  async #play(scenario: Scenario): Promise<number> {
    const backend = this.#idle.pop() ?? this.#another();
    const prepare: typeof scenario.prepare = async (options) => {
      if (this.#stopped) throw new Error('the tests have ended');
      await backend.empty();
      return scenario.prepare(options);
    };
    const { choose, chooseUndone } = this.#choices(scenario);
    try {
      return await crashMatrix({ ...scenario, prepare }, { backend }, choose, chooseUndone);
    } finally {
      this.#idle.push(backend);
    }
  }

  #another(): PostgresBackend {
    const backend = new PostgresBackend(this.#cluster);
    this.#backends.push(backend);
    return backend;
  }
}
