import { cloud } from '../../src/cloud/index.ts';
import { Kernel, type Registry } from '../../src/kernel/index.ts';
import { nodeEnvironment } from '../../src/node/index.ts';
import { inlineSqlite } from '../../src/sqlite/index.ts';

const nothing = (): never => {
  throw new Error('no image is kept here');
};

/** The kinds of the whole cloud, which does not run. */
export function cloudRegistry(): Registry {
  const imageStore = { write: nothing, open: nothing, head: nothing, delete: nothing, list: nothing };
  const modules = cloud({ cloudId: '', imageStore });
  return new Kernel({ environment: nodeEnvironment(), store: inlineSqlite(), sealKey: new Uint8Array(32), plugins: modules }).registry;
}
