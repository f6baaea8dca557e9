/**
 * Writes packages/drivers-kvm/src/libvirt/generated/*.ts from protocol.idl beside it.
 *
 *   sh tools/node.sh tools/generate/libvirt-protocol.ts            writes
 *   sh tools/node.sh tools/generate/libvirt-protocol.ts --check    exits 1 when a committed file differs
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';

export interface Field {
  readonly name: string;
  readonly type: string;
  readonly nullable: boolean;
  /** Present on lists, byte strings and typed parameters: the most that the protocol allows. */
  readonly max: number | undefined;
  /** Sent as is; callers never see it. */
  readonly constant: string | undefined;
  /** On the wire but of no use: read and dropped. */
  readonly dropped: boolean;
}

interface ProcedureLine {
  readonly name: string;
  readonly program: 'remote' | 'qemu';
  readonly number: string;
  readonly effect: string;
  readonly lane: string;
  readonly args: readonly Field[];
  readonly results: readonly Field[];
}

interface StructLine {
  readonly name: string;
  readonly fields: readonly Field[];
}

interface EventLine extends StructLine {
  readonly id: string;
  readonly procedure: string;
}

interface EnumLine {
  readonly name: string;
  readonly values: readonly (readonly [string, string])[];
}

export interface Description {
  readonly structs: readonly StructLine[];
  readonly procedures: readonly ProcedureLine[];
  readonly events: readonly EventLine[];
  readonly enums: readonly EnumLine[];
}

const scalars: Readonly<Record<string, { readonly ts: string; readonly codec: string }>> = {
  int: { ts: 'number', codec: 'int' },
  uint: { ts: 'number', codec: 'uint' },
  u8: { ts: 'number', codec: 'uint' },
  u16: { ts: 'number', codec: 'uint' },
  bool: { ts: 'boolean', codec: 'bool' },
  i64: { ts: 'number', codec: 'i64' },
  u64: { ts: 'number', codec: 'u64' },
  big: { ts: 'bigint', codec: 'big' },
  string: { ts: 'string', codec: 'string' },
  uuid: { ts: 'string', codec: 'uuid' },
  chars32: { ts: 'string', codec: 'chars32' },
  flags: { ts: 'number', codec: 'uint' },
};

function parseField(text: string): Field {
  const match = /^(_?)(\w+?)(?:=(\w+))?:(\w+)(?:\[(\d+)\])?(\?)?$/.exec(text);
  if (match === null) throw new Error(`protocol.idl: cannot read field '${text}'`);
  const [, dropped, name = '', constant, type = '', max, nullable] = match;
  return { name, type, constant, max: max === undefined ? undefined : Number(max), nullable: nullable === '?', dropped: dropped === '_' };
}

const parseFields = (text: string): Field[] =>
  text
    .split(/\s+/)
    .filter((part) => part !== '')
    .map(parseField);

function parseProcedure(line: string): ProcedureLine {
  const match = /^(proc|qemu)\s+(\d+)\s+(read|mutate)\/(control|jobs|solo|stream)\s+(\w+)\((.*)\)\s+->(.*)$/.exec(line);
  if (match === null) throw new Error(`protocol.idl: cannot read '${line}'`);
  const [, kind, number = '', effect = '', lane = '', name = '', args = '', results = ''] = match;
  const program = kind === 'proc' ? 'remote' : 'qemu';
  return { name, program, number, effect, lane, args: parseFields(args), results: parseFields(results) };
}

/** Reads the description; throws on the first line that it does not understand. */
export function parseDescription(text: string): Description {
  const structs: StructLine[] = [];
  const procedures: ProcedureLine[] = [];
  const events: EventLine[] = [];
  const enums: EnumLine[] = [];
  for (const line of text.split('\n').map((raw) => raw.trim())) {
    if (line === '' || line.startsWith('#')) continue;
    const [keyword, ...words] = line.split(/\s+/);
    const [first = '', second = '', third = ''] = words;
    if (keyword === 'proc' || keyword === 'qemu') procedures.push(parseProcedure(line));
    else if (keyword === 'struct') structs.push({ name: first, fields: words.slice(1).map(parseField) });
    else if (keyword === 'event') events.push({ id: first, procedure: second, name: third, fields: words.slice(3).map(parseField) });
    else if (keyword === 'enum')
      enums.push({
        name: first,
        values: words.slice(1).map((word): [string, string] => [word.split('=')[0] ?? '', word.split('=')[1] ?? '']),
      });
    else throw new Error(`protocol.idl: cannot read '${line}'`);
  }
  return { structs, procedures, events, enums };
}

const capital = (name: string): string => name.charAt(0).toUpperCase() + name.slice(1);

/** `scope` goes before the names of generated types. */
function typeOf(field: Field, scope = ''): string {
  if (field.type === 'params') return 'TypedParams';
  if (field.type === 'bytes') return 'Uint8Array';
  const one = scalars[field.type]?.ts ?? `${scope}${field.type}`;
  if (field.max !== undefined) return `readonly ${one}[]`;
  return field.nullable ? `${one} | undefined` : one;
}

