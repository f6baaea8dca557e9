// Installs what is missing. Runs as a process of its own under flock(1) (see ensure.ts), so that two set-ups never meet.
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { attempt, run } from './command.ts';
import { missingSystemPackages, missingUnpackedPackages, unpackedDir } from './packages.ts';
import { withoutClusters } from './postgres-policy.ts';
import { withServicesHeld } from './service-policy.ts';

const APT = ['apt-get', '--quiet=2', '-o', 'DPkg::Lock::Timeout=300', '-o', 'Acquire::Retries=3'] as const;
const ENV = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' };
const TIMEOUT_MS = 15 * 60_000;
const UNPACK = 'unpack:';

async function installSystemPackages(names: readonly string[]): Promise<void> {
  await withServicesHeld(() =>
    withoutClusters(async () => {
      await run([...APT, 'install', '--no-install-recommends', '--no-upgrade', '--yes', ...names], { env: ENV, timeoutMs: TIMEOUT_MS });
    }),
  );
}

/** The meta package names the kernel of the day; the others are what they say. */
async function realPackage(name: string): Promise<string> {
  if (name !== 'linux-image-cloud-amd64') return name;
  const depends = await run(['apt-cache', 'depends', '--important', name], { env: ENV });
  const kernel = /Depends: (linux-image-\S+)/.exec(depends)?.[1];
  if (kernel === undefined) throw new Error(`${name} depends on no kernel`);
  return kernel;
}

async function unpackPackage(cacheDir: string, name: string): Promise<void> {
  await mkdir(join(cacheDir, 'packages'), { recursive: true });
  const workDir = await mkdtemp(join(cacheDir, 'packages', '.unpack-'));
  try {
    // As root, not as apt's own user: that user need not be able to write here.
    await run([...APT, '-o', 'APT::Sandbox::User=root', 'download', await realPackage(name)], {
      env: ENV,
      cwd: workDir,
      timeoutMs: TIMEOUT_MS,
    });
    const archive = (await readdir(workDir)).find((file) => file.endsWith('.deb'));
    if (archive === undefined) throw new Error(`apt-get download ${name} brought no package`);
    await run(['dpkg-deb', '--extract', join(workDir, archive), join(workDir, 'root')]);
    await rename(join(workDir, 'root'), unpackedDir(cacheDir, name));
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}

/** Of names, those behind `unpack:` are unpacked, and the others installed. */
async function installMissing(cacheDir: string, also: readonly string[]): Promise<void> {
  const unpacked = also.flatMap((name) => (name.startsWith(UNPACK) ? [name.slice(UNPACK.length)] : []));
  const system = await missingSystemPackages(also.filter((name) => !name.startsWith(UNPACK)));
  if (system.length > 0) await installSystemPackages(system);
  for (const name of await missingUnpackedPackages(cacheDir, unpacked)) await unpackPackage(cacheDir, name);
}

/**
 * Package lists go stale, and a fresh machine has none: one refresh, then one more try. A refresh that failed is told only when that
 * try fails too: it may have been another archive's.
 */
async function main(cacheDir: string, also: readonly string[]): Promise<void> {
  try {
    await installMissing(cacheDir, also);
  } catch {
    const refreshed = await attempt([...APT, '-o', 'APT::Update::Error-Mode=any', 'update'], { env: ENV, timeoutMs: TIMEOUT_MS });
    await installMissing(cacheDir, also).catch((error) => {
      const fault = /^E: (Failed to fetch .*)$/m.exec(refreshed.stderr)?.[1];
      throw fault === undefined ? error : new Error(`apt cannot reach its archive: ${fault}`);
    });
  }
}

const [cacheDir, ...also] = process.argv.slice(2);
if (cacheDir === undefined) throw new Error('usage: install.ts CACHE_DIR [PACKAGE…]');
try {
  await main(cacheDir, also);
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
