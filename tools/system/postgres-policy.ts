import { mkdir, rm, rmdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Read by the packages of PostgreSQL beside their own configuration, which lies where we do not touch it. */
const DROP_IN = '/etc/postgresql-common/createcluster.d/pileus.conf';

/**
 * Runs `body` while no package may make a database cluster: Debian's would make one that starts with the machine from then on, and ours live no longer than
 * what uses them. A file that a killed run has left behind goes with the next. The caller holds the installation lock.
 */
export async function withoutClusters(body: () => Promise<void>): Promise<void> {
  const made = await mkdir(dirname(DROP_IN), { recursive: true });
  await writeFile(DROP_IN, '# Written by the Pileus set-up for the time of one installation.\ncreate_main_cluster = false\n');
  try {
    await body();
  } finally {
    await rm(DROP_IN, { force: true });
    // What was there before stays; what the packages have put there, too.
    if (made !== undefined) await rmdir(dirname(DROP_IN)).catch(() => undefined);
  }
}
