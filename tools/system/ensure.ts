import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { attempt } from './command.ts';
import { exists, missingSystemPackages, missingUnpackedPackages } from './packages.ts';

export type Log = (line: string) => void;
export type SystemOutcome = { readonly ok: true } | { readonly ok: false; readonly reason: string };

/** Where everything that this repository downloads or builds for itself is kept. Removing it costs time, nothing else. */
export const CACHE_DIR = fileURLToPath(new URL('../../.cache', import.meta.url));

const LOCK = '/run/lock/pileus-system.lock';
const INSTALL = fileURLToPath(new URL('install.ts', import.meta.url));

export interface SystemOptions {
  readonly log: Log;
  readonly cacheDir?: string;
  /** Packages beside those that guests need. */
  readonly also?: readonly string[];
  /** Packages that are unpacked beside those of guests, and not installed. */
  readonly unpacked?: readonly string[];
}

/**
 * Makes this machine able to run real guests: installs the missing Debian packages and unpacks the guest's parts into the
 * cache. With nothing missing it reads the package database and returns: no network. `reason` is a sentence for the operator.
 */
export async function ensureSystem({ log, cacheDir = CACHE_DIR, also = [], unpacked = [] }: SystemOptions): Promise<SystemOutcome> {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return no(`real guests need Linux on x86-64, and this is ${process.platform} on ${process.arch}`);
  if (process.getuid?.() !== 0) return no('real guests need root, and this process is not root');
  if (!(await exists('/usr/bin/apt-get'))) return no('real guests need a Debian system with apt-get, and there is none here');
  const namespaces = await attempt(['unshare', '--mount', '--pid', '--net', '--fork', 'true']);
  if (namespaces.exitCode !== 0)
    return no(`real guests need namespaces and networks of their own, which root may not make here: ${lastLine(namespaces.stderr)}`);

  // Also for libvirt, which opens no console without it; a root without an init system may have none.
  await mkdir('/run/lock', { recursive: true });
  const missing = [...(await missingSystemPackages(also)), ...(await missingUnpackedPackages(cacheDir, unpacked))];
  if (missing.length === 0) return { ok: true };
  log(`Setting up ${missing.length} system packages: ${missing.join(' ')}`);
  const argv = [
    'flock',
    LOCK,
    process.execPath,
    ...process.execArgv,
    INSTALL,
    cacheDir,
    ...also,
    ...unpacked.map((name) => `unpack:${name}`),
  ] as const;
  const install = await attempt([...argv], { timeoutMs: 30 * 60_000 });
  if (install.exitCode !== 0) return no(`the system packages could not be installed: ${lastLine(install.stderr)}`);
  return { ok: true };
}

function no(reason: string): SystemOutcome {
  return { ok: false, reason };
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
