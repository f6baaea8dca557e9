import type { Principal } from '../access.ts';
import type { Action } from '../action.ts';
import { cascadeDelete } from '../cascade/delete.ts';
import type { Endpoint } from '../endpoint.ts';
import type { Id } from '../id.ts';
import type { AnyKind } from '../kind.ts';
import { operation } from '../operation.ts';
import type { Registry } from '../registry.ts';
import { kebab, pascal } from './names.ts';

export const STEERING = ['cancel', 'retry', 'skip'] as const;
export type Steering = (typeof STEERING)[number];

/** Why steering takes no dry run. */
const STEERING_WITHOUT_DRY_RUN: Readonly<Record<Steering, string>> = {
  cancel:
    'What comes of it depends on how far the operation is at that moment; its row tells that, and whether it can still be taken back.',
  retry:
    'It is the step that is tried: nobody knows before what the other side will answer. `attention` of the operation tells what it answered last.',
  skip: 'Whether what is left undone does harm is nothing that the control plane can know. `attention` of the operation names the step.',
};

interface RouteBase {
  readonly method: string;
  /** With the version prefix, `{name}` for parameters. */
  readonly path: string;
  readonly operationId: string;
  /** `none` also lets callers in who have not proven who they are. */
  readonly permission: string | 'none';
}

export type Route = RouteBase &
  (
    | { readonly type: 'list'; readonly kind: AnyKind }
    /** As a list, asked as JSON. A read, whatever its method. */
    | { readonly type: 'query'; readonly kind: AnyKind }
    | { readonly type: 'get'; readonly kind: AnyKind }
    /** `input` says where the action's input is: a body, or for DELETE the query. */
    /** What deleting it would do. */
    | { readonly type: 'deletion'; readonly action: Action }
    | { readonly type: 'action'; readonly action: Action; readonly input: 'body' | 'query' }
    | { readonly type: 'steer'; readonly verb: Steering }
    | { readonly type: 'events' }
    | { readonly type: 'changes' }
    | { readonly type: 'document' }
    | { readonly type: 'endpoint'; readonly endpoint: Endpoint }
  );

export const PREFIX = '/v1';

/** Permission of every authenticated caller. */
export const AUTHENTICATED = 'authenticated';

/** Why a call that changes something takes no dry run; undefined where it does, or changes nothing. */
export function noDryRun(route: Route): string | undefined {
  if (route.type === 'steer') return STEERING_WITHOUT_DRY_RUN[route.verb];
  return route.type === 'endpoint' && 'action' in route.endpoint ? route.endpoint.noDryRun : undefined;
}

/** Who asks where no proof is needed: may nothing. */
export const anonymous: Principal = {
  actor: 'anonymous',
  projectId: '' as Id<'project'>,
  accountId: '' as Id<'account'>,
  allows: () => false,
};

/** All routes that the registry implies, in the order of the document. */
export function routesOf(registry: Registry): readonly Route[] {
  return [
    ...registry.kinds().flatMap((kind) => kindRoutes(registry, kind)),
    ...STEERING.map((verb): Route => {
      const path = `${PREFIX}/${operation.plural}/{idOrName}/${verb}`;
      return { type: 'steer', verb, method: 'POST', path, operationId: `operations.${verb}`, permission: `operation.${verb}` };
    }),
    { type: 'events', method: 'GET', path: `${PREFIX}/events`, operationId: 'events.watch', permission: AUTHENTICATED },
    { type: 'changes', method: 'GET', path: `${PREFIX}/changes`, operationId: 'changes.list', permission: AUTHENTICATED },
    { type: 'document', method: 'GET', path: `${PREFIX}/openapi.json`, operationId: 'openapi.get', permission: AUTHENTICATED },
    ...registry.endpoints().map(endpointRoute),
  ];
}

function kindRoutes(registry: Registry, kind: AnyKind): readonly Route[] {
  const path = `${PREFIX}/${kind.plural}`;
  const permission = `${kind.name}.read`;
  const actions = registry.actions().filter((action) => action.kind.name === kind.name);
  return [
    { type: 'list', kind, method: 'GET', path, operationId: `${kind.plural}.list`, permission },
    { type: 'query', kind, method: 'POST', path: `${path}/query`, operationId: `${kind.plural}.query`, permission },
    { type: 'get', kind, method: 'GET', path: `${path}/{idOrName}`, operationId: `${kind.plural}.get`, permission },
    ...actions.map(actionRoute),
    ...actions.filter((action) => action.saga === cascadeDelete && action.verb === 'delete').map(deletionRoute),
  ];
}

/** Who may delete may know what that would do. */
function deletionRoute(action: Action): Route {
  const { kind, permission } = action;
  const path = `${PREFIX}/${kind.plural}/{idOrName}/deletion`;
  return { type: 'deletion', action, method: 'GET', path, operationId: `${kind.plural}.previewDeletion`, permission };
}

/** `create`, `update` and `delete` have HTTP methods of their own, all other verbs a path. */
function actionRoute(action: Action): Route {
  const collection = `${PREFIX}/${action.kind.plural}`;
  const resource = `${collection}/{idOrName}`;
  const common = {
    type: 'action',
    action,
    operationId: `${action.kind.plural}.${action.verb}`,
    permission: action.permission,
    input: 'body',
  } as const;
  if (action.target === 'collection')
    return { ...common, method: 'POST', path: action.verb === 'create' ? collection : `${collection}/actions/${kebab(action.verb)}` };
  if (action.verb === 'update') return { ...common, method: 'PATCH', path: resource };
  if (action.verb === 'delete') return { ...common, method: 'DELETE', path: resource, input: 'query' };
  return { ...common, method: 'POST', path: `${resource}/${kebab(action.verb)}` };
}

const endpointRoute = (endpoint: Endpoint): Route => ({
  type: 'endpoint',
  endpoint,
  method: endpoint.method,
  path: PREFIX + endpoint.path,
  operationId: endpointName(endpoint),
  permission: endpoint.permission,
});

/** From what it does and where: `images.uploadContent`, `instances.console`, `recovery.get`; alone on its path, `backups.create`. */
function endpointName(endpoint: Endpoint): string {
  const [group = '', ...rest] = endpoint.path.split('/').filter((part) => part !== '' && !part.startsWith('{'));
  const what = pascal(rest.join('-'));
  const verb = { value: endpoint.method === 'GET' ? 'get' : '', change: '', upload: 'upload', download: 'download', socket: 'connect' }[
    endpoint.type
  ];
  const name = verb + what;
  return `${group}.${name === '' ? 'create' : name.charAt(0).toLowerCase() + name.slice(1)}`;
}
