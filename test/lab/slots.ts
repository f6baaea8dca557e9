// A lab's slot is its folder. It appears by one rename, with its state in it, and disappears by another: whoever is killed in between leaves either a lab
// that tells whose it is, or a draft that tells it by its name. So nothing is ever held by nobody.
import { randomInt } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exists } from '../../tools/system/packages.ts';
import { fabricNetns } from './fabric.ts';
import { processStartTime } from './residue.ts';

/** Short, because a unix socket's whole path has 107 bytes. */
export const LABS_DIR = '/tmp/pileus-lab';
const STATE = 'lab.json';
const DRAFT = /^draft-(\d+)-(\d+)-/;

/** A lab's number tells labs on one machine apart, and is the third byte of their addresses. */
const SLOTS = 100;

/** Who made a lab: a process number and its start time, because numbers are used again. */
export interface Owner {
  readonly pid: number;
  readonly startTime: string;
}

export const thisProcess = async (): Promise<Owner> => ({ pid: process.pid, startTime: await processStartTime(process.pid) });

export const lives = async ({ pid, startTime }: Owner): Promise<boolean> => (await processStartTime(pid)) === startTime;

export const labDir = (slot: number): string => join(LABS_DIR, String(slot));

/**
 * Takes a free slot, for good until `releaseSlot`: the first one from `from` on, round and round. By default that is anywhere, so that who has just given one
 * back, and looks whether anything is left of it, does not find what the next one makes there. Answers the state that is kept for it.
 */
export async function claimSlot<S extends { readonly slot: number }>(
  stateOf: (slot: number) => S,
  from: number = randomInt(SLOTS),
): Promise<S> {
  const draft = await draftDir();
  await mkdir(draft, { recursive: true });
  for (let turn = 0; turn < SLOTS; turn += 1) {
    const slot = (from + turn) % SLOTS;
    // Somebody may have removed the folder alone.
    if ((await exists(labDir(slot))) || (await exists(join('/run/netns', fabricNetns(slot))))) continue;
    const state = stateOf(slot);
    await writeFile(join(draft, STATE), JSON.stringify(state), { mode: 0o600 });
    if (await moved(draft, labDir(slot))) return state;
  }
  await rm(draft, { recursive: true });
  throw new Error(`all ${SLOTS} lab slots are taken`);
}

/** Replaces the state that is kept for a slot. */
export async function keepState(state: { readonly slot: number }): Promise<void> {
  const path = join(labDir(state.slot), STATE);
  await writeFile(`${path}.new`, JSON.stringify(state), { mode: 0o600 });
  await rename(`${path}.new`, path);
}

/** Gives a slot back, with all that is in its folder. */
export async function releaseSlot(slot: number): Promise<void> {
  const draft = await draftDir();
  if (await moved(labDir(slot), draft)) await rm(draft, { recursive: true, force: true });
  await rmdir(LABS_DIR).catch(() => {});
}

/** The states of all slots that are taken. */
export async function keptStates(): Promise<readonly string[]> {
  const names = (await readdir(LABS_DIR).catch(() => [])).filter((name) => !DRAFT.test(name));
  const texts = await Promise.all(names.map((name) => readFile(join(LABS_DIR, name, STATE), 'utf8').catch(() => undefined)));
  return texts.filter((text) => text !== undefined);
}

/** Removes folders of processes that were killed before a lab was in them, or while they removed one. */
export async function sweepDrafts(): Promise<void> {
  for (const name of await readdir(LABS_DIR).catch(() => [])) {
    const [, pid, startTime = ''] = DRAFT.exec(name) ?? [];
    if (pid !== undefined && !(await lives({ pid: Number(pid), startTime })))
      await rm(join(LABS_DIR, name), { recursive: true, force: true });
  }
  await rmdir(LABS_DIR).catch(() => {});
}

let drafts = 0;

/** A folder of this process' own, which is not there yet. */
async function draftDir(): Promise<string> {
  const { pid, startTime } = await thisProcess();
  drafts += 1;
  return join(LABS_DIR, `draft-${pid}-${startTime}-${drafts}`);
}

/** False when the place is taken, or there is nothing to move. */
async function moved(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}
