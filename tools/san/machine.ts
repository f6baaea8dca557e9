import { once } from 'node:events';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Commands, type Outcome } from '../guest/commands.ts';
import { ChildDaemon } from '../system/child-daemon.ts';
import { CACHE_DIR, ensureSystem } from '../system/ensure.ts';
import { freePort } from '../system/free-port.ts';
import { SAN_PACKAGES } from '../system/packages.ts';
import { buildSanInitramfs } from './initramfs.ts';

const READY_MS = 240_000;
const DISK_BYTES = 2 ** 30;

/**
 * A machine with the distribution's kernel, which has device-mapper and iSCSI where this one's may not: in it run libvirtd, LVM, a target of iSCSI and the
 * paths to it. It is emulated, and ends with this process at the latest.
 */
export class SanMachine implements AsyncDisposable {
  /** Of its libvirtd. */
  readonly socketPath: string;
  readonly #dir: string;
  readonly #qemu: ChildDaemon;
  readonly #proxy: Server;
  readonly #sockets = new Set<Socket>();
  #commands: Commands | undefined;

  private constructor(dir: string, argv: readonly [string, ...string[]], port: number) {
    this.#dir = dir;
    this.socketPath = join(dir, 'libvirt-sock');
    this.#qemu = new ChildDaemon({ argv, logPath: join(dir, 'qemu.log') });
    this.#proxy = createServer((from) => this.#forward(from, connect({ host: '127.0.0.1', port })));
  }

  /** Returns when libvirtd answers. Its disk `/dev/vda` is empty. */
  static async start(): Promise<SanMachine> {
    const system = await ensureSystem({ log: () => {}, unpacked: SAN_PACKAGES });
    if (!system.ok) throw new Error(system.reason);
    const { kernelPath, archive } = await buildSanInitramfs(CACHE_DIR);
    const dir = await mkdtemp(join(tmpdir(), 'pileus-san-'));
    const port = await freePort();
    await writeFile(join(dir, 'initramfs'), archive);
    const disk = await open(join(dir, 'disk'), 'w');
    await disk.truncate(DISK_BYTES);
    await disk.close();
    const machine = new SanMachine(dir, qemuArgv(dir, kernelPath, port), port);
    try {
      await machine.#qemu.start();
      machine.#proxy.listen(machine.socketPath);
      await once(machine.#proxy, 'listening');
      await machine.#untilReady();
      return machine;
    } catch (error) {
      const words = await machine.words();
      await machine[Symbol.asyncDispose]();
      throw new Error(`the machine does not get ready; its words: ${words.slice(-3000)}`, { cause: error });
    }
  }

  /** Runs a shell's commands in the machine, one after the other; of any exit code. */
  async attempt(command: string): Promise<Outcome> {
    this.#commands ??= await Commands.open(join(this.#dir, 'commands'));
    return this.#commands.run(command);
  }

  /** @throws Error with what it said, when it fails */
  async run(command: string): Promise<string> {
    const { exitCode, said } = await this.attempt(command);
    if (exitCode !== 0) throw new Error(`${command}: exit ${exitCode}: ${said}`);
    return said;
  }

  /** Stops the whole machine in its tracks: what is connected stays so, and nothing answers. */
  freeze(): void {
    this.#qemu.freeze();
  }

  thaw(): void {
    this.#qemu.thaw();
  }

  /** Until libvirtd's workers are all idle and nothing waits for one, some looks in a row: between two of them it has read what was sent. */
  async settle(): Promise<void> {
    for (let idleLooks = 0; idleLooks < 3; await sleep(30)) idleLooks = (await this.#isIdle()) ? idleLooks + 1 : 0;
  }

  /** Of its console. */
  words(): Promise<string> {
    return readFile(join(this.#dir, 'console'), 'utf8').catch(() => 'it has said nothing');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#commands?.close();
    await this.#qemu.kill();
    for (const socket of this.#sockets) socket.destroy();
    this.#proxy.close();
    await rm(this.#dir, { recursive: true, force: true });
  }

  async #isIdle(): Promise<boolean> {
    const { exitCode, said } = await this.attempt('virt-admin --quiet srv-threadpool-info libvirtd');
    if (exitCode !== 0) return false;
    const read = (field: string) => Number(new RegExp(`^${field}\\s*:\\s*(\\d+)`, 'm').exec(said)?.[1]);
    return read('nWorkers') === read('freeWorkers') && read('jobQueueDepth') === 0;
  }

  async #untilReady(): Promise<void> {
    const deadline = performance.now() + READY_MS;
    const wait = async (what: string, look: () => Promise<boolean>) => {
      for (; !(await look()); await sleep(100)) {
        await this.#qemu.expectRunning();
        if (performance.now() > deadline) throw new Error(`no ${what} after ${READY_MS} ms`);
      }
    };
    await wait('shell', async () => (await this.words()).includes('SAN-MACHINE-READY'));
    await wait('libvirtd', async () => (await this.attempt('virt-admin --quiet srv-list')).exitCode === 0);
  }

  #forward(from: Socket, to: Socket): void {
    for (const socket of [from, to]) {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.once('close', () => this.#sockets.delete(socket));
    }
    from.once('close', () => to.destroy());
    to.once('close', () => from.destroy());
    from.pipe(to);
    to.pipe(from);
  }
}

const qemuArgv = (dir: string, kernelPath: string, port: number): readonly [string, ...string[]] => [
  'qemu-system-x86_64',
  ...['-machine', 'q35,accel=tcg', '-cpu', 'max', '-m', '1024', '-nodefaults', '-no-user-config', '-display', 'none'],
  ...['-kernel', kernelPath, '-initrd', join(dir, 'initramfs'), '-append', 'console=ttyS0 loglevel=4 net.ifnames=0'],
  ...['-serial', `file:${join(dir, 'console')}`],
  ...['-device', 'virtio-rng-pci'],
  ...['-device', 'virtio-serial-pci', '-chardev', `socket,id=commands,path=${join(dir, 'commands')},server=on,wait=off`],
  ...['-device', 'virtserialport,chardev=commands,name=commands'],
  ...['-drive', `if=none,id=disk,file=${join(dir, 'disk')},format=raw,discard=unmap,cache=unsafe`],
  ...['-device', 'virtio-blk-pci,drive=disk,serial=san-disk'],
  ...['-netdev', `user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:${port}-10.0.2.15:16509`, '-device', 'virtio-net-pci,netdev=net'],
];
