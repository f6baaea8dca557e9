import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { constants, zstdCompressSync } from 'node:zlib';
import { run } from '../system/command.ts';
import { unpackedDir } from '../system/packages.ts';
import { type ArchiveEntry, packCpio } from './cpio.ts';
import { modulesInLoadOrder } from './kernel-modules.ts';

/** The guest's own files, laid out as in the guest. */
export const ROOT_DIR = fileURLToPath(new URL('root', import.meta.url));

const EMPTY_DIRS = ['dev', 'proc', 'sys', 'run', 'tmp', 'seed', 'var', 'var/run'];
/** virtio first: the disk and network cards that Pileus gives; then the seed's CD, the power button, the agent's channel. */
const MODULES = [
  'virtio_pci',
  'virtio_net',
  'virtio_blk',
  'virtio_scsi',
  'sd_mod',
  'sr_mod',
  'isofs',
  'button',
  'evdev',
  'virtio_console',
  'virtio_balloon',
  'virtio_rng',
];

/** Where the guest's parts are, once the system set-up has unpacked their packages. */
export interface GuestParts {
  readonly kernelPath: string;
  readonly modulesDir: string;
  readonly busyboxPath: string;
  readonly agentPath: string;
}

export async function guestParts(cacheDir: string): Promise<GuestParts> {
  const kernelDir = unpackedDir(cacheDir, 'linux-image-cloud-amd64');
  const kernel = (await readdir(join(kernelDir, 'boot'))).find((file) => file.startsWith('vmlinuz-'));
  if (kernel === undefined) throw new Error(`${kernelDir} holds no kernel`);
  return {
    kernelPath: join(kernelDir, 'boot', kernel),
    modulesDir: join(kernelDir, 'lib/modules', kernel.slice('vmlinuz-'.length), 'kernel'),
    busyboxPath: join(unpackedDir(cacheDir, 'busybox-static'), 'bin/busybox'),
    agentPath: join(unpackedDir(cacheDir, 'qemu-guest-agent'), 'usr/sbin/qemu-ga'),
  };
}

/** Packs the guest's whole file system, which the kernel unpacks into memory. The disk is only read to boot. */
export async function buildInitramfs(parts: GuestParts): Promise<Buffer> {
  const entries = [
    ...EMPTY_DIRS.map((path): ArchiveEntry => ({ kind: 'dir', path })),
    ...(await busyboxEntries(parts.busyboxPath)),
    ...(await moduleEntries(parts.modulesDir)),
    ...(await agentEntries(parts.agentPath)),
    ...(await rootEntries()),
  ];
  const archive = packCpio(withParents(entries));
  return zstdCompressSync(archive, { params: { [constants.ZSTD_c_compressionLevel]: 19 } });
}

async function busyboxEntries(busyboxPath: string): Promise<readonly ArchiveEntry[]> {
  const applets = (await run([busyboxPath, '--list'])).split('\n').filter((applet) => applet !== '' && applet !== 'busybox');
  return [
    await fileEntry('bin/busybox', busyboxPath, true),
    ...applets.map((applet): ArchiveEntry => ({ kind: 'link', path: `bin/${applet}`, target: 'busybox' })),
  ];
}

async function moduleEntries(modulesDir: string): Promise<readonly ArchiveEntry[]> {
  const modules = await modulesInLoadOrder(modulesDir, MODULES);
  const list = Buffer.from(modules.map(({ name }) => `${name}\n`).join(''));
  return [
    { kind: 'file', path: 'etc/modules', content: list, executable: false },
    ...(await Promise.all(modules.map(({ name, path }) => fileEntry(`lib/modules/${name}.ko`, path, false)))),
  ];
}

/** The agent is the one program that is not static: its libraries come from this machine, which runs the same release. */
async function agentEntries(agentPath: string): Promise<readonly ArchiveEntry[]> {
  const libraries = (await run(['ldd', agentPath])).split('\n').flatMap((line) => /(\/\S+) \(0x/.exec(line)?.[1] ?? []);
  return [
    await fileEntry('sbin/qemu-ga', agentPath, true),
    ...(await Promise.all(libraries.map((path) => fileEntry(path.slice(1), path, true)))),
  ];
}

async function rootEntries(): Promise<readonly ArchiveEntry[]> {
  const files = (await readdir(ROOT_DIR, { recursive: true, withFileTypes: true })).filter((file) => file.isFile());
  const paths = files.map((file) => join(file.parentPath, file.name)).sort();
  return Promise.all(paths.map(async (path) => fileEntry(path.slice(ROOT_DIR.length + 1), path, ((await stat(path)).mode & 0o100) !== 0)));
}

async function fileEntry(path: string, source: string, executable: boolean): Promise<ArchiveEntry> {
  return { kind: 'file', path, content: await readFile(source), executable };
}

/** Adds the directories that paths imply, each once and before what is in it. */
function withParents(entries: readonly ArchiveEntry[]): readonly ArchiveEntry[] {
  const seen = new Set<string>();
  return entries.flatMap((entry) => {
    const names = entry.path.split('/');
    const dirs = names.slice(0, -1).map((_, index) => names.slice(0, index + 1).join('/'));
    const missing = dirs.filter((path) => !seen.has(path));
    for (const path of [...missing, entry.path]) seen.add(path);
    return [...missing.map((path): ArchiveEntry => ({ kind: 'dir', path })), entry];
  });
}
