import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { run } from '../system/command.ts';
import { exists } from '../system/packages.ts';
import type { ArchiveEntry } from './cpio.ts';
import { modulesInLoadOrder } from './kernel-modules.ts';

/** Files by their places in the machine. */
export class Found {
  readonly #roots: readonly string[];
  readonly #entries = new Map<string, ArchiveEntry>();

  /** @param roots where packages are unpacked: looked into before this machine's own files */
  constructor(roots: readonly string[]) {
    this.#roots = roots;
    for (const path of ['dev', 'proc', 'sys', 'run', 'tmp', 'var/lib']) this.#entries.set(path, { kind: 'dir', path });
  }

  text(path: string, content: string): void {
    this.#entries.set(path, { kind: 'file', path, content: Buffer.from(content), executable: false });
  }

  link(path: string, target: string): void {
    if (!this.#entries.has(path.slice(1))) this.#entries.set(path.slice(1), { kind: 'link', path: path.slice(1), target });
  }

  /** The shell, and all that busybox can. */
  async addShell(busyboxPath: string): Promise<void> {
    await this.add('/bin/busybox', busyboxPath);
    const applets = (await run([busyboxPath, '--list'])).split('\n').filter((applet) => applet !== '' && applet !== 'busybox');
    for (const applet of applets) this.link(`/bin/${applet}`, 'busybox');
  }

  /** Drivers, and in `etc/modules` the order to load them in. */
  async addModules(modulesDir: string, names: readonly string[]): Promise<void> {
    const modules = await modulesInLoadOrder(modulesDir, names);
    for (const { name, path } of modules) await this.add(`/lib/modules/${name}.ko`, path);
    this.text('etc/modules', modules.map(({ name }) => `${name}\n`).join(''));
  }

  async add(path: string, source: string, executable = false): Promise<void> {
    const mode = (await stat(source)).mode;
    const content = await readFile(source);
    this.#entries.set(path.slice(1), { kind: 'file', path: path.slice(1), content, executable: executable || (mode & 0o100) !== 0 });
  }

  /** With what `ldd` says that it loads. */
  async addProgram(path: string): Promise<void> {
    const source = await this.#locate(path);
    await this.add(path, source, !path.endsWith('.rules'));
    if (path.endsWith('.rules')) return;
    const libraries = this.#roots.flatMap((root) =>
      ['lib/x86_64-linux-gnu', 'usr/lib/x86_64-linux-gnu', 'lib'].map((dir) => join(root, dir)),
    );
    const env = { ...process.env, LD_LIBRARY_PATH: libraries.join(':') };
    for (const [, name, file] of (await run(['ldd', source], { env })).matchAll(/^\s*(?:(\S+) => )?(\/\S+) \(0x/gm)) {
      if (file === undefined) continue;
      const isLoader = name === undefined;
      await this.add(isLoader ? file : `/usr/lib/x86_64-linux-gnu/${name}`, await realpath(file), true);
    }
  }

  async addDir(dir: string): Promise<void> {
    const source = await this.#locate(dir);
    for (const file of await readdir(source)) {
      if (file.endsWith('.so')) await this.addProgram(join(dir, file));
      else if ((await stat(join(source, file))).isFile()) await this.add(join(dir, file), join(source, file));
    }
  }

  entries(): readonly ArchiveEntry[] {
    const all = new Map<string, ArchiveEntry>();
    const dir = (path: string) => {
      if (path === '.' || all.has(path)) return;
      dir(dirname(path));
      all.set(path, { kind: 'dir', path });
    };
    for (const [path, entry] of this.#entries) {
      dir(dirname(path));
      if (!all.has(path)) all.set(path, entry);
    }
    return [...all.values()];
  }

  async #locate(path: string): Promise<string> {
    const places = [...this.#roots.flatMap((root) => [join(root, path), join(root, 'usr', path)]), path, join('/usr', path)];
    for (const place of places) if (await exists(place)) return realpath(place);
    throw new Error(`nothing installed or unpacked has ${path} (${basename(path)})`);
  }
}
