import { basename } from 'node:path';
import { type Command, Option } from 'commander';
import { parse as parseYaml } from 'yaml';
import { type ChangeFlags, declareChange, settle } from './accept.ts';
import { EXIT, UsageError } from './exit.ts';
import { formatRow } from './format.ts';
import { kindCalled } from './server.ts';
import type { Session } from './session.ts';
import { describePlan, destroys, type StackPlan } from './stack-plan.ts';
import { readText } from './values.ts';

interface Flags extends ChangeFlags {
  readonly file: string;
  readonly name?: string;
  readonly plan?: boolean;
  readonly yes?: boolean;
  readonly parameter?: readonly string[];
}

interface Template {
  readonly parameters?: Readonly<Record<string, { readonly type?: string }>>;
}

/** A template as it lies in a file, with the name of the stack where the file has one. */
interface TemplateFile {
  readonly name?: string;
  readonly template: Template;
}

/** `pileus apply -f stack.yaml`: shows what it would do, and does exactly that. */
export function addApply(program: Command, session: Session): void {
  const command = program
    .command('apply')
    .description('Makes what a template says, as a stack: shows what that changes, and changes all of it or nothing.')
    .requiredOption('-f, --file <file>', 'the template, YAML or JSON; - for standard input')
    .option('--name <name>', 'of the stack (default: `name` in the file, else the name of the file)')
    .option('--plan', 'show what would be done, and do nothing')
    .option('-y, --yes', 'do not ask where something is deleted or made anew')
    .addOption(
      new Option('--parameter <name=value>', 'a parameter of the template; name=@file reads the value from a file').argParser(
        (value: string, before: readonly string[] = []) => [...before, value],
      ),
    );
  declareChange(command).action((flags: Flags) => apply(session, flags));
}

async function apply(session: Session, flags: Flags): Promise<void> {
  const server = await session.server();
  const kind = kindCalled('stacks', server.description);
  if (kind === undefined) throw new UsageError('This server knows no stacks.');
  const file = await readTemplate(flags.file);
  const name = flags.name ?? file.name ?? basename(flags.file).replace(/\.(ya?ml|json)$/, '');
  const asked = { template: file.template, parameters: await parametersOf(file.template, flags.parameter ?? []) };
  session.context = { ...session.context, flagOf };
  const below = server.cloud.endpoints('stacks');
  const call = { signal: session.signal, ...(flags.idempotencyKey === undefined ? {} : { idempotencyKey: flags.idempotencyKey }) };
  const request = { method: 'POST', path: below.path('plan'), body: { name, ...asked } } as const;
  const plan = await below.value<StackPlan>(request, { signal: session.signal });
  const onlyPlan = flags.plan === true || flags.dryRun === true;
  show(session, name, plan, flags, onlyPlan);
  if (plan.blockers.length > 0) throw new UsageError('It cannot be done.', 'Nothing was changed.', EXIT.conflict);
  if (onlyPlan || plan.nothingToDo) return;
  if (destroys(plan) && flags.yes !== true) await confirm(session);
  const input = { ...asked, ...(plan.hash === undefined ? {} : { planHash: plan.hash }) };
  const resource = server.cloud.resource(kind);
  const pending =
    plan.stackId === undefined ? resource.createAny({ name, ...input }, call) : resource.act(plan.stackId, 'apply', input, call);
  await settle(session, kind, [{ label: name, pending }], flags);
}

/** What is read by programs is the plan alone, or what came of it alone. */
function show(session: Session, name: string, plan: StackPlan, { output }: Flags, onlyPlan: boolean): void {
  if (output === 'table') {
    const isColoured = session.interactive && session.env.NO_COLOR === undefined;
    session.out(describePlan(name, plan, isColoured));
  } else if (onlyPlan) session.out(formatRow({ ...plan }, output));
}

async function confirm(session: Session): Promise<void> {
  if (!session.asks) throw new UsageError('It deletes something, and nobody can be asked.', 'Nothing was changed. --yes says that it may.');
  if (!(await session.confirm('This deletes something. Go on?'))) throw new UsageError('Nothing was changed.');
}

/** Errors of the template name their place in the file. */
const flagOf = (pointer: string): string | undefined =>
  pointer.startsWith('/template/')
    ? pointer.slice('/template'.length)
    : pointer.startsWith('/parameters/')
      ? `--parameter ${pointer.slice('/parameters/'.length)}`
      : undefined;

async function readTemplate(path: string): Promise<TemplateFile> {
  const text = await readText(path, '--file');
  let value: unknown;
  try {
    value = parseYaml(text);
  } catch (cause) {
    throw new UsageError(`${path} is neither YAML nor JSON.`, cause instanceof Error ? cause.message : undefined);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new UsageError(`${path} holds no template.`);
  const { name, ...template } = value as { readonly name?: unknown };
  return { ...(typeof name === 'string' ? { name } : {}), template: template as Template };
}

/** By the types that the template declares: `size=10` is a number for one, and a text for another. */
async function parametersOf({ parameters = {} }: Template, given: readonly string[]): Promise<Record<string, unknown>> {
  const values: Record<string, unknown> = {};
  for (const text of given) {
    const at = text.indexOf('=');
    if (at <= 0) throw new UsageError(`--parameter ${text}: write it as name=value.`);
    const [name, written] = [text.slice(0, at), text.slice(at + 1)];
    const value = written.startsWith('@') ? await readText(written.slice(1), `--parameter ${name}`) : written;
    values[name] = (parameters[name]?.type ?? 'string') === 'string' ? value : parseYaml(value);
  }
  return values;
}
