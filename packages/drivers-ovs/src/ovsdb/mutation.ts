import { type ColumnType, shapeOf } from './column-type.ts';
import { encode, encodeAtom } from './values.ts';

const arithmetic: Readonly<Record<string, string>> = { add: '+=', subtract: '-=', multiply: '*=', divide: '/=', modulo: '%=' };

/** A mutation as lines of what is sent. @throws RangeError when the column cannot be changed so */
export function encodeMutation(column: string, type: ColumnType, mutation: object): readonly unknown[] {
  const parts = new Map<string, unknown>(Object.entries(mutation));
  for (const verb of parts.keys()) if (!verbsOf(type).includes(verb)) throw new RangeError(`it takes no '${verb}'`);
  const sums = [...parts].filter(([verb]) => verb in arithmetic);
  return [
    ...sums.map(([verb, value]) => [
      column,
      arithmetic[verb],
      encodeAtom({ ...type.key, min: -Infinity, max: Infinity, allowed: undefined }, value),
    ]),
    ...(parts.has('delete') ? [[column, 'delete', encode(deleted(type), parts.get('delete'))]] : []),
    ...(parts.has('put') ? put(column, type, parts.get('put')) : []),
    ...(parts.has('insert') ? [[column, 'insert', encode(unbounded(type), parts.get('insert'))]] : []),
  ];
}

function verbsOf(type: ColumnType): readonly string[] {
  const shape = shapeOf(type);
  if (shape === 'map') return ['delete', 'put', 'insert'];
  const sums = type.key.kind === 'integer' || type.key.kind === 'real' ? Object.keys(arithmetic) : [];
  return shape === 'scalar' ? sums : [...sums, 'delete', 'insert'];
}

/** Any number of members: whether the whole fits is the server's to say. */
const unbounded = (type: ColumnType): ColumnType => ({ ...type, min: 0, max: Number.POSITIVE_INFINITY });

/** Members of sets are taken out by value, those of maps by key. */
const deleted = (type: ColumnType): ColumnType => ({ ...unbounded(type), value: undefined });

function put(column: string, type: ColumnType, value: unknown): readonly unknown[] {
  const insertion = encode(unbounded(type), value) as readonly [string, readonly (readonly unknown[])[]];
  return [
    [column, 'delete', ['set', insertion[1].map(([key]) => key)]],
    [column, 'insert', insertion],
  ];
}
