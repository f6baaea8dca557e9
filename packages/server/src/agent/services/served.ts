import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ServedMachine, ServedNames, ServedNetwork } from '@pileus/core/agent';

export interface Served {
  readonly networks: ServedNetwork;
  readonly machines: ServedMachine;
  readonly names: ServedNames;
}
export type ServedSort = keyof Served;
export const SERVED_SORTS = ['networks', 'machines', 'names'] as const satisfies readonly ServedSort[];

/** `value` is absent of what is not served any more: that something newer was said is remembered. */
interface Said<V> {
  readonly commandId: string;
  readonly value?: V;
}

/**
 * What is served, kept on disk: written by the agent, and read by the process that serves it, which goes on without the agent, the control plane and what it
 * was told before it was started. A file for each thing, replaced whole.
 */
export class ServedFiles {
  readonly #directory: string;
  readonly #said: { readonly [S in ServedSort]: Map<string, Said<Served[S]>> } = {
    networks: new Map(),
    machines: new Map(),
    names: new Map(),
  };

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async open(directory: string): Promise<ServedFiles> {
    const files = new ServedFiles(directory);
    for (const sort of SERVED_SORTS) {
      await mkdir(join(directory, sort), { recursive: true, mode: 0o700 });
      for (const name of await readdir(join(directory, sort)))
        if (name.endsWith('.json')) await files.read(sort, name.slice(0, -'.json'.length));
    }
    return files;
  }

  all<S extends ServedSort>(sort: S): readonly Served[S][] {
    return [...this.#said[sort].values()].flatMap(({ value }) => (value === undefined ? [] : [value]));
  }

  ids(sort: ServedSort): string[] {
    return [...this.#said[sort]].flatMap(([id, { value }]) => (value === undefined ? [] : [id]));
  }

  get<S extends ServedSort>(sort: S, id: string): Served[S] | undefined {
    return this.#said[sort].get(id)?.value;
  }

  /** The command that said it. */
  saidBy(sort: ServedSort, id: string): string {
    return this.#said[sort].get(id)?.commandId ?? '';
  }

  /** Whether something was said later: ids sort by the time they were minted at. */
  isOlder(sort: ServedSort, id: string, commandId: string): boolean {
    const known = this.#said[sort].get(id)?.commandId;
    return known !== undefined && commandId < known;
  }

  /** Durable when it answers. */
  async put<S extends ServedSort>(sort: S, id: string, commandId: string, value: Served[S] | undefined): Promise<void> {
    const said = { commandId, ...(value === undefined ? {} : { value }) };
    const path = this.#path(sort, id);
    const handle = await open(`${path}.new`, 'w', 0o600);
    await handle.writeFile(JSON.stringify(said));
    await handle.sync();
    await handle.close();
    await rename(`${path}.new`, path);
    const directory = await open(join(this.#directory, sort));
    await directory.sync();
    await directory.close();
    this.#said[sort].set(id, said as never);
  }

  /** Reads what was put by another process. */
  async read(sort: ServedSort, id: string): Promise<void> {
    const text = await readFile(this.#path(sort, id), 'utf8').catch(() => undefined);
    if (text === undefined) this.#said[sort].delete(id);
    else this.#said[sort].set(id, JSON.parse(text));
  }

  /** Forgets what was withdrawn before so long. */
  async forget(isOld: (commandId: string) => boolean): Promise<void> {
    for (const sort of SERVED_SORTS)
      for (const [id, { commandId, value }] of this.#said[sort])
        if (value === undefined && isOld(commandId)) {
          this.#said[sort].delete(id);
          await rm(this.#path(sort, id), { force: true });
        }
  }

  #path(sort: ServedSort, id: string): string {
    return join(this.#directory, sort, `${id}.json`);
  }
}
