import { pipeline } from 'node:stream/promises';
import type { DeleteOptions, DryRun, Pending, Reply, Resource, UntypedRow, ValueRequest } from '@pileus/sdk';
import type { EndpointDescription, KindDescription, VerbDescription } from '@pileus/sdk/document';
import { kebab } from '@pileus/sdk/document';
import type { Command } from 'commander';
import { type ChangeFlags, declareChange, dryRunOption, outputOption, settle } from './accept.ts';
import { type DeletionFlags, describeEffects, formatPreview, takesMore } from './deletion.ts';
import { mirrorsOf, writeWhole } from './download.ts';
import { tellDryRuns } from './dry-run.ts';
import { type ErrorContext, EXIT, UsageError } from './exit.ts';
import { InputFlags } from './flags.ts';
import { type Format, formatRow, type Row } from './format.ts';
import { idOf, kindAt, type Server } from './server.ts';
import type { Session } from './session.ts';

/** Names that every change takes for itself. */
const TAKEN = [
  ...['output', 'wait', 'timeout', 'file', 'unset', 'idempotency-key', 'dry-run', 'preview', 'yes'],
  ...['help', 'url', 'key', 'profile'],
];

type Options = ChangeFlags & DeletionFlags & Readonly<Record<string, unknown>>;

export function addVerb(parent: Command, session: Session, server: Server, kind: KindDescription, verb: VerbDescription): Command {
  const schema = verb.input?.schema ?? {};
  const isNew = verb.route === 'create' || verb.route === 'collection';
  const named = isNew && schema.properties?.name !== undefined;
  const flags = new InputFlags(schema, named ? ['name'] : [], TAKEN);
  const command = parent.command(verb.segment).description(verb.description);
  if (verb.route === 'delete')
    command
      .alias('rm')
      .option('--preview', 'show what would go, and change nothing')
      .option('-y, --yes', 'do not ask when more than it goes');
  if (named) command.argument(schema.required?.includes('name') === true ? '<name>' : '[name]', schema.properties?.name?.description);
  else if (!isNew) command.argument('<name...>', 'names or ids');
  flags.declare(command);
  declareChange(command);
  return command.action(async (...given: unknown[]) => {
    const [target, options] =
      given.length > 2 ? [given[0] as string | readonly string[] | undefined, given[1] as Options] : [undefined, given[0] as Options];
    session.context = contextOf(session, server, flags);
    const findId = (refKind: string, text: string) => idOf(server, refKind, text);
    const input = await flags.read(options, named && target !== undefined ? { name: target } : {}, findId);
    await send(session, server, kind, verb, { target, input, options });
  });
}

/** The context of a command whose flags are known. */
export const contextOf = (session: Session, { description }: Server, flags: InputFlags): ErrorContext => ({
  ...session.context,
  flagOf: (pointer) => flags.flagOf(pointer, session.words) ?? (pointer === '/name' ? 'the name' : undefined),
  resourceOf: (pointer) => {
    const kind = kindAt(pointer, description);
    return kind === undefined ? undefined : kebab(kind.plural);
  },
});

