import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';

const ANSWER_MS = 120_000;
const CLOSE_MS = 10_000;

/** A disk as QEMU has it open: the witness that knows nothing of the driver, and that the cluster takes for a machine. */
export class QemuClient {
  readonly #child: ChildProcessWithoutNullStreams;
  #said = '';

  private constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (text: Buffer) => {
        this.#said += text.toString();
        child.emit('said');
      });
    child.once('exit', () => child.emit('said'));
    // What is written to one that has ended is lost, and its answer is that it has ended.
    child.stdin.on('error', () => undefined);
  }

  /** Returns when the disk is open for writing. */
  static open(disk: string): Promise<QemuClient> {
    return QemuClient.run('-f', 'raw', '-t', 'none', disk);
  }

  /** The same of a disk that is told in other words. */
  static run(...words: readonly string[]): Promise<QemuClient> {
    return QemuClient.#begin('qemu-io', words);
  }

  /** The same as a client of another address: in a network namespace. */
  static within(netns: string, ...words: readonly string[]): Promise<QemuClient> {
    return QemuClient.#begin('ip', ['netns', 'exec', netns, 'qemu-io', ...words]);
  }

  static async #begin(program: string, words: readonly string[]): Promise<QemuClient> {
    const client = new QemuClient(spawn(program, words, { stdio: 'pipe' }));
    await client.ask('read 0 512', /read 512/);
    return client;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  async write(): Promise<void> {
    await this.ask('write -P 7 0 4096', /wrote 4096/);
  }

  /** @throws Error with what it said when that is something else than `hoped` */
  async ask(command: string, hoped: RegExp): Promise<string> {
    const child = this.#child;
    this.#said = '';
    child.stdin.write(`${command}\n`);
    const signal = AbortSignal.timeout(ANSWER_MS);
    while (!hoped.test(this.#said)) {
      if (/fail|error|can't/i.test(this.#said) || child.exitCode !== null || child.signalCode !== null)
        throw new Error(`${command}: ${this.#said.trim() || 'QEMU has ended'}`);
      await once(child, 'said', { signal });
    }
    return this.#said;
  }

  /** Where the cluster does not answer it is killed in the end: the cluster takes it for open a while longer. */
  async close(): Promise<void> {
    const kill = setTimeout(() => this.#child.kill('SIGKILL'), CLOSE_MS);
    await this.#end(() => this.#child.stdin.write('quit\n'));
    clearTimeout(kill);
  }

  async kill(): Promise<void> {
    await this.#end(() => this.#child.kill('SIGKILL'));
  }

  async #end(how: () => unknown): Promise<void> {
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    how();
    await ended;
  }
}
