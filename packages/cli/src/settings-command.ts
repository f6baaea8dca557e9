import type { Command } from 'commander';
import { asRow, type ChangeFlags, declareChange, outputOption } from './accept.ts';
import { UsageError } from './exit.ts';
import { type Format, formatRows, type Row } from './format.ts';
import { didYouMean } from './near.ts';
import { idOf, kindCalled, type Server } from './server.ts';
import type { Session } from './session.ts';
import { parseValue } from './values.ts';
import { send } from './verb-commands.ts';

const LEVELS = ['zone', 'cluster', 'host', 'instance'] as const;
type PlaceFlags = { readonly [level in (typeof LEVELS)[number]]?: string };
type Shown = PlaceFlags & { readonly output: Format };
type Changing = PlaceFlags & ChangeFlags;

const SOURCES = ['key', 'value', 'level', 'resourceName', 'overrides'];
const DECLARED = ['key', 'default', 'configured', 'levels', 'values', 'description'];
const CHANGES = ['createdAt', 'key', 'level', 'resourceName', 'from', 'to', 'actor', 'id'];

/** A resource that is a level of settings, by its kind and its name or id. */
interface Place {
  readonly kind: string;
  readonly named: string;
}

export function addSettings(program: Command, session: Session): void {
  const settings = program.command('settings').description('Shows and changes how the cloud is run.');
  settings
    .command('list')
    .description('Shows the settings that there are, with what they take.')
    .addOption(outputOption())
    .action(async ({ output }: Shown) => {
      const { cloud } = await session.server();
      const { items } = await cloud.settings.get({ signal: session.signal });
      show(session, items, output, DECLARED);
    });
  at(settings.command('effective').alias('get'), 'of')
    .description('Shows what holds, where it comes from, and what it overrides.')
    .argument('[key]', 'of this setting alone')
    .addOption(outputOption())
    .action((key: string | undefined, flags: Shown) => effective(session, flags, key));
  declareChange(
    at(settings.command('set'), 'for')
      .description('Gives a setting a value: of the whole cloud, or of a resource and all below it.')
      .argument('<key>', 'e.g. hosts.heartbeatSeconds')
      .argument('<value>', 'as the setting takes it; `settings list` shows them'),
  ).action((key: string, value: string, flags: Changing) => set(session, key, value, flags));
  declareChange(
    at(settings.command('reset'), 'for').description('Takes the value away: the setting inherits again.').argument('<key>'),
  ).action((key: string, flags: Changing) => reset(session, key, flags));
  at(settings.command('history'), 'of')
    .description('Shows who has changed what, newest first.')
    .argument('[key]', 'of this setting alone')
    .addOption(outputOption())
    .action((key: string | undefined, flags: Shown) => history(session, key, flags));
  declareChange(
    settings
      .command('rollback')
      .description('Puts a setting back to what it was before a change, whatever it was changed to since.')
      .argument('<change>', 'its id; `settings history` shows them'),
  ).action((id: string, flags: ChangeFlags) => rollback(session, id, flags));
}

function at(command: Command, word: string): Command {
  for (const level of LEVELS) command.option(`--${level} <${level}>`, `${word} this ${level}, by name or id`);
  return command;
}

/** @throws UsageError when several are named */
function placeOf(flags: PlaceFlags): Place | undefined {
  const [first, second] = LEVELS.flatMap((kind) => {
    const named = flags[kind];
    return named === undefined ? [] : [{ kind, named }];
  });
  if (second !== undefined) throw new UsageError(`--${second.kind}: a value is of one resource; --${first?.kind} names another.`);
  return first;
}

async function fieldsOf(server: Server, place: Place | undefined) {
  return place === undefined ? {} : { resourceKind: place.kind, resourceId: await idOf(server, place.kind, place.named) };
}

