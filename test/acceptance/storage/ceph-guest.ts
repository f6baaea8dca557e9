import { setTimeout as sleep } from 'node:timers/promises';
import { virsh } from '../../lab/guest-domain.ts';
import type { LabHost } from '../../lab/host.ts';
import { until } from '../../lab/waiting.ts';

const RUN_TIMEOUT_MS = 120_000;
/** What an agent that is there may take to answer, on however busy a machine. */
const ANSWER_SECONDS = 120;
/** What one that is not there yet is waited for before it is asked again. */
const PING_SECONDS = 10;

interface Exited {
  readonly exitCode: number;
  readonly output: string;
}

/** Runs programs in a guest by its agent, over libvirt's own client: whatever network it has, or none. */
export class CephGuest {
  readonly #host: LabHost;
  readonly #id: string;

  constructor(host: LabHost, id: string) {
    this.#host = host;
    this.#id = id;
  }

  /** Resolves when its agent answers: the last thing that it starts. */
  async booted(): Promise<this> {
    const ping = () =>
      this.#ask('guest-ping', {}, PING_SECONDS).then(
        () => true as const,
        () => undefined,
      );
    await until(`the guest of ${this.#id}`, ping);
    return this;
  }

  /** What a program prints. @throws Error when it fails */
  async run(...argv: readonly [string, ...string[]]): Promise<string> {
    const { exitCode, output } = await this.attempt(...argv);
    if (exitCode !== 0) throw new Error(`${argv.join(' ')}: exit ${exitCode}: ${output}`);
    return output.trim();
  }

  async attempt(...[path, ...arg]: readonly [string, ...string[]]): Promise<Exited> {
    const { pid } = await this.#ask('guest-exec', { path, arg, 'capture-output': true });
    for (const deadline = performance.now() + RUN_TIMEOUT_MS; performance.now() < deadline; await sleep(50)) {
      const status = await this.#ask('guest-exec-status', { pid });
      const text = (part: string) => Buffer.from(String(status[part] ?? ''), 'base64').toString();
      if (status.exited === true) return { exitCode: Number(status.exitcode ?? -1), output: text('out-data') + text('err-data') };
    }
    throw new Error(`${path} ${arg.join(' ')} does not end`);
  }

  /** What a file of the guest says, 0 while it is not there, or empty. */
  async number(path: string): Promise<number> {
    const { exitCode, output } = await this.attempt('cat', path);
    return exitCode === 0 ? Number(output.trim()) : 0;
  }

  /** What a script prints that the guest's own shell runs. */
  shell(script: string): Promise<string> {
    return this.run('sh', ...['-c', script]);
  }

  /** A script that goes on by itself. */
  async begin(script: string): Promise<void> {
    await this.#ask('guest-exec', { path: 'sh', arg: ['-c', script] });
  }

  async diskBytes(device: string): Promise<number> {
    return 512 * Number(await this.run('cat', `/sys/block/${device}/size`));
  }

  async #ask(execute: string, words: object, seconds = ANSWER_SECONDS): Promise<Readonly<Record<string, unknown>>> {
    const command = JSON.stringify({ execute, ...(Object.keys(words).length === 0 ? {} : { arguments: words }) });
    for (let attemptsLeft = 60; ; attemptsLeft -= 1) {
      try {
        return JSON.parse(await virsh(this.#host, 'qemu-agent-command', this.#id, command, '--timeout', String(seconds))).return;
      } catch (error) {
        // A libvirtd that was thawed may crash, and is started again; the guest runs on.
        const isAway = error instanceof Error && /Failed to connect socket|Connection reset|End of file|Disconnected/i.test(error.message);
        if (!isAway || attemptsLeft === 0) throw error;
        await sleep(500);
      }
    }
  }
}
