import type { Principal } from '../access.ts';
import { CloudError } from '../errors.ts';
import type { AnyKind } from '../kind.ts';
import type { Condition, FieldPath, Step } from '../store.ts';
import { TAG, TAG_KEY, TAG_VALUE } from '../tags/names.ts';
import { PATH_MAX } from './ast.ts';
import { type CompileContext, isName, partOf, wrongPath } from './compile.ts';
import type { Link, Place, Shape } from './graph.ts';

/** What rows are sorted, grouped and measured by: a field of theirs, or of the row that references lead to. */
export interface Leaf extends FieldPath {
  /** As the caller wrote it. */
  readonly path: string;
  readonly shape: Shape;
}

export interface AlongContext extends CompileContext {
  readonly principal: Pick<Principal, 'projectId'>;
  /** The parameter that names the path, for refusals. */
  readonly parameter: string;
}

/**
 * The field that a path leads to, e.g. `host.zone.name`, or `tags.env`. What the caller does not see is as if it were not there.
 * @throws CloudError `invalid_input` when it leads to several rows, or to none that is known, and what `visible` throws
 */
export function leafAlong(path: string, kind: AnyKind, context: AlongContext): Leaf {
  const names = path.split('.');
  const via: Step[] = [];
  let place = context.graph.place(kind);
  while (via.length < PATH_MAX) {
    const [name = '', ...rest] = names;
    const link = place.fields.has(name) ? undefined : place.links.get(name);
    if (link === undefined || rest.length === 0) break;
    const tag = tagKey(link, rest, context);
    if (tag !== undefined) {
      via.push(stepOf(link, [tagged(tag, place, context)], context));
      return { path, field: TAG_VALUE, via, shape: { type: 'string' } };
    }
    if (link.remote !== 'id') throw several(path, name, link, context.parameter);
    via.push(stepOf(link, [], context));
    place = context.graph.place(link.kind);
    names.shift();
  }
  const field = names.join('.');
  return { path, field, shape: shapeAt(names, place, path, context.parameter), ...(via.length === 0 ? {} : { via }) };
}

function stepOf({ kind, local, remote }: Link, more: readonly Condition[], context: AlongContext): Step {
  const visible = context.visible(kind);
  const and = [...more, ...(visible === undefined ? [] : [visible])];
  return { table: kind.name, local, remote, ...(and.length === 0 ? {} : { where: { and } }) };
}

const tagKey = ({ kind }: Link, [key, ...rest]: readonly string[], { graph }: AlongContext): string | undefined =>
  kind.name === TAG && rest.length === 0 && key !== undefined && isName(key) && !graph.place(kind).fields.has(key) ? key : undefined;

/** What belongs to no project may bear the tag once in each: then that of the project at work counts. */
function tagged(key: string, { kind }: Place, { principal }: AlongContext): Condition {
  const keyed: Condition = { field: TAG_KEY, op: '=', value: key };
  return kind.scope === 'project' ? keyed : { and: [keyed, { field: 'projectId', op: '=', value: principal.projectId }] };
}

function shapeAt([first = '', ...rest]: readonly string[], place: Place, path: string, parameter: string): Shape {
  let shape = place.fields.get(first);
  for (const name of rest) shape = shape === undefined ? undefined : partOf(shape, name);
  if (shape === undefined || !isName(path)) throw wrongPath(path, place, parameter);
  return shape;
}

const several = (path: string, name: string, { kind }: Link, parameter: string): CloudError =>
  new CloudError(
    'invalid_input',
    `The parameter ${parameter} names ${path}, but ${name} leads to several ${kind.plural}: only one has one value.`,
    {
      params: { parameter, field: path },
    },
  );
