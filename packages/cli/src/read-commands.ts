import type { List, ListOptions, LooseGraph, Resource, UntypedRow } from '@pileus/sdk';
import type { KindDescription, Schema } from '@pileus/sdk/document';
import { type Command, Option } from 'commander';
import { asRow, outputOption } from './accept.ts';
import { UsageError } from './exit.ts';
import {
  chosenColumns,
  type Format,
  formatGroups,
  formatOperation,
  formatRow,
  formatRows,
  type GroupRow,
  type Row,
  RowStream,
} from './format.ts';
import { type LinkedColumn, linkedColumns, listColumns, withLinked } from './linked-columns.ts';
import { idOf, type Server } from './server.ts';
import type { Session } from './session.ts';
import { choicesOf, flagNames, parseValue } from './values.ts';
import { withSentence, withWait } from './waiting.ts';

interface ListFlags {
  readonly output: Format;
  readonly columns?: string;
  readonly filter?: string;
  readonly sort?: string;
  readonly limit?: number;
  readonly deleted?: boolean;
  readonly allProjects?: boolean;
  readonly watch?: boolean;
  readonly fields?: string;
  readonly count?: boolean;
  readonly groupBy?: string;
  readonly sum?: string;
  readonly min?: string;
  readonly max?: string;
  readonly [field: string]: unknown;
}

type Rows = Resource<string, UntypedRow>;
type Options = ListOptions<Record<string, string | number | boolean>>;

/** Fields whose equality is worth a flag of its own; the others go through --filter. */
const plainFilters = ({ filters }: KindDescription): readonly (readonly [string, Schema])[] =>
  Object.entries(filters).filter(([field]) => !['id', 'generation', 'revision', 'createdAt', 'updatedAt', 'deletedAt'].includes(field));

export function addList(parent: Command, session: Session, server: Server, kind: KindDescription): void {
  const command = parent
    .command('list')
    .alias('ls')
    .description(`Lists ${kind.plural}.`)
    .addOption(outputOption())
    .option('--columns <fields>', 'fields to show in the table, with commas between')
    .option('--fields <fields>', 'fields to ask for, and to show in the table, with commas between')
    .option('--filter <condition>', `e.g. "state = 'running' and has(volumes: sizeBytes > 100GiB)"`)
    .addOption(
      new Option('--sort <fields>', `order, with commas between; -field for the other way round (${kind.sorts.join(', ')}, or any of few)`),
    )
    .addOption(new Option('--limit <number>', 'rows at most').argParser(Number))
    .option('--deleted', 'also deleted ones')
    .option('--all-projects', 'those of every project, for the operator')
    .option('--count', 'only how many there are')
    .option('--group-by <fields>', 'how many there are with each value of these fields')
    .option('--sum <fields>', 'with --group-by: sums of these fields; alone: of all')
    .option('--min <fields>', 'the same with the least value of these fields')
    .option('--max <fields>', 'the same with the greatest')
    .option('-w, --watch', 'go on showing what changes');
  for (const { field, schema, names } of filterFlags(kind)) {
    const text = names.map((name) => `--${name}`);
    const choices = field === 'state' ? Object.keys(kind.states) : choicesOf(kind.row.properties?.[field] ?? schema);
    const option = new Option(`${text.join(', ')} <value>`, `only those with this ${field}`);
    command.addOption(choices === undefined ? option : option.choices([...choices]));
  }
  command.action(async (flags: ListFlags) => {
    const rows: Rows = server.cloud.resource(kind);
    const options = await listOptions(flags, kind, server, session);
    const isGrouped = [flags.groupBy, flags.sum, flags.min, flags.max].some((asked) => asked !== undefined);
    const isTold = flags.count === true || isGrouped;
    if (flags.watch === true && (isTold || flags.fields !== undefined))
      throw new UsageError('--watch: it shows whole rows; leave out --fields, --count, --group-by, --sum, --min and --max.');
    // Groups have a count each.
    if (flags.count === true && !isGrouped) return session.out(`${await rows.list(options).count()}\n`);
    if (isTold) {
      const groups = await groupsOf(rows.list(options), flags);
      if (groups.length === 0 && flags.output === 'table') return session.note(noneOf(kind, options));
      return session.out(formatGroups(groups, flags.output, session.width));
    }
    const linked = flags.fields === undefined ? linkedColumns(kind, server) : [];
    const columns = columnsOf(flags, kind, linked);
    // Other forms show rows as the server sent them.
    const complete = async (some: readonly object[]) =>
      flags.output === 'table'
        ? await withLinked(
            some.map((row) => withWait(asRow(row))),
            linked,
            columns,
            session.signal,
          )
        : some.map(asRow);
    if (flags.watch === true) return await watchList(session, { rows, options, complete }, new RowStream(flags.output, columns));
    const list = await rows.list(options).toArray();
    if (list.length === 0 && flags.output === 'table') return session.note(noneOf(kind, options));
    session.out(formatRows(await complete(list), flags.output, columns, session.width));
  });
}

const isNarrowed = ({ where = {}, filter }: Options): boolean => Object.keys(where).length > 0 || filter !== undefined;

/** That there are none at all is another answer than that none is as asked for. */
const noneOf = ({ plural }: KindDescription, options: Options): string => `There are no ${isNarrowed(options) ? 'such ' : ''}${plural}.`;

