import { CloudError } from '../errors.ts';
import type { AnyKind } from '../kind.ts';
import { compileOwn } from '../query/compile.ts';
import { fieldsOf } from '../query/graph.ts';
import { parseFilter as read } from '../query/parser.ts';
import type { Registry } from '../registry.ts';
import type { Condition } from '../store.ts';
import { TAG } from '../tags/names.ts';
import { type FieldType, filterFields } from './fields.ts';

/**
 * Reads a filter over fields of the row alone, for rules that are checked row by row.
 * @throws CloudError `invalid_input` that says where, and for a field what else can be filtered.
 */
export const parseFilter = (text: string, fields: ReadonlyMap<string, FieldType>): Condition =>
  compileOwn(read(text), new Map([...fields].map(([field, type]) => [field, { type }])));

/**
 * The same for the rule of a role: over the indexed fields of a kind's rows and, of what belongs to a project, its tags (`tags.env = 'prod'`). What else is
 * tagged may be so by any project, and no tenant's tags decide about another.
 */
export function parseRule(text: string, kind: AnyKind, registry: Pick<Registry, 'findKind' | 'takesAttached'>): Condition {
  const fields = new Map([...filterFields(kind)].map(([field, type]) => [field, { type }]));
  return compileOwn(read(text), fields, kind.scope === 'project' && registry.takesAttached(kind) ? registry.findKind(TAG) : undefined);
}

/** The same over every field of a kind's rows: for what is looked through one by one anyway. */
export const parseRowFilter = (text: string, kind: AnyKind): Condition => compileOwn(read(text), fieldsOf(kind));

export const unknownField = (field: string, fields: ReadonlyMap<string, FieldType>): CloudError =>
  new CloudError(
    'invalid_input',
    `The field ${field} is no parameter; these are: ${[...fields.keys()].join(', ')}. All fields can be asked for in filter.`,
    {
      params: { parameter: field, field, fields: [...fields.keys()] },
    },
  );
