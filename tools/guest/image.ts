import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../system/command.ts';
import type { Log } from '../system/ensure.ts';
import { exists } from '../system/packages.ts';
import { haltBootSector } from './halt.ts';
import { buildInitramfs, type GuestParts, guestParts } from './initramfs.ts';

export interface GuestImage {
  readonly path: string;
  /** Of the file, in hexadecimal. */
  readonly sha256: string;
  /** Of the file: what an upload sends. */
  readonly sizeBytes: number;
  readonly format: 'qcow2' | 'raw';
}

const MIB = 1024 * 1024;
const SOURCE_DIR = fileURLToPath(new URL('.', import.meta.url));
/**
 * no_timer_check: under emulation on a busy machine the kernel's timer test can fail and panic the guest. The rest saves boot
 * time that a test guest does not need. The last console is the one that programs write to.
 */
const COMMAND_LINE = 'console=tty0 console=ttyS0 no_timer_check quiet nokaslr mitigations=off random.trust_cpu=on panic=1';

/**
 * Builds the guest image: one disk that boots by BIOS from any bus, with kernel and file system on it. Its console says
 * `PILEUS-GUEST-READY <hostname>` on ttyS0 when it answers HTTP on port 80. Kept in the cache under a key of all its inputs.
 * The system set-up must have run.
 */
export async function buildGuestImage(options: { readonly cacheDir: string; readonly log: Log }): Promise<GuestImage> {
  const parts = await guestParts(options.cacheDir);
  const path = join(options.cacheDir, 'guest', `guest-${await inputKey(parts)}.qcow2`);
  if (!(await exists(path))) {
    options.log('Building the guest image');
    await buildInto(path, parts);
  }
  return describeImage(path, 'qcow2');
}

/** A disk whose boot sector says `PILEUS-GUEST-HALTED` on the serial port and halts: a guest that costs no boot and no processor time. */
export async function haltImage(options: { readonly cacheDir: string }): Promise<GuestImage> {
  const path = join(options.cacheDir, 'guest', 'halt.raw');
  const disk = Buffer.alloc(MIB);
  haltBootSector().copy(disk);
  await mkdir(join(options.cacheDir, 'guest'), { recursive: true });
  await writeFile(`${path}.${process.pid}`, disk);
  await rename(`${path}.${process.pid}`, path);
  return describeImage(path, 'raw');
}

async function buildInto(path: string, parts: GuestParts): Promise<void> {
  const dir = join(path, '..');
  await mkdir(dir, { recursive: true });
  const workDir = await mkdtemp(join(dir, '.build-'));
  try {
    await writeFile(join(workDir, 'initrd'), await buildInitramfs(parts));
    await writeFile(join(workDir, 'syslinux.cfg'), `DEFAULT guest\nLABEL guest\nKERNEL /vmlinuz\nINITRD /initrd\nAPPEND ${COMMAND_LINE}\n`);
    const disk = join(workDir, 'disk.raw');
    await layDisk(disk, [
      [parts.kernelPath, 'vmlinuz'],
      [join(workDir, 'initrd'), 'initrd'],
      [join(workDir, 'syslinux.cfg'), 'syslinux.cfg'],
    ]);
    await run(['qemu-img', 'convert', '-O', 'qcow2', disk, join(workDir, 'disk.qcow2')]);
    await rename(join(workDir, 'disk.qcow2'), path);
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}

/** One FAT file system without a partition table, SYSLINUX in its boot sector: written as a file, so no loop device and no mount. */
async function layDisk(disk: string, files: readonly (readonly [source: string, name: string])[]): Promise<void> {
  const sizes = await Promise.all(files.map(async ([source]) => (await stat(source)).size));
  const sizeMib = Math.ceil(sizes.reduce((sum, size) => sum + size, 0) / MIB) + 4;
  await run(['mkfs.vfat', '-C', '-n', 'PILEUS', disk, String(sizeMib * 1024)]);
  for (const [source, name] of files) await run(['mcopy', '-i', disk, source, `::/${name}`]);
  await run(['syslinux', '--install', disk]);
}

async function inputKey(parts: GuestParts): Promise<string> {
  const own = await filesIn(SOURCE_DIR);
  const paths = [...[...own].sort(), parts.kernelPath, parts.busyboxPath, parts.agentPath];
  const hash = createHash('sha256');
  for (const path of paths) hash.update(await readFile(path));
  return hash.digest('hex').slice(0, 16);
}

async function filesIn(dir: string): Promise<readonly string[]> {
  const files = (await readdir(dir, { recursive: true, withFileTypes: true })).filter((file) => file.isFile());
  return files.map((file) => join(file.parentPath, file.name));
}

async function describeImage(path: string, format: GuestImage['format']): Promise<GuestImage> {
  const content = await readFile(path);
  return { path, sha256: createHash('sha256').update(content).digest('hex'), sizeBytes: content.length, format };
}
