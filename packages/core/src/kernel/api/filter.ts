import { CloudError } from '../errors.ts';
import type { AnyKind } from '../kind.ts';
import { compileOwn } from '../query/compile.ts';
import { fieldsOf } from '../query/graph.ts';
import { parseFilter as read } from '../query/parser.ts';
import type { Condition } from '../store.ts';
import type { FieldType } from './fields.ts';

/**
 * Reads a filter over fields of the row alone, for rules that are checked row by row.
 * @throws CloudError `invalid_input` that says where, and for a field what else can be filtered.
 */
export const parseFilter = (text: string, fields: ReadonlyMap<string, FieldType>): Condition =>
  compileOwn(read(text), new Map([...fields].map(([field, type]) => [field, { type }])));

/** The same over every field of a kind's rows: for what is looked through one by one anyway. */
export const parseRowFilter = (text: string, kind: AnyKind): Condition => compileOwn(read(text), fieldsOf(kind));

export const unknownField = (field: string, fields: ReadonlyMap<string, FieldType>): CloudError =>
  new CloudError(
    'invalid_input',
    `The field ${field} is no parameter; these are: ${[...fields.keys()].join(', ')}. All fields can be asked for in filter.`,
    {
      params: { parameter: 'filter', field, fields: [...fields.keys()] },
    },
  );
