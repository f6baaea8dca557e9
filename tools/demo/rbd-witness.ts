import { setTimeout as sleep } from 'node:timers/promises';
import type { CephCluster } from '../system/ceph-cluster.ts';
import type { LookAround } from './ground.ts';

/** What is deleted is freed behind the answer. */
const FREED_MS = 120_000;

/** Looks at libvirt and at the pool with their own programs. */
export class RbdWitness {
  readonly place = 'libvirt and Ceph themselves';
  readonly #libvirt: Pick<LookAround, 'begin' | 'residue'>;
  readonly #ceph: Pick<CephCluster, 'rbd'>;
  readonly #pool: string;

  constructor(libvirt: Pick<LookAround, 'begin' | 'residue'>, ceph: Pick<CephCluster, 'rbd'>, pool: string) {
    this.#libvirt = libvirt;
    this.#ceph = ceph;
    this.#pool = pool;
  }

  begin(): Promise<void> {
    return this.#libvirt.begin();
  }

  /** @param freedMs how long is waited for what is being freed */
  async residue(freedMs = FREED_MS): Promise<readonly string[]> {
    const deadline = performance.now() + freedMs;
    let things = await this.#things();
    for (; things.length > 0 && performance.now() < deadline; things = await this.#things()) await sleep(500);
    return [...(await this.#libvirt.residue()), ...things];
  }

  /** Images with their snapshots and locks, and what is in the trash; one line each. */
  async #things(): Promise<readonly string[]> {
    const list = async <T>(...words: readonly string[]) => JSON.parse(await this.#ceph.rbd(...words, '--format=json')) as readonly T[];
    const images = await list<string>('ls', this.#pool);
    const within = images.map(async (image) => {
      const snapshots = await list<{ readonly name: string }>('snap', 'ls', '--all', `${this.#pool}/${image}`);
      const locks = await list<{ readonly locker: string }>('lock', 'ls', `${this.#pool}/${image}`);
      return [...snapshots.map(({ name }) => `snapshot ${image}@${name}`), ...locks.map(({ locker }) => `lock of ${locker} on ${image}`)];
    });
    const trash = await list<{ readonly name: string }>('trash', 'ls', '--all', this.#pool);
    return [...images.map((name) => `image ${name}`), ...(await Promise.all(within)).flat(), ...trash.map(({ name }) => `trash ${name}`)];
  }
}
