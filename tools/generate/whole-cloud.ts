import { cloud } from '@pileus/core';
import { Kernel, type Registry } from '@pileus/core/kernel';
import { backups, nodeEnvironment } from '@pileus/core/node';
import { inlineSqlite } from '@pileus/core/sqlite';

const nothing = (): never => {
  throw new Error('nothing is stored while documents are made');
};

/** All that the cloud declares as it is served, with no driver and never started. */
export function wholeCloud(): Registry {
  const content = { write: nothing, open: nothing, head: nothing, delete: nothing, list: nothing };
  const modules = cloud({ cloudId: '', imageStore: { ...content, append: nothing, part: nothing, parts: nothing, deletePart: nothing } });
  const kernel = new Kernel({
    environment: nodeEnvironment(),
    store: inlineSqlite(),
    sealKey: new Uint8Array(32),
    plugins: (services) => [...modules(services), backups(services, '')],
  });
  return kernel.registry;
}
