import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { CACHE_DIR } from '../system/ensure.ts';
import { exists } from '../system/packages.ts';
import { LOG } from './server-process.ts';

/** Sockets lie below the folder of our libvirtd, and the path of a socket has 107 bytes at most. */
const SOCKET_ROOT_LENGTH_MAX = 60;
const END_TIMEOUT_MS = 10_000;

/** A process number is used again one day; the start time tells whether it is still the same process. */
interface ProcessMark {
  readonly pid: number;
  readonly startTime: string;
}

interface Claim {
  readonly demo: ProcessMark;
  readonly server?: ProcessMark;
}

/** The folder of a demo: one demo at a time, and the next one finds what a killed one left. */
export class Place {
  readonly dir: string;
  /** Tells the things of this folder from those of another on the same libvirtd. */
  readonly tag: string;
  #claim: Claim;

  private constructor(dir: string, claim: Claim) {
    this.dir = dir;
    this.tag = createHash('sha256').update(dir).digest('hex').slice(0, 8);
    this.#claim = claim;
  }

  /** Takes the folder, and ends the server that a killed demo left running. @throws Error when a demo is running in it */
  static async claim(): Promise<Place> {
    const dir = resolve(process.env.PILEUS_STATE ?? join(CACHE_DIR, 'demo'));
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const earlier = await readClaim(dir);
    if (earlier !== undefined && earlier.demo.pid !== process.pid && (await runs(earlier.demo)))
      throw new Error(`a demo is running in ${dir} (process ${earlier.demo.pid}); end it, or set PILEUS_STATE to another folder`);
    if (earlier?.server !== undefined) await end(earlier.server);
    const place = new Place(dir, { demo: await markOf(process.pid) });
    await place.#write();
    return place;
  }

  get serverDir(): string {
    return join(this.dir, 'server');
  }

  get libvirtDir(): string {
    const inside = join(this.dir, 'libvirt');
    return inside.length <= SOCKET_ROOT_LENGTH_MAX ? inside : `/tmp/pileus-demo-${this.tag}`;
  }

  /** Of a host of its own, with OVN. */
  get hostDir(): string {
    const inside = join(this.dir, 'host');
    return inside.length <= SOCKET_ROOT_LENGTH_MAX ? inside : `/tmp/pileus-demo-${this.tag}-host`;
  }

  /** True when a demo that was killed left its cloud here. */
  hasEarlierCloud(): Promise<boolean> {
    return exists(join(this.serverDir, 'root-key'));
  }

  async rememberServer(pid: number): Promise<void> {
    this.#claim = { ...this.#claim, server: await markOf(pid) };
    await this.#write();
  }

  /** Puts the server's log where the end of the cloud does not take it along; answers its path. */
  async keepLog(): Promise<string> {
    const kept = join(this.dir, 'failed-server.log');
    await copyFile(join(this.serverDir, LOG), kept);
    return kept;
  }

  /** The cloud's data; what is real must be gone before. */
  async forgetCloud(): Promise<void> {
    await rm(this.serverDir, { recursive: true, force: true });
  }

  async release(): Promise<void> {
    await rm(claimPath(this.dir), { force: true });
  }

  async #write(): Promise<void> {
    const draft = `${claimPath(this.dir)}.${process.pid}`;
    await writeFile(draft, JSON.stringify(this.#claim));
    await rename(draft, claimPath(this.dir));
  }
}

const claimPath = (dir: string): string => join(dir, 'demo.json');

async function readClaim(dir: string): Promise<Claim | undefined> {
  const text = await readFile(claimPath(dir), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as Claim);
}

async function markOf(pid: number): Promise<ProcessMark> {
  return { pid, startTime: await startTime(pid) };
}

/** In the kernel's ticks since boot; empty when there is no such process, or it has ended and nobody has asked how. */
async function startTime(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The name in parentheses may hold anything; the state comes first after it, and the start time is the 20th field.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' ? '' : (fields[19] ?? '');
}

async function runs({ pid, startTime: known }: ProcessMark): Promise<boolean> {
  return known !== '' && (await startTime(pid)) === known;
}

async function end(mark: ProcessMark): Promise<void> {
  if (!(await runs(mark))) return;
  process.kill(mark.pid, 'SIGKILL');
  const deadline = performance.now() + END_TIMEOUT_MS;
  while ((await runs(mark)) && performance.now() < deadline) await new Promise((resume) => setTimeout(resume, 20));
}
