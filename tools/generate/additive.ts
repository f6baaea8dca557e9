/** Whether clients that were made for an earlier document of the API get on with a later one: what may change about a release. */

type Json = Readonly<Record<string, unknown>>;
/** What callers send may grow more lenient, what they are told may grow richer; neither the other way round. */
type Side = 'sent' | 'told';

interface Schema extends Json {
  readonly $ref?: string;
  readonly type?: string;
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
}
interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly schema?: Schema;
}
type Contents = Readonly<Record<string, { readonly schema?: Schema }>>;
interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly required?: boolean; readonly content?: Contents };
  readonly responses?: Readonly<Record<string, { readonly content?: Contents }>>;
}
export interface ApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

/** Bounds of what may be sent, and which of two is the stricter. */
const AT_MOST = ['maximum', 'maxLength', 'maxItems', 'maxProperties'];
const AT_LEAST = ['minimum', 'minLength', 'minItems', 'minProperties'];
/** A change of these is taken for another meaning. */
const FIXED = ['type', 'format', 'const', 'multipleOf', 'uniqueItems'];

/** What breaks clients of the earlier document, a line each: nothing where all that changed was added. */
export function breaks(before: ApiDocument, now: ApiDocument): readonly string[] {
  return new Comparison(before, now).run();
}

class Comparison {
  readonly #before: ApiDocument;
  readonly #now: ApiDocument;
  readonly #found = new Set<string>();
  /** Pairs of named schemas that were compared: they refer to each other in circles. */
  readonly #compared = new Set<string>();

  constructor(before: ApiDocument, now: ApiDocument) {
    this.#before = before;
    this.#now = now;
  }

  run(): readonly string[] {
    for (const [path, item] of Object.entries(this.#before.paths))
      for (const [method, operation] of Object.entries(item)) {
        const later = this.#now.paths[path]?.[method];
        if (later === undefined) this.#found.add(`${operation.operationId} (${method.toUpperCase()} ${path}) is gone`);
        else this.#operation(operation, later);
      }
    return [...this.#found];
  }

  #operation(before: Operation, now: Operation): void {
    const at = before.operationId;
    if (now.operationId !== at) this.#found.add(`${at} is called ${now.operationId}`);
    const [was, is] = [byName(before), byName(now)];
    for (const [name, parameter] of was) {
      const later = is.get(name);
      if (later === undefined) this.#found.add(`${at} takes no ${name} any more`);
      else this.#schema(`${at} ${name}`, parameter.schema ?? {}, later.schema ?? {}, 'sent');
    }
    for (const [name, { required }] of is)
      if (required === true && was.get(name)?.required !== true) this.#found.add(`${at} ${name} is required`);
    if (now.requestBody?.required === true && before.requestBody?.required !== true) this.#found.add(`${at} requires a body`);
    this.#contents(`${at} body`, before.requestBody?.content, now.requestBody?.content, 'sent');
    for (const [status, { content }] of Object.entries(before.responses ?? {})) {
      const later = now.responses?.[status];
      if (later === undefined) this.#found.add(`${at} answers no ${status} any more`);
      else this.#contents(`${at} ${status}`, content, later.content, 'told');
    }
  }

  #contents(at: string, before: Contents = {}, now: Contents = {}, side: Side): void {
    for (const [type, { schema = {} }] of Object.entries(before)) {
      const later = now[type];
      if (later === undefined) this.#found.add(`${at} is no ${type} any more`);
      else this.#schema(at, schema, later.schema ?? {}, side);
    }
  }

  #schema(at: string, before: Schema, now: Schema, side: Side): void {
    if (before.$ref !== undefined || now.$ref !== undefined) this.#named(at, before, now, side);
    else if (before.anyOf !== undefined || now.anyOf !== undefined) this.#choices(at, before, now, side);
    else this.#one(at, before, now, side);
  }

