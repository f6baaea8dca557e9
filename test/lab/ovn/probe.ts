import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Command, Greeted, Greeting, ProbeCommands } from './probe-commands.ts';

const PROCESS = fileURLToPath(new URL('probe-process.ts', import.meta.url));

interface Waiting {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** A process that stands somewhere in the lab and sends and serves packets there. It ends with this one, or with the host that it is on. */
export class Probe {
  readonly name: string;
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  #asked = 0;

  private constructor(name: string, child: ChildProcess) {
    this.name = name;
    this.#process = child;
  }

  /** `enter` are the words that run a program where the probe is to stand. */
  static async start(name: string, enter: readonly [string, ...string[]]): Promise<Probe> {
    const [file, ...args] = enter;
    const child = spawn(file, [...args, process.execPath, '--disable-warning=ExperimentalWarning', PROCESS, name], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const probe = new Probe(name, child);
    const { stdin, stdout } = child;
    stdin?.on('error', () => {});
    if (stdout !== null) createInterface({ input: stdout }).on('line', (line) => probe.#take(line));
    child.on('error', (cause) => probe.#lose(new Error(`the probe of ${name} cannot be started`, { cause })));
    child.on('exit', () => probe.#lose(new Error(`the probe of ${name} has ended`)));
    await probe.#send('hello', {});
    return probe;
  }

  ask<C extends Command>(command: C, what: ProbeCommands[C]['ask']): Promise<ProbeCommands[C]['answer']> {
    return this.#send(command, what) as Promise<ProbeCommands[C]['answer']>;
  }

  serve(what: ProbeCommands['serve']['ask']): Promise<null> {
    return this.ask('serve', what);
  }

  greet(what: Greeting): Promise<Greeted> {
    return this.ask('greet', what);
  }

  end(): void {
    this.#process.kill('SIGKILL');
    this.#process.stdin?.end();
  }

  #send(command: string, what: object): Promise<unknown> {
    const id = this.#asked++;
    return new Promise((resolve, reject) => {
      if (this.#process.exitCode !== null || this.#process.signalCode !== null) {
        reject(new Error(`the probe of ${this.name} has ended`));
        return;
      }
      this.#waiting.set(id, { resolve, reject });
      this.#process.stdin?.write(`${JSON.stringify({ id, command, what })}\n`);
    });
  }

  #take(line: string): void {
    const { id, answer, error } = JSON.parse(line) as { readonly id: number; readonly answer?: unknown; readonly error?: string };
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(answer);
    else waiting?.reject(new Error(`${this.name}: ${error}`));
  }

  #lose(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