function argumentProperty(field: Field): string {
  const type = field.type === 'params' ? 'readonly TypedParam[]' : typeOf(field);
  if (field.type === 'flags') return `readonly ${field.name}?: number | undefined;`;
  return `readonly ${field.name}${field.nullable ? '?' : ''}: ${type};`;
}

const resultProperty = (field: Field): string => `readonly ${field.name}: ${typeOf(field)};`;

function writeStatement(field: Field): string {
  if (field.constant !== undefined) return `w.${scalars[field.type]?.codec}(${field.constant});`;
  const value = `v.${field.name}`;
  if (field.type === 'flags') return `w.uint(${value} ?? 0);`;
  if (field.type === 'params') return `writeTypedParams(w, ${value}, ${field.max});`;
  if (field.type === 'bytes') return `w.bytes(${value}, ${field.max});`;
  const codec = scalars[field.type]?.codec;
  const write = codec === undefined ? `write${field.type}(w, item)` : `w.${codec}(item)`;
  if (field.max !== undefined) return `w.list(${value}, ${field.max}, (item) => ${write});`;
  if (field.nullable) return `w.optional(${value}, (item) => ${write});`;
  return `${write.replace('item', value)};`;
}

function readExpression(field: Field): string {
  if (field.type === 'params') return `readTypedParams(r, ${field.max})`;
  if (field.type === 'bytes') return `r.bytes(${field.max})`;
  const codec = scalars[field.type]?.codec;
  const read = codec === undefined ? `read${field.type}(r)` : `r.${codec}()`;
  if (field.max !== undefined) return `r.list(${field.max}, () => ${read})`;
  return field.nullable ? `r.optional(() => ${read})` : read;
}

/** The body of a reader that answers with an object of the kept fields, `extra` first, or with the only one bare, or with nothing. */
function readBody(fields: readonly Field[], answer: 'object' | 'bare', extra = ''): string {
  const reads = fields.map((field) => (field.dropped ? `${readExpression(field)};` : `const ${field.name} = ${readExpression(field)};`));
  const names = fields.filter((field) => !field.dropped).map((field) => field.name);
  if (names.length === 0) return `{ ${reads.join(' ')} }`;
  return `{ ${reads.join(' ')} return ${answer === 'bare' ? names.join() : `{ ${extra}${names.join(', ')} }`}; }`;
}

const kept = (procedure: ProcedureLine): Field[] => procedure.results.filter((field) => !field.dropped);
const given = (procedure: ProcedureLine): Field[] => procedure.args.filter((field) => field.constant === undefined);
const argsType = (procedure: ProcedureLine): string =>
  given(procedure).length === 0 ? 'NoArguments' : `${capital(procedure.name)}Arguments`;
const argsOptional = (procedure: ProcedureLine): boolean => given(procedure).every((field) => field.nullable || field.type === 'flags');

function resultType(procedure: ProcedureLine, scope = ''): string {
  const fields = kept(procedure);
  const [only] = fields;
  if (only === undefined) return 'void';
  return fields.length === 1 ? typeOf(only, scope) : `${scope}${capital(procedure.name)}Result`;
}

const banner = '// Generated from protocol.idl by tools/generate/libvirt-protocol.ts. Do not edit.\n';

function typesFile(description: Description): string {
  const lines = [
    banner,
    "import type { CallOptions, Procedure } from '../procedure.ts';",
    "import type { TypedParam, TypedParams } from '../typed-params.ts';",
    '',
  ];
  lines.push('export type NoArguments = Readonly<Record<never, never>>;', '');
  const block = (head: string, properties: readonly string[]): void => {
    lines.push(`${head} {`, ...properties.map((property) => `  ${property}`), '}', '');
  };
  for (const struct of description.structs) block(`export interface ${struct.name}`, struct.fields.map(resultProperty));
  for (const procedure of description.procedures) {
    if (given(procedure).length > 0) block(`export interface ${argsType(procedure)}`, given(procedure).map(argumentProperty));
    if (kept(procedure).length > 1) block(`export interface ${capital(procedure.name)}Result`, kept(procedure).map(resultProperty));
  }
  for (const event of description.events) {
    block(`export interface ${capital(event.name)}DomainEvent`, [
      `readonly kind: '${event.name}';`,
      ...event.fields.filter((field) => !field.dropped).map(resultProperty),
    ]);
  }
  lines.push('/** What libvirt says about a domain, unasked. */', 'export type DomainEvent =');
  lines.push(
    description.events
      .map((event) => `  | ${capital(event.name)}DomainEvent`)
      .join('\n')
      .concat(';'),
    '',
  );
  lines.push('/** Every procedure that answers with a value. Each rejects as `CallOptions` describes. */', 'export interface LibvirtApi {');
  for (const procedure of description.procedures.filter((one) => one.lane !== 'stream')) {
    lines.push(`  /** ${procedure.program} ${procedure.number}: ${procedure.effect}, ${procedure.lane}. */`);
    lines.push(
      `  ${procedure.name}(args${argsOptional(procedure) ? '?' : ''}: ${argsType(procedure)}, options?: CallOptions): Promise<${resultType(procedure)}>;`,
    );
  }
  lines.push('}', '', '/** Calls a procedure; what an api is bound to. */');
  lines.push('export type Caller = <A, R>(procedure: Procedure<A, R>, args: A, options?: CallOptions) => Promise<R>;', '');
  return lines.join('\n');
}

