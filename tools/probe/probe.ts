import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Accelerator, findAccelerator } from '../../packages/drivers-kvm/src/boot-probe.ts';
import { guestParts } from '../guest/initramfs.ts';
import { CACHE_DIR } from '../system/ensure.ts';

const TIMEOUT_MS = 5_000;

/** Finds out by a boot whether guests run under KVM here. Kept until the machine boots anew; the system set-up must have run. */
export async function probeHypervisor(options: { readonly cacheDir?: string } = {}): Promise<Accelerator> {
  const cacheDir = options.cacheDir ?? CACHE_DIR;
  const bootId = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  const path = join(cacheDir, `hypervisor-${bootId}`);
  const known = await readFile(path, 'utf8').catch(() => undefined);
  if (known === 'kvm' || known === 'tcg') return known;

  const { kernelPath } = await guestParts(cacheDir);
  const found = await findAccelerator({ kernelPath, timeoutMs: TIMEOUT_MS });
  await mkdir(cacheDir, { recursive: true });
  await writeFile(`${path}.${process.pid}`, found);
  await rename(`${path}.${process.pid}`, path);
  return found;
}
