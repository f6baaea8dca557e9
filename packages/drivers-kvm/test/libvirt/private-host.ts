/** A libvirtd of our own in namespaces of its own: nothing else on the machine sees it, and nothing is left when it ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

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
  readonly #answers: Interface;

  private constructor(directory: string, child: ChildProcess, answers: Interface) {
    this.directory = directory;
    this.#process = child;
    this.#answers = answers;
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
    const host = new PrivateHost(directory, child, createInterface({ input: child.stdout }));
    await host.command('start');
    await host.#answering();
    return host;
  }

  get socketPath(): string {
    return path.join(this.directory, 'run/libvirt/libvirt-sock');
  }

  /** `kill` and `start` restart libvirtd and leave its guests; `freeze` and `thaw` stop it in its tracks and let it go on. */
  async command(command: 'start' | 'kill' | 'freeze' | 'thaw'): Promise<void> {
    const answer = once(this.#answers, 'line');
    this.#process.stdin?.write(`${command}\n`);
    await answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exit = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await exit;
    await rm(this.directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  }

  async #answering(): Promise<void> {
    for (;;) {
      const socket = net.connect({ path: this.socketPath });
      const up = await once(socket, 'connect').then(
        () => true,
        () => false,
      );
      socket.destroy();
      if (up) return;
      if (this.#process.exitCode !== null) throw new Error(`the private libvirt host ended; see ${this.directory}/out`);
      await sleep(20);
    }
  }
}