  #named(at: string, before: Schema, now: Schema, side: Side): void {
    const pair = `${side} ${before.$ref ?? at} ${now.$ref ?? at}`;
    if (this.#compared.has(pair)) return;
    this.#compared.add(pair);
    const name = before.$ref === undefined ? at : before.$ref.slice(before.$ref.lastIndexOf('/') + 1);
    this.#schema(name, named(this.#before, before), named(this.#now, now), side);
  }

  #one(at: string, before: Schema, now: Schema, side: Side): void {
    for (const word of FIXED)
      if (before[word] !== undefined && JSON.stringify(before[word]) !== JSON.stringify(now[word]))
        this.#found.add(`${at}: ${word} was ${JSON.stringify(before[word])}, is ${JSON.stringify(now[word]) ?? 'not told'}`);
    if (side === 'sent') this.#bounds(at, before, now);
    this.#fields(at, before, now, side);
    if (before.items !== undefined && now.items !== undefined) this.#schema(`${at}[]`, before.items, now.items, side);
  }

  /** One of those before has to be among those of now. What clients are told may be of further sorts: they pass over what they do not know. */
  #choices(at: string, before: Schema, now: Schema, side: Side): void {
    const later = now.anyOf ?? [now];
    for (const [index, choice] of (before.anyOf ?? [before]).entries()) {
      const same = later.find(({ $ref }) => $ref !== undefined && $ref === choice.$ref);
      if (same !== undefined) this.#schema(at, choice, same, side);
      else if (!later.some((each) => this.#fits(choice, each, side)))
        this.#found.add(`${at}: none of its sorts is what sort ${index + 1} was`);
    }
  }

  #fits(before: Schema, now: Schema, side: Side): boolean {
    const apart = new Comparison(this.#before, this.#now);
    for (const pair of this.#compared) apart.#compared.add(pair);
    apart.#schema('', before, now, side);
    return apart.#found.size === 0;
  }

  #bounds(at: string, before: Schema, now: Schema): void {
    const stricter = (word: string, isStricter: (was: number, is: number) => boolean, none: number) => {
      const [was, is] = [Number(before[word] ?? none), Number(now[word] ?? none)];
      if (isStricter(was, is)) this.#found.add(`${at}: ${word} was ${before[word] ?? 'none'}, is ${is}`);
    };
    for (const word of AT_MOST) stricter(word, (was, is) => is < was, Number.POSITIVE_INFINITY);
    for (const word of AT_LEAST) stricter(word, (was, is) => is > was, Number.NEGATIVE_INFINITY);
    const values = now.enum as readonly unknown[] | undefined;
    const lost = ((before.enum as readonly unknown[] | undefined) ?? []).filter((value) => values?.includes(value) === false);
    if (lost.length > 0) this.#found.add(`${at} may not be ${lost.join(', ')} any more`);
    if (before.enum === undefined && values !== undefined) this.#found.add(`${at} may only be ${values.join(', ')}`);
  }

  #fields(at: string, before: Schema, now: Schema, side: Side): void {
    for (const [name, schema] of Object.entries(before.properties ?? {})) {
      const later = now.properties?.[name];
      if (later === undefined) this.#found.add(`${at}/${name} is gone`);
      else this.#schema(`${at}/${name}`, schema, later, side);
    }
    const [was, is] = [new Set(before.required), new Set(now.required)];
    if (side === 'sent') for (const name of is) if (!was.has(name)) this.#found.add(`${at}/${name} is required`);
    if (side === 'told') for (const name of was) if (!is.has(name)) this.#found.add(`${at}/${name} may be missing`);
  }
}

const byName = ({ parameters = [] }: Operation): ReadonlyMap<string, Parameter> =>
  new Map(parameters.map((parameter) => [`${parameter.in} ${parameter.name}`, parameter]));

function named({ components }: ApiDocument, schema: Schema): Schema {
  if (schema.$ref === undefined) return schema;
  return components.schemas[schema.$ref.slice(schema.$ref.lastIndexOf('/') + 1)] ?? {};
}
