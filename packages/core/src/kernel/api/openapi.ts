import type { Json, JsonObject } from '../json.ts';
import type { Registry } from '../registry.ts';
import { componentsOf } from './openapi-components.ts';
import { operationObject } from './openapi-operations.ts';
import { schemaName } from './openapi-parameters.ts';
import { problemResponses } from './openapi-problems.ts';
import { routesOf } from './routes.ts';

const DESCRIPTION = `Every change is an action: it is accepted durably (202), runs as an operation, and ends in success or in a clean unwind.
Lists filter, sort and page; \`/v1/events\` streams every change. What answers GET answers HEAD. Extensions: \`x-pileus-kind\` and \`x-pileus-states\` (the state machine) on row schemas,
\`x-ref\` on fields that point to another kind, \`x-secret\` on fields that are sealed, \`x-sealed\` where rows hold the reference, \`x-pileus-links\` (where queries go), \`x-pileus-action\` and \`x-pileus-permission\` on operations,
\`x-pileus-makes\` on actions that make something beside their resource, whose id is in the operation's \`notes\` (as \`volumeId\`),
\`x-pileus-type\` on operations that are not plain JSON (upload, download, socket, events).`;

/** The OpenAPI 3.1 document of everything the registry declares; the same registry gives the same bytes. */
export function openapi(registry: Registry): JsonObject {
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of routesOf(registry)) {
    if (route.type === 'endpoint' && route.endpoint.internal === true) continue;
    paths[route.path] ??= {};
    (paths[route.path] as Record<string, Json>)[route.method.toLowerCase()] = operationObject(route);
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Pileus', version: '1', description: DESCRIPTION, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    servers: [{ url: '/' }],
    security: [{ apiKey: [] }],
    tags: registry.kinds().map((kind) => ({ name: kind.plural, description: kind.description, 'x-pileus-kind': schemaName(kind) })),
    paths,
    components: {
      securitySchemes: { apiKey: { type: 'http', scheme: 'bearer', description: 'An API key, `pil_…`.' } },
      responses: problemResponses(),
      schemas: componentsOf(registry),
    },
  };
}
