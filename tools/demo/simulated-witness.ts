import { readFile, rm } from 'node:fs/promises';

/** Looks at the pretended world, which is in the memory of the server: what it still held when the server ended by itself. */
export class SimulatedWitness {
  readonly place = 'the pretended world itself';
  readonly #path: string;

  /** @param path where the drivers write it down */
  constructor(path: string) {
    this.#path = path;
  }

  async begin(): Promise<void> {
    await rm(this.#path, { force: true });
  }

  /** What it held, one line each. */
  async residue(): Promise<readonly string[]> {
    const text = await readFile(this.#path, 'utf8').catch(() => undefined);
    return text === undefined ? ['nobody knows what: the server did not end by itself'] : JSON.parse(text);
  }
}
