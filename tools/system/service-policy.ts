import { chmod, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { exists } from './packages.ts';

const POLICY = '/usr/sbin/policy-rc.d';
const SAVED = '/usr/sbin/policy-rc.d.pileus-saved';
const MARK = '# Written by the Pileus set-up for the time of one installation.';

/**
 * Runs `body` while no package may start a service, then puts back what was there. A run that was killed half way leaves our
 * marked file (and perhaps the saved one): the next run starts by putting that right. The caller holds the installation lock.
 */
export async function withServicesHeld(body: () => Promise<void>): Promise<void> {
  await restore();
  if (await exists(POLICY)) await rename(POLICY, SAVED);
  await writeFile(POLICY, `#!/bin/sh\n${MARK}\nexit 101\n`);
  await chmod(POLICY, 0o755);
  try {
    await body();
  } finally {
    await restore();
  }
}

async function restore(): Promise<void> {
  if (await exists(SAVED)) await rename(SAVED, POLICY);
  else if ((await exists(POLICY)) && (await readFile(POLICY, 'utf8')).includes(MARK)) await rm(POLICY);
}
