/** Writes docs/reference/openapi.json, the document of the cloud as it is served, and the SDK's types made of it. */
import { cloud } from '@pileus/core';
import { Kernel, openapi } from '@pileus/core/kernel';
import { backups, nodeEnvironment } from '@pileus/core/node';
import { inlineSqlite } from '@pileus/core/sqlite';
import { describeServer } from '../../packages/sdk/src/document/index.ts';
import { cloudSource } from '../../packages/sdk/src/generate/cloud-source.ts';
import { output } from './outputs.ts';

const nothing = (): never => {
  throw new Error('nothing is stored while a document is made');
};

const modules = cloud({ cloudId: '', imageStore: { write: nothing, open: nothing, head: nothing, delete: nothing, list: nothing } });
const kernel = new Kernel({
  environment: nodeEnvironment(),
  store: inlineSqlite(),
  sealKey: new Uint8Array(32),
  plugins: (services) => [...modules(services), backups(services, '')],
});
const document = openapi(kernel.registry);
await output('docs/reference/openapi.json', `${JSON.stringify(document, null, 1)}\n`);
await output('packages/sdk/src/generated/cloud.ts', cloudSource(describeServer(document), '../runtime.ts'));