function structCodecs(struct: StructLine): string[] {
  const result = struct.fields.some((field) => field.type === 'params');
  const write = `function write${struct.name}(w: XdrWriter, v: t.${struct.name}): void { ${struct.fields.map(writeStatement).join(' ')} }`;
  const read = `export function read${struct.name}(r: XdrReader): t.${struct.name} ${readBody(struct.fields, 'object')}`;
  return result ? [read] : [write, read];
}

function procedureEntry(procedure: ProcedureLine): string {
  const args = given(procedure).length === 0 ? 't.NoArguments' : `t.${argsType(procedure)}`;
  const fields = kept(procedure);
  const result = resultType(procedure, 't.');
  const write = `write(${procedure.args.length > 0 ? 'w' : '_w'}, ${given(procedure).length > 0 ? 'v' : '_v'}) { ${procedure.args.map(writeStatement).join(' ')} }`;
  const read =
    procedure.results.length === 0 ? 'read() {}' : `read(r) ${readBody(procedure.results, fields.length > 1 ? 'object' : 'bare')}`;
  const head = `name: '${procedure.name}', program: ${procedure.program}Program, number: ${procedure.number}, effect: '${procedure.effect}', lane: '${procedure.lane}'`;
  return `  ${procedure.name}: define<${args}, ${result}>({ ${head},\n    ${write},\n    ${read} }),`;
}

function proceduresFile(description: Description): string {
  const lines = [
    banner,
    "import { define, qemuProgram, remoteProgram } from '../procedure.ts';",
    "import { readTypedParams, type TypedParams, writeTypedParams } from '../typed-params.ts';",
  ];
  lines.push("import type { XdrReader, XdrWriter } from '../xdr.ts';", "import type * as t from './types.ts';", '');
  const written = new Set(description.procedures.flatMap((procedure) => procedure.args.map((field) => field.type)));
  for (const struct of description.structs) {
    const codecs = structCodecs(struct);
    const nested = description.structs.some((other) => written.has(other.name) && other.fields.some((field) => field.type === struct.name));
    lines.push(...codecs.filter((codec) => codec.startsWith('export') || written.has(struct.name) || nested));
  }
  lines.push('', 'export const procedures = {', ...description.procedures.map(procedureEntry), '};', '');
  lines.push(
    '/** Each event kind: the id to register, the procedure number that it arrives under, and its layout. */',
    'export const domainEvents = {',
  );
  for (const event of description.events) {
    lines.push(
      `  ${event.name}: { id: ${event.id}, procedure: ${event.procedure}, read(r: XdrReader): t.DomainEvent ${readBody(event.fields, 'object', `kind: '${event.name}', `)} },`,
    );
  }
  lines.push(
    '};',
    '',
    '/** Makes the typed surface over anything that can call a procedure. */',
    'export function bindLibvirtApi(call: t.Caller): t.LibvirtApi {',
    '  return {',
  );
  for (const procedure of description.procedures.filter((one) => one.lane !== 'stream')) {
    lines.push(
      `    ${procedure.name}: (args${argsOptional(procedure) ? ' = {}' : ''}, options = {}) => call(procedures.${procedure.name}, args, options),`,
    );
  }
  lines.push('  };', '}', '');
  return lines.join('\n');
}

function constantsFile(description: Description): string {
  const lines = [banner];
  for (const { name, values } of description.enums) {
    lines.push(`export const ${name} = { ${values.map(([key, value]) => `${key}: ${value}`).join(', ')} } as const;`);
    lines.push(`export type ${name} = (typeof ${name})[keyof typeof ${name}];`, '');
  }
  return lines.join('\n');
}

const home = new URL('../../packages/drivers-kvm/src/libvirt/', import.meta.url);

async function main(check: boolean): Promise<void> {
  const description = parseDescription(await readFile(new URL('protocol.idl', home), 'utf8'));
  const files = {
    'types.ts': typesFile(description),
    'procedures.ts': proceduresFile(description),
    'constants.ts': constantsFile(description),
  };
  await mkdir(new URL('generated/', home), { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    const target = new URL(`generated/${name}`, home);
    if (!check) await writeFile(target, text);
    else if ((await readFile(target, 'utf8').catch(() => '')) !== text) {
      console.error(`generated/${name} differs from protocol.idl: run sh tools/node.sh tools/generate/libvirt-protocol.ts`);
      process.exitCode = 1;
    }
  }
}

if (import.meta.main) await main(process.argv.includes('--check'));
