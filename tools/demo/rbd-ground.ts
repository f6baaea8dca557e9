import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CephCluster } from '../system/ceph-cluster.ts';
import { ensureSystem, type Log } from '../system/ensure.ts';
import { CEPH_PACKAGES } from '../system/packages.ts';
import { type Ground, realGround } from './ground.ts';
import type { Place } from './place.ts';
import { RbdWitness } from './rbd-witness.ts';

const POOL = 'demo';

/** This machine as a host, and a Ceph cluster of its own for the disks: three OSDs, each byte on all of them. */
export async function rbdGround(place: Place, log: Log): Promise<Ground> {
  const system = await ensureSystem({ log, also: CEPH_PACKAGES });
  if (!system.ok) throw new Error(`Ceph cannot be set up here: ${system.reason}`);
  // A cluster ends with the demo that started it: one that was killed leaves nothing but a folder.
  const directory = join(place.dir, 'ceph');
  const backupsDir = join(place.dir, 'backups');
  for (const path of [directory, backupsDir]) await rm(path, { recursive: true, force: true });
  await mkdir(directory);
  if (await place.hasEarlierCloud()) log('An earlier demo was killed, and its disks went with it');
  const ceph = await CephCluster.start({ osds: 3, manager: true, pools: [POOL], directory });
  log(`A Ceph cluster of its own runs: three OSDs, a monitor at ${ceph.monitors[0]}`);
  try {
    const ground = await realGround(place, log);
    const settings = { monitors: ceph.monitors.join(','), pool: POOL, user: ceph.user.name };
    return {
      ...ground,
      pool: ({ zoneId }) => ({ driver: 'rbd', zoneId, settings, secrets: { key: ceph.user.key } }),
      ceph: new DemoPool(ceph),
      backupsDir,
      witness: new RbdWitness(ground.witness, ceph, POOL),
      stop: async (outcome) => {
        await ground.stop(outcome);
        await ceph[Symbol.asyncDispose]();
        for (const path of [directory, backupsDir]) await rm(path, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await ceph[Symbol.asyncDispose]();
    throw error;
  }
}

/** What the cluster itself says of the disks in the pool. */
export class DemoPool {
  readonly #ceph: CephCluster;

  constructor(ceph: CephCluster) {
    this.#ceph = ceph;
  }

  /** `POOL/IMAGE@SNAPSHOT` that a volume is a clone of; undefined when it shares nothing. */
  async parentOf(volumeId: string): Promise<string | undefined> {
    const text = await this.#ceph.rbd('info', '--format=json', `${POOL}/volume-${volumeId}`);
    const { parent } = JSON.parse(text) as {
      readonly parent?: { readonly pool: string; readonly image: string; readonly snapshot: string };
    };
    return parent && `${parent.pool}/${parent.image}@${parent.snapshot}`;
  }
}
