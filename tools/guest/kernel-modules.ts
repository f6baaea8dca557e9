import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';

export interface KernelModule {
  readonly name: string;
  readonly path: string;
}

/** Finds the named modules and all that they depend on, each after its dependencies: the order to load them in. */
export async function modulesInLoadOrder(modulesDir: string, names: readonly string[]): Promise<readonly KernelModule[]> {
  const paths = new Map<string, string>();
  for (const file of await readdir(modulesDir, { recursive: true })) {
    if (file.endsWith('.ko')) paths.set(moduleName(basename(file, '.ko')), join(modulesDir, file));
  }
  const ordered = new Map<string, KernelModule>();
  const visit = async (name: string): Promise<void> => {
    if (ordered.has(name)) return;
    const path = paths.get(name);
    if (path === undefined) throw new Error(`the kernel in ${modulesDir} has no module ${name}`);
    for (const dependency of dependenciesOf(await readFile(path))) await visit(dependency);
    ordered.set(name, { name, path });
  };
  for (const name of names) await visit(moduleName(name));
  return [...ordered.values()];
}

/** A module carries its direct dependencies as a string `depends=a,b` in its .modinfo section. */
export function dependenciesOf(module: Buffer): readonly string[] {
  const start = module.indexOf('\0depends=');
  if (start < 0) return [];
  const list = module.toString('latin1', start + '\0depends='.length, module.indexOf(0, start + 1));
  return list === '' ? [] : list.split(',').map(moduleName);
}

function moduleName(name: string): string {
  return name.replaceAll('-', '_');
}
