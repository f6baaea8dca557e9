import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Answer, Fault, Order, Outcome, Place, SteppedNetwork } from './stepped-cloud.ts';

const CHILD = fileURLToPath(new URL('stepped-cloud.ts', import.meta.url));

/** The cloud in its child process, which may die at any step and is started again. */
export class Stepped {
  readonly #dir: string;
  readonly #network: SteppedNetwork | undefined;
  #child: ChildProcess | undefined;

  constructor(dir: string, network?: SteppedNetwork) {
    this.#dir = dir;
    this.#network = network;
  }

  /** Answers the ends of what the life before had left unfinished. */
  async start(): Promise<readonly string[]> {
    const execArgv = ['--disable-warning=ExperimentalWarning', '--conditions=@pileus/source'];
    this.#child = fork(CHILD, [this.#dir, ...(this.#network === undefined ? [] : [JSON.stringify(this.#network)])], { execArgv });
    const answer = await this.#answer();
    if (answer === undefined || !('started' in answer)) throw new Error('the cloud did not start');
    return answer.started;
  }

  /** The outcome, or undefined when the process was killed on the way. */
  async perform(order: Order): Promise<Outcome | undefined> {
    this.#child?.send(order);
    const answer = await this.#answer();
    if (answer !== undefined && 'refused' in answer) throw new Error(`${order.action} was refused: ${answer.refused}`);
    return answer !== undefined && 'outcome' in answer ? answer.outcome : undefined;
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  async #answer(): Promise<Answer | undefined> {
    const child = this.#child;
    if (child === undefined) throw new Error('the cloud is not up');
    const { promise, resolve } = Promise.withResolvers<Answer | undefined>();
    const onMessage = (message: unknown) => resolve(message as Answer);
    const onExit = () => resolve(undefined);
    child.once('message', onMessage);
    child.once('exit', onExit);
    const answer = await promise;
    child.off('message', onMessage);
    child.off('exit', onExit);
    return answer;
  }

  /** Performs until the end, through the death of the process. Answers whether it succeeded. */
  async toTheEnd(order: Order): Promise<boolean> {
    const end = await this.end(order);
    return end === undefined || end === 'succeeded';
  }

  /** How it ended, through the death of the process. Undefined: it was killed after its last write, and nothing was left to finish. */
  async end(order: Order): Promise<string | undefined> {
    const outcome = await this.perform(order);
    if (outcome !== undefined) return outcome.state;
    const [end] = await this.start();
    return end;
  }
}

/** Each step that was run fails and is killed, before and after. A write that was committed cannot fail any more. */
export const faultsOf = (places: readonly Place[]): readonly Fault[] => faultsIn('do', places);

/** The same of each step that was taken back. */
export const faultsBack = (places: readonly Place[]): readonly Fault[] => faultsIn('undo', places);

function faultsIn(way: Fault['phase'], places: readonly Place[]): readonly Fault[] {
  const paths = new Map(places.filter(({ phase }) => phase === way).map((place) => [place.path, place]));
  return [...paths.values()].flatMap(({ path, phase, type }) =>
    (['before', 'after'] as const).flatMap((when) =>
      (['fails', 'crashes'] as const).flatMap((how) =>
        type === 'write' && when === 'after' && how === 'fails' ? [] : { path, phase, when, how },
      ),
    ),
  );
}

export const titleOf = (verb: string, fault: Fault | undefined): string =>
  fault === undefined
    ? `${verb} undisturbed`
    : `${verb} that ${fault.how} ${fault.when} ${fault.phase === 'undo' ? 'undoing ' : ''}${fault.path}`;