/** A verb on values or changes, as if it had been given by its own command. */
async function change(
  session: Session,
  server: Server,
  [name, segment]: readonly [kind: string, verb: string],
  asked: { readonly target?: readonly string[]; readonly input?: Record<string, unknown>; readonly options: ChangeFlags },
): Promise<void> {
  const kind = kindCalled(name, server.description);
  const verb = kind?.verbs.find((one) => one.segment === segment);
  if (kind === undefined || verb === undefined) throw new UsageError('This server has no settings that change.');
  const { target, input = {}, options } = asked;
  await send(session, server, kind, verb, { target, input, options: { ...options } });
}

function show(session: Session, rows: readonly object[], format: Format, columns: readonly string[]): void {
  if (format === 'name') session.out(rows.map((row) => `${(row as Row).key}\n`).join(''));
  else session.out(formatRows(rows.map(format === 'table' ? asText : asRow), format, columns, session.width));
}

/** What settings hold as it is written: also lists, and objects. */
const asText = (row: object): Row =>
  Object.fromEntries(
    Object.entries(row).map(([field, value]) => [
      field,
      typeof value !== 'object' || value === null ? value : Array.isArray(value) ? value.map(String).join(', ') : JSON.stringify(value),
    ]),
  );

async function effective(session: Session, flags: Shown, key: string | undefined): Promise<void> {
  const { cloud } = await session.server();
  const place = placeOf(flags);
  const { items } = await cloud.settings.getEffective(
    { ...(key === undefined ? {} : { key }), ...(place === undefined ? {} : { resourceKind: place.kind, resource: place.named }) },
    { signal: session.signal },
  );
  if (flags.output !== 'table') return show(session, items, flags.output, SOURCES);
  const rows = items.map(({ overrides, ...item }) => ({
    ...item,
    overrides: overrides.map((item) => `${asText(item).value} (${item.level})`).join(', '),
  }));
  show(session, rows, flags.output, SOURCES);
}

async function set(session: Session, key: string, text: string, flags: Changing): Promise<void> {
  const server = await session.server();
  const { items } = await server.cloud.settings.get({ signal: session.signal });
  const schema = items.find((item) => item.key === key)?.schema;
  const keys = items.map((item) => item.key);
  if (schema === undefined)
    throw new UsageError(`There is no setting ${key}.`, didYouMean(key, keys) ?? 'See those that there are: pileus settings list');
  // Its name tells the unit.
  const value = await parseValue(text, schema, camel(key), 'the value', (kind, named) => idOf(server, kind, named));
  const input = { key, value, ...(await fieldsOf(server, placeOf(flags))) };
  await change(session, server, ['settingValue', 'set'], { input, options: flags });
}

const camel = (key: string): string => key.replaceAll(/\.(\w)/g, (_, letter: string) => letter.toUpperCase());

async function reset(session: Session, key: string, flags: Changing): Promise<void> {
  const server = await session.server();
  const { settingValues } = server.cloud;
  const { resourceId } = await fieldsOf(server, placeOf(flags));
  const [held] = await settingValues
    .list({ where: { key, ...(resourceId === undefined ? { level: 'global' } : { resourceId }) } })
    .toArray();
  if (held === undefined) return session.note(`${key} has no value there: it inherits.`);
  await change(session, server, ['settingValue', 'reset'], { target: [held.id], options: flags });
}

async function history(session: Session, key: string | undefined, flags: Shown): Promise<void> {
  const server = await session.server();
  const { resourceId } = await fieldsOf(server, placeOf(flags));
  const where = { ...(key === undefined ? {} : { key }), ...(resourceId === undefined ? {} : { resourceId }) };
  const changes = await server.cloud.settingChanges.list({ where, sort: '-createdAt', signal: session.signal }).toArray();
  if (flags.output === 'name') return session.out(changes.map(({ id }) => `${id}\n`).join(''));
  const cleared = ({ from = 'inherited', to = 'inherited', ...change }: (typeof changes)[number]) => ({ ...change, from, to });
  show(session, flags.output === 'table' ? changes.map(cleared) : changes, flags.output, CHANGES);
}

async function rollback(session: Session, id: string, flags: ChangeFlags): Promise<void> {
  const server = await session.server();
  await change(session, server, ['settingChange', 'rollback'], { target: [id], options: flags });
}
