import { type KindDescription, kebab } from '@pileus/sdk/document';
import { Command, Option } from 'commander';
import { addAgentProgram } from './agent-program.ts';
import { addApply } from './apply-command.ts';
import { addAudit } from './audit-command.ts';
import { addCompletion } from './completion.ts';
import { addConsole } from './console.ts';
import { addEvents } from './event-command.ts';
import { UsageError } from './exit.ts';
import { addImageUpload } from './image-upload.ts';
import { addLogin } from './login-commands.ts';
import { didYouMean } from './near.ts';
import { addOperationVerbs } from './operation-commands.ts';
import { addQuota } from './quota-command.ts';
import { addReach } from './reach-command.ts';
import { addGet, addList } from './read-commands.ts';
import { groupsOf, kindCalled, knownServer, type Server } from './server.ts';
import type { Session } from './session.ts';
import { addSettings } from './settings-command.ts';
import { addEndpoint, addVerb } from './verb-commands.ts';

const GLOBALS = `
Options of every command:
  --url URL          server to ask           (PILEUS_URL)
  --key KEY          API key                 (PILEUS_KEY)
  --profile NAME     profile to use          (PILEUS_PROFILE)
PILEUS_PROJECT names the project to work in; default: that of the key.`;

const EXITS = `
Exit codes: 0 done, 1 error, 2 wrong use, 3 not found, 4 refused (conflict, unsupported), 5 the operation failed, 6 not done in time, 130 interrupted.`;

/** As `build`; what is unknown by the cache may be known to the server by now. */
export async function buildProgram(session: Session, words: readonly string[]): Promise<Command> {
  try {
    return await build(session, words);
  } catch (error) {
    if (error instanceof UsageError && (await session.renew())) return build(session, words);
    throw error;
  }
}

/**
 * The commands for one command line. Those of resources are made from the server's document, and only for the resource that is named.
 * @throws UsageError for what is neither a command nor a resource
 */
async function build(session: Session, words: readonly string[]): Promise<Command> {
  const program = new Command('pileus')
    .description('The command line of a Pileus cloud.')
    .usage('<resource> <verb> [name] [options]')
    .addOption(new Option('-V, --version', 'show the version'))
    .helpCommand(false)
    .configureHelp({ sortSubcommands: false, showGlobalOptions: false })
    .showSuggestionAfterError(true)
    .exitOverride();
  program.hook('preAction', (_, command) => {
    session.context = { command: pathOf(command), flagOf: () => undefined };
  });
  addLogin(program, session);
  addConsole(program, session);
  addEvents(program, session);
  addAudit(program, session);
  addQuota(program, session);
  addReach(program, session);
  addApply(program, session);
  addSettings(program, session);
  addAgentProgram(program, session);
  addCompletion(program, session);
  const [first] = words;
  if (first === undefined || first.startsWith('-')) program.addHelpText('after', await resourceHelp(session));
  else if (!program.commands.some((command) => command.name() === first)) {
    addResource(program, session, await session.server(), first);
    refuseUnknownVerb(program, first, words[1]);
  }
  for (const command of everyCommand(program)) finish(command);
  return program;
}

/** Settings that commander does not hand down to commands made before they were set. */
function finish(command: Command): void {
  command.exitOverride().helpCommand(false);
  command.configureOutput({ outputError: (text, write) => write(withNearFlag(text, command)) });
  if (command.commands.length === 0) command.showHelpAfterError(`See what it takes: ${pathOf(command)} --help`);
}

/** Commander compares an unknown flag with the longest name of each: to who has mistyped a shorter one it would say nothing. */
function withNearFlag(text: string, { options }: Command): string {
  const flag = /^error: unknown option '(--[^'=]+)/.exec(text)?.[1];
  const names = options.flatMap(({ hidden, short, long }) =>
    hidden ? [] : [short, long].filter((name) => name?.startsWith('--') === true),
  );
  const meant = flag === undefined ? undefined : didYouMean(flag, names as readonly string[]);
  return meant === undefined ? text : `${text.replace(/\n\(Did you mean .*\)\n$/s, '').trimEnd()}\n(${meant})\n`;
}

/** `pileus instances create` */
const pathOf = (command: Command): string => [...ancestors(command)].map((one) => one.name()).join(' ');

