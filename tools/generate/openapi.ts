/** Writes docs/reference/openapi.json, the document of the cloud as it is served, and the SDK's types made of it. */
import { openapi } from '@pileus/core/kernel';
import { describeServer } from '../../packages/sdk/src/document/index.ts';
import { cloudSource } from '../../packages/sdk/src/generate/cloud-source.ts';
import { output } from './outputs.ts';
import { wholeCloud } from './whole-cloud.ts';

const document = openapi(wholeCloud());
await output('docs/reference/openapi.json', `${JSON.stringify(document, null, 1)}\n`);
await output('packages/sdk/src/generated/cloud.ts', cloudSource(describeServer(document), '../runtime.ts'));
