import { CloudError } from '../errors.ts';
import type { Route } from './routes.ts';

export interface Match {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
}

interface Node {
  readonly children: Map<string, Node>;
  parameter: Node | undefined;
  readonly methods: Map<string, Route>;
}
const node = (): Node => ({ children: new Map(), parameter: undefined, methods: new Map() });

/** A tree of path segments, made once: a look-up costs one map access a segment, however many routes there are. */
export class Router {
  readonly #root = node();

  /** @throws Error naming both routes when two claim one method and path. */
  constructor(routes: readonly Route[]) {
    for (const route of routes) {
      let at = this.#root;
      for (const segment of segmentsOf(route.path)) {
        let next = segment.startsWith('{') ? at.parameter : at.children.get(segment);
        if (next === undefined) {
          next = node();
          if (segment.startsWith('{')) at.parameter = next;
          else at.children.set(segment, next);
        }
        at = next;
      }
      const other = at.methods.get(route.method);
      if (other !== undefined) throw new Error(`${other.operationId} and ${route.operationId} are both ${route.method} ${route.path}`);
      at.methods.set(route.method, route);
    }
  }

  /** @throws CloudError `not_found`, `method_not_allowed` with the methods that are, `invalid_input` for a path that cannot be decoded. */
  match(method: string, path: string): Match {
    const segments = segmentsOf(path);
    const allowed = new Set<string>();
    const route = find(this.#root, segments, 0, method, allowed);
    if (route !== undefined) return { route, params: paramsOf(route, segments) };
    if (allowed.size === 0) throw new CloudError('not_found', 'There is no such path. GET /v1/openapi.json tells of those that there are.');
    throw new CloudError('method_not_allowed', `This path takes ${[...allowed].join(', ')}.`, { params: { allow: [...allowed] } });
  }
}

const segmentsOf = (path: string): string[] => path.split('/').slice(1);

/** What can be read can be asked for without its body. */
const hasHead = (route: Route | undefined): boolean =>
  route?.method === 'GET' && !(route.type === 'endpoint' && route.endpoint.type === 'socket');

/** A literal segment goes before a parameter; where it leads nowhere, the parameter is tried. */
function find(at: Node, segments: readonly string[], index: number, method: string, allowed: Set<string>): Route | undefined {
  const segment = segments[index];
  if (segment === undefined) {
    const { methods } = at;
    for (const known of methods.keys()) for (const name of hasHead(methods.get(known)) ? [known, 'HEAD'] : [known]) allowed.add(name);
    const asGet = methods.get('GET');
    return methods.get(method) ?? (method === 'HEAD' && hasHead(asGet) ? asGet : undefined);
  }
  const literal = at.children.get(segment);
  const found = literal === undefined ? undefined : find(literal, segments, index + 1, method, allowed);
  if (found !== undefined || at.parameter === undefined || segment === '') return found;
  return find(at.parameter, segments, index + 1, method, allowed);
}

function paramsOf(route: Route, segments: readonly string[]): Record<string, string> {
  const params: Record<string, string> = {};
  const names = segmentsOf(route.path);
  for (let index = 0; index < names.length; index += 1) {
    const name = names[index] as string;
    if (name.startsWith('{')) params[name.slice(1, -1)] = decode(segments[index] as string);
  }
  return params;
}

function decode(segment: string): string {
  if (!segment.includes('%')) return segment;
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new CloudError('invalid_input', 'The path is not validly percent-encoded.');
  }
}