/** Sends a verb for each of the targets, and shows what came of it. */
export async function send(
  session: Session,
  server: Server,
  kind: KindDescription,
  verb: VerbDescription,
  {
    target,
    input,
    options,
  }: { readonly target: string | readonly string[] | undefined; readonly input: Record<string, unknown>; readonly options: Options },
): Promise<void> {
  const resource = server.cloud.resource(kind);
  const targets = Array.isArray(target) ? (target as readonly string[]) : [];
  if (options.idempotencyKey !== undefined && targets.length > 1) throw new UsageError('--idempotency-key: a key is for one resource.');
  const ids = await idsOf(server, kind, targets);
  const isNew = verb.route === 'create' || verb.route === 'collection';
  const named = isNew ? [{ label: String(input.name ?? ''), id: '' }] : targets.map((label, index) => ({ label, id: ids[index] ?? label }));
  const call = {
    signal: session.signal,
    ...(options.idempotencyKey === undefined ? {} : { idempotencyKey: options.idempotencyKey }),
    ...(verb.route === 'delete' ? deletionOf(input) : {}),
  };
  if (options.dryRun === true) {
    const rehearsed = named.map(({ label, id }) => ({ label, told: ask(resource.dryRun, verb, id, input, call) }));
    return await tellDryRuns(session, rehearsed, options.output);
  }
  if (options.preview === true) {
    for (const { id } of named) session.out(formatPreview(await resource.previewDeletion(id, call), options.output, session.width));
    return;
  }
  const asks = verb.route === 'delete' && session.asks && options.yes !== true && input.plan === undefined;
  const plans = asks ? await confirmedPlans(session, resource, named, call) : new Map<string, string>();
  const planned = (id: string): DeleteOptions => {
    const plan = plans.get(id);
    return plan === undefined ? call : { ...call, plan };
  };
  const changes = named.map(({ label, id }) => ({ label, pending: ask(resource, verb, id, input, planned(id)) }));
  await settle(session, kind, changes, options, verb.makes);
}

type Verbs = Resource<string, UntypedRow>;

/** Sends the verb: to be done, or to be told of where the client is one of dry runs. */
function ask(client: Verbs, verb: VerbDescription, id: string, input: object, call: DeleteOptions): Pending<string, UntypedRow | undefined>;
function ask(client: Verbs['dryRun'], verb: VerbDescription, id: string, input: object, call: DeleteOptions): Reply<DryRun>;
function ask(
  client: Verbs | Verbs['dryRun'],
  { route, segment }: VerbDescription,
  id: string,
  input: object,
  call: DeleteOptions,
): Pending<string, UntypedRow | undefined> | Reply<DryRun> {
  switch (route) {
    case 'create':
      return client.createAny(input, call);
    case 'collection':
      return client.actOnAll(segment, input, call);
    case 'update':
      return client.updateAny(id, input, call);
    case 'delete':
      return client.deleteAny(id, call);
    case 'resource':
      return client.act(id, segment, input, call);
  }
}

/** On a terminal a person is shown what else would go, and then exactly that does: answers the plans, by id. @throws UsageError when it is not wanted */
async function confirmedPlans(
  session: Session,
  resource: Verbs,
  named: readonly { readonly label: string; readonly id: string }[],
  call: DeleteOptions,
): Promise<ReadonlyMap<string, string>> {
  const plans = new Map<string, string>();
  for (const { label, id } of named) {
    const shown = await resource.previewDeletion(id, call);
    if (!takesMore(shown)) continue;
    if (!(await session.confirm(`${label}: ${describeEffects(shown)} Go on?`))) throw new UsageError('Nothing was deleted.');
    if (shown.plan !== undefined) plans.set(id, shown.plan);
  }
  return plans;
}

/** What else a deletion is asked with. */
const deletionOf = ({ force, permanent, recursive, plan }: Record<string, unknown>): DeleteOptions => ({
  force: force === true,
  permanent: permanent === true,
  recursive: recursive === true,
  ...(typeof plan === 'string' ? { plan } : {}),
});

/** Of several resources all have to be there before anything is asked of one; of a single one the server itself says. @throws UsageError */
async function idsOf({ cloud }: Server, kind: KindDescription, targets: readonly string[]): Promise<readonly string[]> {
  if (targets.length < 2) return targets;
  const found = await Promise.all(targets.map((target) => cloud.resource(kind).get(target).safe()));
  const missing = targets.filter((_, index) => found[index]?.ok === false && found[index].error.code === 'not_found');
  if (missing.length > 0)
    throw new UsageError(
      `There is no ${kind.kind} ${missing.join(', ')}; nothing was asked of the others.`,
      `See what there is: pileus ${kebab(kind.plural)} list`,
      EXIT.notFound,
    );
  return found.map((answer) => {
    if (!answer.ok) throw answer.error;
    return answer.data.id;
  });
}

