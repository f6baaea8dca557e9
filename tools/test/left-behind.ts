import { readdirSync, readFileSync } from 'node:fs';

export interface Running {
  readonly pid: number;
  /** Its command line. */
  readonly words: string;
}

/**
 * Processes that have this word in the environment that they were started with, which their children inherit: so those of a group of tests are known, whoever
 * their parent is by now, and whatever process group, session or namespace they have moved to.
 */
export function runningWith(word: string): readonly Running[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        if (!readFileSync(`/proc/${name}/environ`, 'latin1').split('\0').includes(word)) return [];
        const words = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
        return [{ pid: Number(name), words }];
      } catch {
        // It has ended meanwhile, or is somebody else's.
        return [];
      }
    });
}
