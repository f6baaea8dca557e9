/** A libvirtd of our own in namespaces of its own: nothing else on the machine sees it, and nothing is left when it ends. */
import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { LibvirtConnection } from '@pileus/drivers-kvm/libvirt';

/** On a busy machine it takes seconds. */
const SERVES_WITHIN_MS = 40_000;
/** For what its process 1 does at once. */
const TOLD_WITHIN_MS = 60_000;

export interface PrivateHostOptions {
  /** Lines for libvirtd.conf. */
  readonly daemonConfig?: string;
  /** Share the machine's network, to listen on its loopback. Default: a network namespace of its own. */
  readonly sharedNetwork?: boolean;
}

const daemonConfig = `
unix_sock_group = "root"
unix_sock_rw_perms = "0700"
auth_unix_ro = "none"
auth_unix_rw = "none"
keepalive_interval = 5
`;

const qemuConfig = `
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
stdio_handler = "file"
namespaces = [ ]
cgroup_controllers = [ ]
`;

export class PrivateHost implements AsyncDisposable {
  readonly directory: string;
  readonly #process: ChildProcess;
  readonly #ended = new AbortController();
  /** By the numbers of the commands that are not done yet. */
  readonly #waiting = new Map<string, () => void>();
  #commands = 0;

  private constructor(directory: string, child: ChildProcessByStdio<Writable, Readable, null>) {
    this.directory = directory;
    this.#process = child;
    createInterface({ input: child.stdout }).on('line', (number) => this.#waiting.get(number)?.());
    child.once('exit', (code, signal) => this.#ended.abort(new Error(`the host in ${directory} has ended with ${signal ?? code}`)));
    child.once('error', (cause) => this.#ended.abort(new Error(`the host in ${directory} cannot be started`, { cause })));
    // Its end tells what becomes of commands that cannot be written any more.
    child.stdin.on('error', () => {});
  }

  static async start(options: PrivateHostOptions = {}): Promise<PrivateHost> {
    const directory = await mkdtemp(path.join(tmpdir(), 'pileus-libvirt-'));
    for (const name of ['etc', 'run/libvirt', 'lib/images', 'lib/qemu', 'lib/boot', 'log/qemu', 'cache'])
      await mkdir(path.join(directory, name), { recursive: true });
    await writeFile(path.join(directory, 'etc/libvirtd.conf'), daemonConfig + (options.daemonConfig ?? ''));
    await writeFile(path.join(directory, 'etc/qemu.conf'), qemuConfig);
    const network = options.sharedNetwork === true ? [] : ['--net'];
    const listen = options.sharedNetwork === true ? ['--listen'] : [];
    const init = path.join(import.meta.dirname, 'host-init.sh');
    const namespaces = ['--mount', '--pid', '--uts', '--ipc', ...network, '--fork', '--kill-child=KILL'];
    const child = spawn('unshare', [...namespaces, 'bash', init, directory, ...listen], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, PRIVATE_NET: options.sharedNetwork === true ? '0' : '1' },
    });
    const host = new PrivateHost(directory, child);
    await host.command('start').catch(async (error) => {
      await host[Symbol.asyncDispose]();
      throw error;
    });
    return host;
  }

  get socketPath(): string {
    return path.join(this.directory, 'run/libvirt/libvirt-sock');
  }

  /**
   * `kill` and `start` restart libvirtd and leave its guests; `freeze` and `thaw` stop it in its tracks and let it go on. `start` and `thaw` wait until it serves:
   * one that was thawed may crash, and is started again.
   */
  async command(command: 'start' | 'kill' | 'freeze' | 'thaw'): Promise<void> {
    await this.#tell(command);
    if (command !== 'start' && command !== 'thaw') return;
    for (let attemptsLeft = 2; !(await this.#serves()); attemptsLeft -= 1) {
      const found = await this.#autopsy();
      if (attemptsLeft === 0) throw new Error(`libvirtd does not come up:\n${found}`);
      process.stderr.write(`libvirtd did not serve ${SERVES_WITHIN_MS} ms after its start, and is started again:\n${found}\n`);
      await this.#tell('kill');
      await this.#tell('start');
    }
  }

  /** What tells one run of libvirtd from the next: it may have crashed and been started again. */
  life(): Promise<string> {
    return readFile(path.join(this.directory, 'daemon'), 'utf8');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended.signal.aborted) {
      const exit = once(this.#process, 'exit');
      this.#process.kill('SIGKILL');
      await exit;
    }
    await rm(this.directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  }

  async #tell(command: string): Promise<void> {
    this.#commands += 1;
    const number = String(this.#commands);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const { signal } = this.#ended;
    const end = () => reject(signal.reason);
    const timer = setTimeout(() => reject(new Error(`${command}: not done in ${TOLD_WITHIN_MS} ms`)), TOLD_WITHIN_MS);
    this.#waiting.set(number, resolve);
    signal.addEventListener('abort', end);
    if (signal.aborted) end();
    this.#process.stdin?.write(`${number} ${command}\n`);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      this.#waiting.delete(number);
    }
  }

  /** Its socket takes connections before its drivers are ready: only an answer tells. */
  async #serves(): Promise<boolean> {
    await using libvirt = new LibvirtConnection({
      address: { kind: 'unix', path: this.socketPath },
      reconnectDelayMs: 20,
      reconnectDelayMsMax: 100,
      connectTimeoutMs: SERVES_WITHIN_MS,
    });
    const { signal } = this.#ended;
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(SERVES_WITHIN_MS)]);
    while (!deadline.aborted) {
      const answered = await libvirt.api.connectGetUri({}, { signal: deadline, timeoutMs: SERVES_WITHIN_MS }).then(
        () => true,
        () => false,
      );
      if (answered) return true;
      await sleep(20);
    }
    return false;
  }

  /** What libvirtd printed, and where its threads are. */
  async #autopsy(): Promise<string> {
    const printed = await readFile(path.join(this.directory, 'out'), 'utf8').catch(() => '');
    const lines = [printed.slice(-2000)];
    for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
      const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      if (!command.includes(this.directory)) continue;
      lines.push(`${pid} ${command.replaceAll('\0', ' ')}`);
      for (const task of await readdir(`/proc/${pid}/task`).catch(() => [])) {
        const [name, place] = await Promise.all(
          ['comm', 'wchan'].map((file) => readFile(`/proc/${pid}/task/${task}/${file}`, 'utf8').catch(() => '?')),
        );
        lines.push(`  ${task} ${name?.trim()} ${place}`);
      }
    }
    return lines.join('\n');
  }
}