/** What a computed value is asked with, like the fields of a body. */
const queryFields = ({ query }: EndpointDescription) => ({
  properties: Object.fromEntries(Object.entries(query).map(([name, { schema }]) => [name, schema])),
  required: Object.keys(query).filter((name) => query[name]?.required === true),
});

/** A computed value or a download. Uploads have commands of their own, sockets are consoles. */
export function addEndpoint(parent: Command, session: Session, server: Server, segment: string, endpoint: EndpointDescription): void {
  if (endpoint.type !== 'value' && endpoint.type !== 'download') return;
  const ids = endpoint.segments.filter((part) => part.startsWith('{')).map((part) => part.slice(1, -1));
  const body = endpoint.body ?? queryFields(endpoint);
  // What is made is named as other resources are.
  const named = endpoint.name === 'create' && ids.length === 0 && body.properties?.name !== undefined;
  const flags = new InputFlags(body, [], TAKEN);
  const command = parent.command(kebab(endpoint.name.replace(/Content$/, ''))).description(endpoint.description);
  for (const name of ids) command.argument(`<${name}>`, 'name or id');
  if (named) command.argument('[name]', 'the same as --name');
  const path = (given: readonly unknown[]) => {
    let next = 0;
    return endpoint.segments.map((part) => (part.startsWith('{') ? String(given[next++]) : part));
  };
  const below = server.cloud.endpoints(segment);
  if (endpoint.type === 'download') {
    command
      .argument('[file]', 'where to write it (default: standard output)')
      .option('--sha256 <digest>', 'what the content must have')
      .option(
        '--mirror <profile...>',
        'profiles of other clouds that have the same content: it goes on there when this one does not answer',
      )
      .action(async (...given: unknown[]) => {
        const file = given[ids.length] as string | undefined;
        const { sha256, mirror = [] } = given[ids.length + 1] as { readonly sha256?: string; readonly mirror?: readonly string[] };
        const mirrors = await mirrorsOf(session.env, mirror);
        const options = { signal: session.signal, mirrors, ...(sha256 === undefined ? {} : { sha256 }) };
        const content = below.receive(below.path(...path(given)), options);
        await (file === undefined ? pipeline(content, process.stdout, { end: false }) : writeWhole(content, file));
      });
    return;
  }
  flags.declare(command);
  if (endpoint.rehearses) command.addOption(dryRunOption());
  command.addOption(outputOption()).action(async (...given: unknown[]) => {
    session.context = contextOf(session, server, flags);
    const place = ids.length + (named ? 1 : 0);
    const options = given[place] as { readonly output: Format; readonly dryRun?: boolean } & Readonly<Record<string, unknown>>;
    const name = named ? given[place - 1] : undefined;
    const input = await flags.read(options, name === undefined ? {} : { name }, (kind, text) => idOf(server, kind, text));
    const method = endpoint.method === 'GET' ? 'GET' : 'POST';
    const request: ValueRequest = {
      ...{ method, path: below.path(...path(given)) },
      ...(endpoint.body === undefined ? { query: input } : { body: input }),
    };
    if (options.dryRun === true) {
      const told = below.value<DryRun>({ ...request, query: { ...request.query, dryRun: true } }, { signal: session.signal });
      const label = ids.length > 0 ? String(given[0]) : String(input.name ?? '');
      return await tellDryRuns(session, [{ label, told }], options.output);
    }
    const answer = await below.value<Row>(request, { signal: session.signal });
    // What answers nothing is done: nobody should have to guess that.
    if (Object.keys(answer).length > 0 || options.output !== 'table') session.out(formatRow(answer, options.output));
    else session.out(`${[segment, command.name(), ...given.slice(0, ids.length).map(String)].join(' ')}: done\n`);
  });
}
