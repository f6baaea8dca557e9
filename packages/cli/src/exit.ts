import { type ErrorCode, isOperationFailed, isPileusError, type PileusError } from '@pileus/sdk';
import { CommanderError } from 'commander';
import { exact, inWords } from './format.ts';

/** What the shell is told. Documented in the README; a number never changes its meaning. */
export const EXIT = { ok: 0, error: 1, usage: 2, notFound: 3, conflict: 4, operationFailed: 5, notInTime: 6, interrupted: 130 } as const;

/** The command line itself is wrong. `advice` says which command or flag puts it right. */
export class UsageError extends Error {
  readonly advice: string | undefined;
  readonly exitCode: number;

  constructor(message: string, advice?: string, exitCode: number = EXIT.usage) {
    super(message);
    this.advice = advice;
    this.exitCode = exitCode;
  }
}

/** What the command in hand knows to make of an error: which flag a pointer means, whose help to read. */
export interface ErrorContext {
  /** e.g. `pileus instances create` */
  readonly command: string;
  flagOf(pointer: string): string | undefined;
  /** The resource that a pointer of the input names, e.g. `instance-types`. */
  resourceOf?(pointer: string): string | undefined;
  /** Where the key comes from that was sent; undefined without one. */
  readonly keyFrom?: string | undefined;
  /** No key is asked with: a password is. */
  readonly isSigningIn?: boolean;
  /** Whether a server was named by `--url`, in the place of the one that is asked otherwise. */
  readonly urlGiven?: boolean;
}

export interface Report {
  readonly code: number;
  /** For stderr, without a line end; empty when there is nothing to say. */
  readonly text: string;
}

/** Says what went wrong, where, and what to do next. */
export function reportOf(error: unknown, context: ErrorContext): Report {
  if (error instanceof CommanderError) return { code: error.exitCode === 0 ? EXIT.ok : EXIT.usage, text: '' };
  if (error instanceof UsageError)
    return { code: error.exitCode, text: lines(`error: ${error.message}`, error.advice ?? helpAdvice(error, context)) };
  if (isPileusError(error)) return { code: codeOf(error), text: describe(error, context) };
  return { code: EXIT.error, text: `error: ${error instanceof Error ? error.message : String(error)}` };
}

/** Help is for who has written the command wrongly; an answer that ends a command otherwise needs none. */
const helpAdvice = ({ exitCode }: UsageError, { command }: ErrorContext): string | undefined =>
  exitCode === EXIT.error ? undefined : `See what it takes: ${command} --help`;

function codeOf(error: PileusError): number {
  if (isOperationFailed(error)) return EXIT.operationFailed;
  if (error.code === 'aborted') return EXIT.interrupted;
  if (error.code === 'wait_timeout') return EXIT.notInTime;
  if (error.code === 'not_found') return EXIT.notFound;
  if (error.code === 'invalid_input') return EXIT.usage;
  return error.retry === 'after_state_change' || error.code === 'unsupported' ? EXIT.conflict : EXIT.error;
}

/** Of a field with that name, people take the flag to be its. */
const MEANT_AS_FIELD =
  '--url names the server to ask, and no key but that of --key is sent there. The field url of a resource is given by --field-url.';

function describe(error: PileusError, context: ErrorContext): string {
  const flag = error.pointer === undefined || error.pointer === '' ? undefined : (context.flagOf(error.pointer) ?? error.pointer);
  const details = Object.entries(error.params)
    .map(([name, value]) => [name, untold(value, error.message)] as const)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `  ${name}: ${shown(name, value)}`);
  return lines(
    `error: ${error.message} (${error.code})`,
    flag === undefined ? undefined : `  at: ${flag}`,
    ...details,
    advice(error, context),
    context.urlGiven === true && NO_SERVER_THERE.has(error.code) ? MEANT_AS_FIELD : undefined,
    error.code === 'internal' && error.requestId !== undefined
      ? `Quote the ${isOperationFailed(error) ? 'operation' : 'request'} id ${error.requestId} when you report this.`
      : undefined,
  );
}

/** Resources that stand in the way, as the message names them. */
const isNamed = (value: unknown): value is { readonly kind: string; readonly name: string } =>
  typeof value === 'object' && value !== null && 'kind' in value && typeof value.kind === 'string' && 'name' in value;
const named = ({ kind, name }: { readonly kind: string; readonly name: string }): string => `${inWords(kind)} ${name}`;

/** Leaves out of a list what the message has named already: resources, or the whole of it, e.g. the fields that there are. Undefined where nothing is left. */
function untold(value: unknown, message: string): unknown {
  if (!Array.isArray(value) || value.length === 0) return value;
  if (!value.every(isNamed)) return message.includes(value.join(', ')) ? undefined : value;
  const text = message.toLowerCase();
  const others = value.filter((each) => ![',', '.', ':', ' '].some((end) => text.includes(`${named(each).toLowerCase()}${end}`)));
  return others.length === 0 ? undefined : others;
}

function shown(name: string, value: unknown): string {
  if (typeof value === 'number') return exact(name, value);
  if (Array.isArray(value) && value.length > 0 && value.every(isNamed)) return value.map(named).join(', ');
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** What comes of asking what is no server of ours, or one that knows nothing of us. */
const NO_SERVER_THERE: ReadonlySet<string> = new Set(['connection_failed', 'bad_response', 'unauthenticated', 'not_found']);

const ADVICE: { readonly [C in ErrorCode]?: string } = {
  connection_failed: 'Is the server up, and its URL right? pileus profiles shows which one is asked.',
  bad_response: 'Is this the URL of a Pileus server? pileus profiles shows which one is asked.',
  precondition_failed: 'It has changed meanwhile: look at it again, then repeat.',
  unsupported: 'Nothing was changed. Waiting does not help: it takes another host, pool or network, or another request.',
  busy: 'The server has too much to do; try again later.',
  unavailable: 'Nothing was lost: try again later.',
};

function advice(error: PileusError, { command, keyFrom, resourceOf, isSigningIn }: ErrorContext): string | undefined {
  if (isOperationFailed(error)) return `What it had done is undone. Its story: pileus operations show ${error.operation.id}`;
  if (error.code === 'unauthenticated') return isSigningIn === true ? undefined : keyAdvice(keyFrom);
  if (error.code === 'wait_timeout') return `Wait on: pileus operations wait ${String(error.params.operationId)}`;
  if (error.code === 'invalid_input') return `See what it takes: ${command} --help`;
  if (error.code === 'not_found') {
    const { pointer } = error;
    const resource = pointer === undefined || pointer === '' ? listed(command.split(' ')[1]) : resourceOf?.(pointer);
    return resource === undefined ? undefined : `See what there is: pileus ${resource} list`;
  }
  return ADVICE[error.code];
}

/** What lists the things that a command is about. */
const listed = (resource: string | undefined): string | undefined => (resource === 'quota' ? 'projects' : resource);

/** A key given by a flag or the environment goes before that of a profile: another login would change nothing then. */
function keyAdvice(keyFrom: string | undefined): string {
  const login = 'pileus login --url URL --key KEY';
  if (keyFrom === undefined) return `No key is set. Log in: ${login}`;
  return keyFrom.startsWith('profile') ? `The key of ${keyFrom} is not valid. Log in: ${login}` : `The key of ${keyFrom} is not valid.`;
}

const lines = (...parts: readonly (string | undefined)[]): string => parts.filter((part) => part !== undefined).join('\n');
