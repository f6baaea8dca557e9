import { type Action, cascadeDelete, type Registry } from '@pileus/core/kernel';
import { noDryRun, type Route, routesOf } from '../../../packages/core/src/kernel/api/routes.ts';
import { cell } from '../schema.ts';
import { code, kindPages, Links, page, table } from './pages.ts';

/** docs/reference/actions.md: all that can be called, by what it takes to be allowed. */
export function actionsPage(registry: Registry): string {
  const links = new Links(registry);
  const routes = routesOf(registry);
  const sections = kindPages(registry)
    .flatMap(({ kinds }) => kinds)
    .flatMap((kind) => {
      const rows = routes.flatMap((route) =>
        route.type === 'action' && route.action.kind.name === kind.name ? [actionRow(links, route, route.action)] : [],
      );
      return rows.length === 0 ? [] : [`## ${kind.name}`, table(['Action', 'Call', 'Permission', 'Errors of its own', 'Saga'], rows)];
    });
  const others = routes.flatMap((route) =>
    route.type === 'endpoint'
      ? [[`\`${route.operationId}\``, call(route), cell(route.endpoint.summary), permission(route)]]
      : route.type === 'steer'
        ? [[`\`${route.operationId}\``, call(route), `Steers an operation: ${route.verb}.`, permission(route)]]
        : [],
  );
  return page([
    '# Actions',
    'All that changes a resource is an action; what it takes as input and in which states it runs is told with its [kind](README.md#kinds). Each is accepted with an operation (202), and its saga does the work.',
    `Any call may be answered \`invalid_input\`, \`unauthenticated\`, \`permission_denied\`, \`not_found\`, \`busy\`, \`internal\` or \`unavailable\`; any action also \`precondition_failed\` (with \`If-Match\`), \`idempotency_mismatch\` (with \`Idempotency-Key\`), and what is [specific to it](errors.md), as far as its declaration tells: \`conflict\` where it needs a state, \`name_taken\`, \`quota_exceeded\`, \`refused\` by its [gate](hooks.md), \`in_use\` and \`plan_changed\` of deletions. What an action looks at beyond that, and says, is among the [refusals](refusals.md). Operations may also end with \`no_capacity\`, \`unsupported\`, \`timeout\` or \`cancelled\`.`,
    ...sections,
    '## Calls that are no actions',
    'Lists, reads and queries of each kind are `GET /v1/<kinds>`, `GET /v1/<kinds>/{idOrName}` and `POST /v1/<kinds>/query`, with the permission `<kind>.read`.',
    table(['Call', 'Route', 'Does', 'Permission'], others),
    '## Calls without a dry run',
    'All that changes something takes `?dryRun=true`, but for these: asked with it they are refused (`invalid_input`), and nothing is done.',
    table(
      ['Call', 'Why'],
      routes.flatMap((route) => {
        const why = noDryRun(route);
        return why === undefined ? [] : [[`\`${route.operationId}\``, cell(why)]];
      }),
    ),
  ]);
}

const call = ({ method, path }: Route): string => `\`${method} ${path}\``;
const permission = (route: Route): string => (route.permission === 'none' ? 'none needed' : `\`${route.permission}\``);

function actionRow(links: Links, route: Route, action: Action): readonly string[] {
  return [
    links.kind(action.kind.name, `\`${action.name}\``),
    call(route),
    permission(route),
    code(ownErrors(action)),
    links.saga(action.saga),
  ];
}

function ownErrors({ from, gate, kind, verb, target, saga, input }: Action): readonly string[] {
  const makes = target === 'collection' && verb === 'create';
  const names = 'name' in input.properties || (makes && (kind.unique ?? []).length > 0);
  return [
    ...(from === undefined ? [] : ['conflict']),
    ...(names ? ['name_taken'] : []),
    ...(makes && kind.quota !== undefined ? ['quota_exceeded'] : []),
    ...(gate === undefined ? [] : ['refused']),
    ...(saga === cascadeDelete ? ['in_use', 'plan_changed'] : []),
  ];
}
