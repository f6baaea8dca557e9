import { cloud } from '../../src/cloud/index.ts';
import { Kernel, type PluginSource, type Registry } from '../../src/kernel/index.ts';
import { nodeEnvironment } from '../../src/node/index.ts';
import { inlineSqlite } from '../../src/sqlite/index.ts';

const nothing = (): never => {
  throw new Error('no image is kept here');
};

/** The kinds of the whole cloud, and of further plugins, which does not run. */
export function cloudRegistry(plugins: readonly PluginSource[] = []): Registry {
  const content = { write: nothing, open: nothing, head: nothing, delete: nothing, list: nothing };
  const imageStore = { ...content, append: nothing, part: nothing, parts: nothing, deletePart: nothing };
  const modules = cloud({ cloudId: '', imageStore, plugins });
  return new Kernel({ environment: nodeEnvironment(), store: inlineSqlite(), sealKey: new Uint8Array(32), plugins: modules }).registry;
}
