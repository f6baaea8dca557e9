import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Commands } from '../../../tools/guest/commands.ts';
import { packCpio } from '../../../tools/guest/cpio.ts';
import { Found } from '../../../tools/guest/found.ts';
import { guestParts } from '../../../tools/guest/initramfs.ts';
import { ChildDaemon } from '../../../tools/system/child-daemon.ts';
import { CACHE_DIR, ensureSystem } from '../../../tools/system/ensure.ts';
import { freePort } from '../../../tools/system/free-port.ts';
import { TEST_PACKAGES } from '../../../tools/system/packages.ts';

const INIT = join(import.meta.dirname, 'kernel-init.sh');
const READY_MS = 240_000;
const MODULES = [
  ...['virtio_pci', 'virtio_net', 'virtio_console', 'virtio_rng', 'veth', 'bridge'],
  ...['openvswitch', 'vport_geneve', 'sch_ingress', 'cls_basic', 'cls_matchall', 'act_police'],
];
const PROGRAMS = [
  ...['/sbin/ip', '/sbin/tc', '/usr/sbin/ethtool', '/usr/sbin/ovsdb-server', '/usr/sbin/ovs-vswitchd', '/usr/bin/ovs-vsctl'],
  ...['/usr/bin/ovs-appctl', '/usr/bin/ovsdb-tool', '/usr/bin/ovn-nbctl', '/usr/bin/ovn-sbctl', '/usr/bin/ovn-northd'],
  '/usr/bin/ovn-controller',
];
/** The shell has an `ip` of its own, which knows no namespaces. */
const REAL_IP = 'ip() { /sbin/ip "$@"; }';
const SCHEMAS = ['openvswitch/vswitch', 'ovn/ovn-nb', 'ovn/ovn-sb'].map((name) => `/usr/share/${name}.ovsschema`);

/**
 * A machine with the distribution's kernel, which switches for Open vSwitch where this one's may not: in it OVN, and two hosts `hv1` and `hv2` as namespaces.
 * It is emulated, and ends with this process at the latest.
 */
export class KernelMachine implements AsyncDisposable {
  /** Where this machine reaches the databases. */
  readonly northbound: { readonly kind: 'tcp'; readonly host: string; readonly port: number };
  readonly southbound: { readonly kind: 'tcp'; readonly host: string; readonly port: number };
  readonly #dir: string;
  readonly #qemu: ChildDaemon;
  #commands: Commands | undefined;

  private constructor(dir: string, kernelPath: string, [nb, sb]: readonly [number, number]) {
    this.#dir = dir;
    this.northbound = { kind: 'tcp', host: '127.0.0.1', port: nb };
    this.southbound = { kind: 'tcp', host: '127.0.0.1', port: sb };
    this.#qemu = new ChildDaemon({ argv: qemuArgv(dir, kernelPath, [nb, sb]), logPath: join(dir, 'qemu.log') });
  }

  static async start(): Promise<KernelMachine> {
    const system = await ensureSystem({ log: () => {}, also: TEST_PACKAGES });
    if (!system.ok) throw new Error(system.reason);
    const { kernelPath, archive } = await build();
    const dir = await mkdtemp(join(tmpdir(), 'pileus-kernel-'));
    await writeFile(join(dir, 'initramfs'), archive);
    const machine = new KernelMachine(dir, kernelPath, [await freePort(), await freePort()]);
    try {
      await machine.#qemu.start();
      for (const deadline = performance.now() + READY_MS; !(await machine.words()).includes('KERNEL-SWITCHES-READY'); await sleep(100)) {
        await machine.#qemu.expectRunning();
        if (performance.now() > deadline) throw new Error(`not ready after ${READY_MS} ms`);
      }
      machine.#commands = await Commands.open(join(dir, 'commands'));
      return machine;
    } catch (error) {
      const words = await machine.words();
      await machine[Symbol.asyncDispose]();
      throw new Error(`the machine does not get ready; its words: ${words.slice(-3000)}`, { cause: error });
    }
  }

  /** Runs a shell's commands in the machine. @throws Error with what it said, when it fails */
  async run(command: string): Promise<string> {
    if (this.#commands === undefined) throw new Error('the machine does not run');
    const { exitCode, said } = await this.#commands.run(`${REAL_IP}\n${command}`);
    if (exitCode !== 0) throw new Error(`${command}: exit ${exitCode}: ${said}`);
    return said;
  }

  /** Of its console. */
  words(): Promise<string> {
    return readFile(join(this.#dir, 'console'), 'utf8').catch(() => '');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#commands?.close();
    await this.#qemu.kill();
    await rm(this.#dir, { recursive: true, force: true });
  }
}

async function build(): Promise<{ readonly kernelPath: string; readonly archive: Buffer }> {
  const { kernelPath, modulesDir, busyboxPath } = await guestParts(CACHE_DIR);
  const found = new Found([]);
  await found.addShell(busyboxPath);
  for (const path of PROGRAMS) await found.addProgram(path);
  for (const path of SCHEMAS) await found.add(path, path);
  await found.addModules(modulesDir, MODULES);
  await found.add('/init', INIT, true);
  return { kernelPath, archive: packCpio(found.entries()) };
}

const qemuArgv = (dir: string, kernelPath: string, [nb, sb]: readonly [number, number]): readonly [string, ...string[]] => [
  'qemu-system-x86_64',
  ...['-machine', 'q35,accel=tcg', '-cpu', 'max', '-smp', '2', '-m', '1024', '-nodefaults', '-no-user-config', '-display', 'none'],
  ...['-kernel', kernelPath, '-initrd', join(dir, 'initramfs'), '-append', 'console=ttyS0 loglevel=4 net.ifnames=0'],
  ...['-serial', `file:${join(dir, 'console')}`],
  ...['-device', 'virtio-rng-pci'],
  ...['-device', 'virtio-serial-pci', '-chardev', `socket,id=commands,path=${join(dir, 'commands')},server=on,wait=off`],
  ...['-device', 'virtserialport,chardev=commands,name=commands'],
  '-netdev',
  `user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:${nb}-10.0.2.15:6641,hostfwd=tcp:127.0.0.1:${sb}-10.0.2.15:6642`,
  ...['-device', 'virtio-net-pci,netdev=net'],
];
