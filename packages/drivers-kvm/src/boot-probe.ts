// Whether guests really run under KVM on this machine. /dev/kvm opens, libvirt lists `<domain type='kvm'>`, and even a boot sector
// may run where a stock kernel hangs or QEMU gives up (nested and paravirtual hosts). So the probe boots a stock kernel. It needs
// no root file system: a kernel that looks for one, in vain, has run.
import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';

export type Accelerator = 'kvm' | 'tcg';

export interface BootProbe {
  /** A Linux kernel of this machine's architecture that has a serial console, such as /boot/vmlinuz-*. */
  readonly kernelPath: string;
  readonly accelerator: Accelerator;
  /** A kernel that has not spoken by then does not run. Under KVM a boot takes less than a second. */
  readonly timeoutMs: number;
  /** Default: qemu-system-x86_64. */
  readonly qemuPath?: string;
}

/** For a kernel started without initrd and root disk: it says in one line that it found no root, and resets. */
export const PROBE_COMMAND_LINE = 'console=ttyS0 quiet panic=-1 no_timer_check';

/** QEMU's arguments for one probe: serial port on standard output, ends at the guest's reset. */
export function probeArguments(kernelPath: string, accelerator: Accelerator): readonly string[] {
  const cpu = accelerator === 'kvm' ? 'host' : 'qemu64';
  const machine = ['-machine', 'q35', '-accel', accelerator, '-cpu', cpu, '-m', '128', '-nodefaults', '-no-user-config'];
  return [...machine, '-display', 'none', '-serial', 'stdio', '-no-reboot', '-kernel', kernelPath, '-append', PROBE_COMMAND_LINE];
}

/** Reads the serial port's output: true once the kernel has come as far as its root file system. */
export function kernelRan(serialOutput: string): boolean {
  return serialOutput.includes('VFS: Unable to mount root fs');
}

/** Boots the kernel once. False when QEMU gives up, cannot be started, or the kernel says nothing in time. Leaves no process. */
export function boots(probe: BootProbe): Promise<boolean> {
  return new Promise((resolve) => {
    const args = probeArguments(probe.kernelPath, probe.accelerator);
    const qemu = spawn(probe.qemuPath ?? 'qemu-system-x86_64', args, { stdio: ['ignore', 'pipe', 'ignore'] });
    const timer = setTimeout(() => qemu.kill('SIGKILL'), probe.timeoutMs);
    let output = '';
    qemu.stdout.setEncoding('latin1').on('data', (text: string) => {
      output += text;
      if (kernelRan(output)) qemu.kill('SIGKILL');
    });
    const end = () => {
      clearTimeout(timer);
      resolve(kernelRan(output));
    };
    qemu.on('error', end);
    qemu.on('close', end);
  });
}

/** Answers `kvm` only when a kernel has booted under it, else `tcg`: emulation, which works everywhere. */
export async function findAccelerator(probe: Omit<BootProbe, 'accelerator'>): Promise<Accelerator> {
  const opens = await access('/dev/kvm', constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
  return opens && (await boots({ ...probe, accelerator: 'kvm' })) ? 'kvm' : 'tcg';
}
