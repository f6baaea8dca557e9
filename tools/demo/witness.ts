import { readdir, rmdir } from 'node:fs/promises';
import { run } from '../system/command.ts';

/** Every object of ours carries this in its definition: in the namespace of our mark, or in its name. */
const OURS = 'pileus';

const SHELVES = [
  { what: 'domain', list: ['list', '--all', '--uuid'], show: 'dumpxml' },
  { what: 'network', list: ['net-list', '--all', '--uuid'], show: 'net-dumpxml' },
  { what: 'secret', list: ['secret-list'], show: 'secret-dumpxml' },
  { what: 'pool', list: ['pool-list', '--all', '--uuid'], show: 'pool-dumpxml' },
] as const;

/** Looks at libvirt with virsh, which knows nothing of our own client: what is there that was not there before? */
export class Witness {
  readonly place = 'libvirt itself';
  readonly #socketPath: string;
  readonly #imagesDir: string;
  #before: ReadonlySet<string> = new Set();

  /** @param imagesDir the folder of the demo's pool, by its path on this machine */
  constructor(socketPath: string, imagesDir: string) {
    this.#socketPath = socketPath;
    this.#imagesDir = imagesDir;
  }

  /** Takes down what is there now. */
  async begin(): Promise<void> {
    this.#before = new Set(await this.#ours());
  }

  /** What has our mark now and was not there at the beginning, and files in our pool's folder; one line each. */
  async residue(): Promise<readonly string[]> {
    const objects = (await this.#ours()).filter((line) => !this.#before.has(line));
    const files = (await readdir(this.#imagesDir).catch(() => [])).map((name) => `file ${name}`);
    if (files.length === 0) await rmdir(this.#imagesDir).catch(() => undefined);
    return [...objects, ...files];
  }

  async #ours(): Promise<string[]> {
    const found: string[] = [];
    for (const { what, list, show } of SHELVES) {
      const uuids = (await this.#virsh(...list)).split('\n').map((line) => line.trim().split(/\s+/)[0] ?? '');
      for (const uuid of uuids.filter((line) => line !== ''))
        if ((await this.#virsh(show, uuid).catch(() => '')).includes(OURS)) found.push(`${what} ${uuid}`);
    }
    return found;
  }

  #virsh(...args: readonly string[]): Promise<string> {
    return run(['virsh', '--quiet', '--connect', `qemu:///system?socket=${this.#socketPath}`, ...args]);
  }
}
