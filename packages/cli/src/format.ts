import { type KindDescription, kebab } from '@pileus/sdk/document';
import { UsageError } from './exit.ts';
import { asJson, asYaml, onOneLine } from './printable.ts';
import { columnWidths, line, table } from './table.ts';
import { isBytes, typeOf } from './values.ts';

export const FORMATS = ['table', 'json', 'yaml', 'name'] as const;
export type Format = (typeof FORMATS)[number];

export type Row = Readonly<Record<string, unknown>>;

/** What a value looks like in a table: sizes with a unit, times as an age, nothing as a dash. */
export function cell(field: string, value: unknown, nowMs: number): string {
  if (value === undefined || value === null) return '-';
  if (typeof value === 'number' && isBytes(field)) return size(value);
  if (typeof value === 'string' && field.endsWith('At')) return age(nowMs - Date.parse(value));
  return onOneLine(typeof value === 'object' ? JSON.stringify(value) : String(value));
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;
/** Such sizes are of frames and sectors, where each byte counts. */
const EXACT_BELOW = 64 * 1024;

/** `1.5 GiB` as `1.5GiB`: at most one decimal. A small size that has no such text stays as it is: `1500B`. */
export function size(bytes: number): string {
  if (bytes < EXACT_BELOW && (bytes * 10) % 1024 !== 0) return `${bytes}B`;
  let value = bytes;
  let unit = 0;
  for (; value >= 1024 && unit < UNITS.length - 1; unit += 1) value /= 1024;
  return `${Number(value.toFixed(1))}${UNITS[unit]}`;
}

/** A kind as people write it: `security group`. */
export const inWords = (kind: string): string => kebab(kind).replaceAll('-', ' ');

/** So far the clocks of a server and its clients may be apart. */
const SKEW_MS = 5000;

/** `45s`, `12m`, `3h`, `5d`. */
export function age(ms: number): string {
  if (ms < -SKEW_MS) return `in ${age(-ms)}`;
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

const OWN_COLUMNS_MAX = 4;
const SYSTEM = new Set(['id', 'name', 'state', 'projectId', 'generation', 'revision', 'schemaVersion', 'createdAt', 'updatedAt']);

/** What a table shows unasked: name, state, the first plain fields that every row has, but for bounds; age, id. */
export function defaultColumns({ kind, row }: KindDescription): readonly string[] {
  if (kind === 'operation') return ['id', 'action', 'state', 'percent', 'lastStep', 'resourceId', 'createdAt'];
  const own = (row.required ?? []).filter((field) => {
    const schema = row.properties?.[field];
    // What something may grow to is of less interest than what it is.
    return (
      schema !== undefined &&
      !SYSTEM.has(field) &&
      !/(Max|Min)$/.test(field) &&
      schema.format === undefined &&
      !['array', 'object'].includes(typeOf(schema))
    );
  });
  return ['name', 'state', ...own.slice(0, OWN_COLUMNS_MAX), 'createdAt', 'id'];
}

/** `--columns name,state`. @throws UsageError for what is none of the columns that there are */
export function chosenColumns(text: string, known: readonly string[]): readonly string[] {
  const columns = text.split(',').map((column) => column.trim());
  for (const column of columns)
    if (!known.includes(column))
      throw new UsageError(`--columns: there is no column ${JSON.stringify(column)}.`, `There are: ${known.join(', ')}`);
  return columns;
}

const heading = (column: string): string =>
  column === 'createdAt'
    ? 'AGE'
    : column
        .replace(/At$|Bytes(?=(Max|Min)?$)/, '')
        .replaceAll(/[A-Z]/g, (letter) => ` ${letter}`)
        .toUpperCase();

/** Many rows. JSON and YAML show them as the server sent them. */
export function formatRows(rows: readonly Row[], format: Format, columns: readonly string[], width?: number): string {
  if (format === 'json') return asJson(rows, 2);
  if (format === 'yaml') return asYaml(rows);
  if (format === 'name') return rows.map((row) => `${nameOf(row)}\n`).join('');
  const nowMs = Date.now();
  return table(
    columns.map(heading),
    rows.map((row) => columns.map((column) => cell(column, valueAt(row, column), nowMs))),
    width,
  );
}

/** `stateReason.code` of a row. */
function valueAt(row: Row, path: string): unknown {
  let at: unknown = row;
  for (const name of path.split('.')) at = typeof at === 'object' && at !== null ? (at as Row)[name] : undefined;
  return at;
}

export interface GroupRow {
  readonly by: Row;
  readonly count: number;
  readonly sum: Readonly<Record<string, bigint>>;
  readonly min: Row;
  readonly max: Row;
}

/** Groups as rows. Sums are exact: in JSON and YAML they are texts. */
export function formatGroups(groups: readonly GroupRow[], format: Format, width?: number): string {
  if (format !== 'table') return formatRows(groups.map(plainGroup), format, []);
  const [{ by, sum, min, max } = { by: {}, sum: {}, min: {}, max: {} }] = groups;
  const measured = (name: string, fields: object) => Object.keys(fields).map((field) => `${name} ${heading(field)}`);
  const headings = [...Object.keys(by).map(heading), 'COUNT', ...measured('SUM', sum), ...measured('MIN', min), ...measured('MAX', max)];
  const nowMs = Date.now();
  const cellsOf = (values: Row) => Object.entries(values).map(([field, value]) => cell(field, value, nowMs));
  const cells = groups.map((group) => [
    ...cellsOf(group.by),
    String(group.count),
    ...Object.entries(group.sum).map(([field, value]) => (isBytes(field) ? size(Number(value)) : String(value))),
    ...cellsOf(group.min),
    ...cellsOf(group.max),
  ]);
  return table(headings, cells, width);
}

const plainGroup = ({ by, count, sum, min, max }: GroupRow): Row => ({
  ...by,
  count,
  sum: Object.fromEntries(Object.entries(sum).map(([field, value]) => [field, String(value)])),
  ...(Object.keys(min).length === 0 ? {} : { min }),
  ...(Object.keys(max).length === 0 ? {} : { max }),
});

/** Operations have no name worth showing. */
const nameOf = (row: Row): string => onOneLine(String(row.action === undefined ? row.name : row.id));

/** One row: in a table, its fields one below the other. */
export function formatRow(sent: Row, format: Format): string {
  if (format === 'json') return asJson(sent, 2);
  const row = readable(sent);
  if (format === 'yaml') return asYaml(row);
  if (format === 'name') return `${nameOf(row)}\n`;
  const nowMs = Date.now();
  const widest = Math.max(...Object.keys(row).map((field) => field.length));
  return Object.entries(row)
    .map(([field, value]) => `${field.padEnd(widest)}  ${explained(field, value, nowMs)}\n`)
    .join('');
}

/** How it is carried out concerns the server; it is in the other formats. Its name is its id. */
const WITHIN = new Set([
  ...['name', 'accountId', 'saga', 'node', 'epoch', 'incarnation', 'keys', 'keyCount', 'place', 'attempt', 'stepsDone'],
  ...['generation', 'revision', 'schemaVersion', 'updatedAt'],
]);

/** The same of an operation: in a table, what whoever waits for it asks. */
export const formatOperation = (row: Row, format: Format): string =>
  formatRow(format === 'table' ? Object.fromEntries(Object.entries(row).filter(([field]) => !WITHIN.has(field))) : row, format);

const FIRST = ['name', 'id', 'state', 'stateReason'];
const LAST = ['generation', 'observedGeneration', 'revision', 'schemaVersion', 'createdAt', 'updatedAt', 'deletedAt'];
/** What a person looks for first, first; the bookkeeping last. */
function readable(row: Row): Row {
  const place = (field: string): number => (LAST.includes(field) ? 1 : FIRST.includes(field) ? FIRST.indexOf(field) - FIRST.length : 0);
  return Object.fromEntries(Object.entries(row).sort(([one], [other]) => place(one) - place(other)));
}

function explained(field: string, value: unknown, nowMs: number): string {
  const short = cell(field, value, nowMs);
  if (typeof value === 'string' && field.endsWith('At')) return `${value} (${short.startsWith('in ') ? short : `${short} ago`})`;
  return typeof value === 'number' ? exact(field, value) : short;
}

/** A number as it is, and a size as people read it, too. */
export const exact = (field: string, value: number): string =>
  isBytes(field) && value >= 1024 ? `${value} (${size(value)})` : isBytes(field) ? size(value) : String(value);

/** Rows that come one by one while a list is watched: a table that grows, or one JSON value a line. */
export class RowStream {
  readonly #format: Format;
  readonly #columns: readonly string[];
  #widths: number[] = [];

  constructor(format: Format, columns: readonly string[]) {
    this.#format = format;
    this.#columns = columns;
  }

  /** The first rows, which the widths are taken from. */
  begin(rows: readonly Row[]): string {
    if (this.#format !== 'table') return rows.map((row) => this.next('listed', row)).join('');
    const nowMs = Date.now();
    const headings = ['CHANGE', ...this.#columns.map(heading)];
    const cells = rows.map((row) => ['listed', ...this.#columns.map((column) => cell(column, row[column], nowMs))]);
    this.#widths = columnWidths(headings, cells).map((width, index) => Math.max(width, index === 0 ? 'updated'.length : 10));
    return [headings, ...cells].map((row) => `${line(row, this.#widths)}\n`).join('');
  }

  next(change: string, row: Row): string {
    if (this.#format === 'json') return asJson({ change, row });
    if (this.#format === 'yaml') return `---\n${asYaml({ change, row })}`;
    if (this.#format === 'name') return `${nameOf(row)}\n`;
    return `${line([change, ...this.#columns.map((column) => cell(column, row[column], Date.now()))], this.#widths)}\n`;
  }
}