/** The filters as flags, shortest names first: a short name gives way to the full name of another field. */
function filterFlags(kind: KindDescription) {
  const filters = plainFilters(kind).map(([field, schema]) => ({ field, schema, names: flagNames(field, schema) }));
  const full = new Set(filters.map(({ names }) => names.at(-1)));
  return filters.map(({ names, ...filter }) => ({
    ...filter,
    names: names.filter((name, index) => index === names.length - 1 || !full.has(name)),
  }));
}

/** What was asked for by name, or what a list shows unasked. */
function columnsOf({ columns, fields, allProjects }: ListFlags, kind: KindDescription, linked: readonly LinkedColumn[]): readonly string[] {
  if (columns !== undefined) return chosenColumns(columns, [...Object.keys(kind.row.properties ?? {}), ...linked.map(({ name }) => name)]);
  if (fields !== undefined) return listed(fields);
  const [name = 'name', ...more] = listColumns(kind, linked);
  return allProjects === true && kind.row.properties?.projectId !== undefined ? [name, 'projectId', ...more] : [name, ...more];
}

const listed = (text: string | undefined): readonly string[] => (text ?? '').split(',').flatMap((field) => field.trim() || []);

function groupsOf(rows: List<UntypedRow, LooseGraph>, flags: ListFlags): Promise<readonly GroupRow[]> {
  return rows.groups({ by: listed(flags.groupBy), sum: listed(flags.sum), min: listed(flags.min), max: listed(flags.max) });
}

async function listOptions(flags: ListFlags, kind: KindDescription, server: Server, session: Session): Promise<Options> {
  const where: Record<string, string | number | boolean> = {};
  for (const { field, schema, names } of filterFlags(kind)) {
    const given = flags[attributeOf(names.at(-1) ?? '')];
    if (given === undefined) continue;
    const linked = { ...schema, ...(kind.row.properties?.[field] ?? {}) };
    const value = await parseValue(String(given), linked, field, `--${names[0]}`, (refKind, named) => idOf(server, refKind, named));
    where[field] = value as string | number | boolean;
  }
  if (flags.limit !== undefined && !(Number.isInteger(flags.limit) && flags.limit > 0))
    throw new UsageError('--limit: it must be a whole number of at least 1.');
  // Of operations the newest are of interest, of everything else all.
  const sort = flags.sort ?? (kind.kind === 'operation' ? '-createdAt' : undefined);
  return {
    where,
    signal: session.signal,
    ...(flags.filter === undefined ? {} : { filter: flags.filter }),
    ...(sort === undefined ? {} : { sort: listed(sort) }),
    ...(flags.fields === undefined ? {} : { fields: listed(flags.fields) }),
    ...(flags.limit === undefined ? {} : { limit: flags.limit }),
    ...(flags.deleted === undefined ? {} : { deleted: flags.deleted }),
    ...(flags.allProjects === undefined ? {} : { allProjects: flags.allProjects }),
  };
}

const attributeOf = (name: string): string => name.replaceAll(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

interface Watched {
  readonly rows: Rows;
  readonly options: Options;
  /** With what the columns want to know of other rows. */
  readonly complete: (rows: readonly object[]) => Promise<readonly Row[]>;
}

/** The list, then its rows as they change. Whether a changed row still belongs to it, the server says. */
async function watchList(session: Session, { rows, options, complete }: Watched, stream: RowStream): Promise<void> {
  const show = async (change: string, row: object) => {
    for (const completed of await complete([row])) session.out(stream.next(change, completed));
  };
  const conditions = isNarrowed(options);
  for await (const event of rows.follow(options)) {
    if (event.type === 'listed') session.out(stream.begin(await complete(event.rows)));
    else if (event.type === 'deleted' || !conditions) await show(event.type, event.row);
    else {
      const row = await rows.list({ ...options, filter: joined(options.filter, event.id) }).first();
      if (row !== undefined) await show(event.type, row);
    }
  }
}

const joined = (filter: string | undefined, id: string): string => (filter === undefined ? `id = '${id}'` : `(${filter}) and id = '${id}'`);

export function addGet(parent: Command, session: Session, server: Server, kind: KindDescription): void {
  parent
    .command('get')
    .alias('show')
    .description(`Shows one ${kind.kind}.`)
    .argument(`<${kind.kind === 'operation' ? 'id' : 'name'}>`, 'name or id')
    .addOption(outputOption())
    .option('-w, --watch', 'go on showing how it changes')
    .action(async (named: string, flags: { readonly output: Format; readonly watch?: boolean }) => {
      const rows: Rows = server.cloud.resource(kind);
      const row = await rows.get(named, { signal: session.signal });
      const shown = (of: object): string =>
        kind.kind === 'operation'
          ? formatOperation(withSentence(asRow(of), flags.output), flags.output)
          : formatRow(asRow(of), flags.output);
      session.out(shown(row));
      if (flags.watch !== true) return;
      for await (const change of rows.watch({ signal: session.signal })) {
        if (change.id !== row.id) continue;
        session.out(`${flags.output === 'table' ? `\n${change.type}\n` : ''}${shown(change.row)}`);
        if (change.type === 'deleted') return;
      }
    });
}