function* ancestors(command: Command): Generator<Command> {
  if (command.parent !== null) yield* ancestors(command.parent);
  yield command;
}

function* everyCommand(command: Command): Generator<Command> {
  for (const child of command.commands) {
    yield child;
    yield* everyCommand(child);
  }
}

/** The resources of the server that would be asked, as far as they are known without asking it; else why they are not. */
async function resourceHelp(session: Session): Promise<string> {
  return `\n${await resourceLines(session)}\n${GLOBALS}\n${EXITS}`;
}

async function resourceLines(session: Session): Promise<string> {
  try {
    const target = await session.target();
    const known = await knownServer(target, session.env);
    if (known === undefined)
      return `Resources:\n  Listed here once ${target.url} (${target.from}) was asked for some: pileus instances list`;
    const resources = known.kinds.map(({ plural, description }) => `  ${kebab(plural).padEnd(18)} ${description}`);
    const groups = groupsOf(known).map(
      ({ segment, endpoints }) => `  ${segment.padEnd(18)} ${endpoints.map(({ description }) => description).join(' ')}`,
    );
    return `Resources:\n${[...resources, ...groups].join('\n')}\n\nVerbs of one: pileus instances --help`;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return `Resources:\n  ${[error.message, ...(error.advice?.split('\n') ?? [])].join('\n  ')}`;
  }
}

function addResource(program: Command, session: Session, server: Server, name: string): void {
  const { description } = server;
  const group = description.groups.find(({ segment }) => segment === name);
  const kind = kindCalled(name, description);
  if (group !== undefined) {
    const parent = program.command(group.segment);
    for (const endpoint of group.endpoints) addEndpoint(parent, session, server, group.segment, endpoint);
    return;
  }
  if (kind === undefined) throw unknownResource(name, program, server);
  const parent = program.command(kebab(kind.plural)).description(kind.description);
  if (name !== parent.name()) parent.alias(name);
  addVerbs(parent, session, server, kind);
}

function addVerbs(parent: Command, session: Session, server: Server, kind: KindDescription): void {
  addList(parent, session, server, kind);
  addGet(parent, session, server, kind);
  for (const verb of kind.verbs) addVerb(parent, session, server, kind, verb);
  if (kind.kind === 'operation') addOperationVerbs(parent, session, server);
  if (kind.kind === 'image' && kind.endpoints.some(({ type }) => type === 'upload')) addImageUpload(parent, session, server, kind);
  const consoles = kind.kind === 'instance' && kind.endpoints.some(({ name }) => name === 'console');
  if (consoles) addConsole(parent, session);
  for (const endpoint of kind.endpoints)
    if (!(consoles && endpoint.name === 'console')) addEndpoint(parent, session, server, kind.plural, endpoint);
}

function unknownResource(name: string, program: Command, { description }: Server): UsageError {
  const resources = [...description.kinds.map(({ plural }) => kebab(plural)), ...groupsOf(description).map(({ segment }) => segment)];
  const known = [...resources, ...program.commands.map((command) => command.name())];
  return new UsageError(
    `There is no command or resource ${JSON.stringify(name)}.`,
    didYouMean(name, known) ?? `Resources: ${resources.join(', ')}`,
  );
}

/** What other programs call a verb. */
const SYNONYMS: Readonly<Record<string, string>> = {
  ...{ rm: 'delete', remove: 'delete', del: 'delete', destroy: 'delete', add: 'create', new: 'create', make: 'create' },
  ...{ describe: 'get', info: 'get', inspect: 'get', edit: 'update', set: 'update', modify: 'update', ps: 'list' },
};

function refuseUnknownVerb(program: Command, resource: string, verb: string | undefined): void {
  const parent = program.commands.find((command) => command.name() === resource || command.aliases().includes(resource));
  if (parent === undefined || verb === undefined || verb.startsWith('-')) return;
  const known = parent.commands.flatMap((command) => [command.name(), ...command.aliases()]);
  if (known.includes(verb)) return;
  const synonym = SYNONYMS[verb];
  throw new UsageError(
    `There is no verb ${JSON.stringify(verb)} for ${parent.name()}.`,
    (synonym !== undefined && known.includes(synonym) ? `Did you mean ${synonym}?` : didYouMean(verb, known)) ??
      `Verbs: ${parent.commands.map((command) => command.name()).join(', ')}`,
  );
}
