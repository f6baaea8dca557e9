import { type Static, type TBoolean, type TInteger, type TSchema, type TString, Type } from 'typebox';
import type { Principal } from '../access.ts';
import { CloudError, isCloudError } from '../errors.ts';
import { notice, type Refusal } from '../hook.ts';
import { defineKind, type RowBase, type RowOf, secret } from '../kind.ts';
import { both, equals, type Reader } from '../reader.ts';
import { compileInput, type InputCheck } from '../validation.ts';
import { resourceFields } from './tag.ts';

/** What tags hold is text, a whole number or yes and no; a schema may narrow it down, e.g. to a pattern. */
export type TagSchema = TString | TInteger | TBoolean;

/** What a plugin declares once, in `Plugin.systemTags`: a typed word on resources that steers what is done with them. */
export interface SystemTag<T extends TagSchema = TagSchema> {
  /** E.g. `racks.only`: what it is about, a dot, and the word. */
  readonly name: string;
  readonly description: string;
  /** Of what it may be put on. */
  readonly kinds: readonly string[];
  readonly value: T;
  /** Several values at once. Default: one, which the next takes the place of. */
  readonly many?: true;
  /** Default: with the resource. `ephemeral` ones go whenever the server starts, too. */
  readonly lifecycle?: 'resource' | 'ephemeral';
  /** The operator's alone, to put on and to see. */
  readonly adminOnly?: true;
  /** Sealed where it is stored, and never shown. Text alone. */
  readonly secret?: true;
  /** What is steered by it where that is not the resource itself: rows of the kind whose field names the resource. */
  readonly affects?: readonly { readonly kind: string; readonly by: string }[];
  /** Looks at what the schema cannot tell. */
  check?(value: Static<T>, resource: RowBase, reader: Reader): Promise<Refusal | undefined> | Refusal | undefined;
}

export const defineSystemTag = <const T extends TagSchema>(spec: SystemTag<T>): SystemTag<T> => {
  if (!/^[a-z][A-Za-z0-9-]*(\.[a-z][A-Za-z0-9-]*)+$/.test(spec.name)) throw new Error(`system tag ${spec.name}: a name is like racks.only`);
  if (spec.secret === true && (spec.many === true || typeOf(spec.value) !== 'string'))
    throw new Error(`system tag ${spec.name}: what is secret is one text`);
  return spec;
};

/** Told once for each change of a system tag. */
export const systemTagChanged = notice<{
  readonly tag: string;
  readonly resourceKind: string;
  readonly resourceId: string;
  readonly change: 'set' | 'cleared';
}>('systemTag.changed');

export const SYSTEM_TAGS_MAX = 200;

export const systemTag = defineKind({
  name: 'systemTag',
  plural: 'system-tags',
  description: 'A typed word on a resource, of those that plugins declare, that steers what is done with it. Goes with the resource.',
  scope: 'project',
  schema: Type.Object({
    ...resourceFields,
    tag: Type.String({ description: 'E.g. `racks.only`.' }),
    token: Type.String({ description: 'The tag, and of one with several values also which.' }),
    value: Type.Optional(Type.String({ description: 'As text. Absent where it is secret.' })),
    number: Type.Optional(Type.Integer({ description: 'The same of one that is a number.' })),
    secretValue: Type.Optional(secret({ maxLength: 4096 })),
    adminOnly: Type.Boolean({ description: 'The operator alone sees it.' }),
  }),
  attached: { max: SYSTEM_TAGS_MAX, changed: systemTagChanged.id },
  operatorsIf: 'adminOnly',
  states: { available: ['deleted'] },
  initial: 'available',
  unique: [
    ['resourceId', 'token'],
    ['tag', 'value', 'resourceId'],
    ['tag', 'number', 'resourceId'],
  ],
  indexed: ['tag'],
});
export type SystemTagRow = RowOf<typeof systemTag>;

/** What is said of a resource by this tag. Values that are secret are not told: `secrets.open` opens the row's `secretValue`. */
export async function systemTagValues<T extends TagSchema>(
  reader: Reader,
  tag: SystemTag<T>,
  resourceId: string,
): Promise<readonly Static<T>[]> {
  const rows = await reader.list(systemTag, both(equals('resourceId', resourceId), equals('tag', tag.name)));
  return rows.flatMap(({ value }) => (value === undefined ? [] : [parsed(tag.value, value) as Static<T>]));
}

const typeOf = (schema: TSchema): string | undefined => (schema as { readonly type?: string }).type;

/** A token is text; what is none of the type stays text, for the schema to refuse. */
function parsed(schema: TSchema, text: string): string | number | boolean {
  const type = typeOf(schema);
  if (type === 'integer' && /^-?\d{1,15}$/.test(text)) return Number(text);
  return type === 'boolean' && (text === 'true' || text === 'false') ? text === 'true' : text;
}

export const asText = (value: string | number | boolean): string => String(value);

/** The tags that the plugins declare. */
export class SystemTags {
  readonly #all: ReadonlyMap<string, SystemTag>;
  readonly #checks = new Map<string, InputCheck>();

  constructor(all: readonly SystemTag[]) {
    this.#all = new Map(all.map((tag) => [tag.name, tag]));
    for (const { name, value } of all) this.#checks.set(name, compileInput(Type.Object({ value })));
  }

  /** Those that the caller may know of. */
  known(operates: boolean): readonly SystemTag[] {
    return [...this.#all.values()].filter(({ adminOnly }) => operates || adminOnly !== true);
  }

  /** @throws CloudError `invalid_input` naming those that there are */
  get(name: string, { operates }: { readonly operates: boolean }): SystemTag {
    const tag = this.#all.get(name);
    if (tag !== undefined && (operates || tag.adminOnly !== true)) return tag;
    const names = this.known(operates).map((known) => known.name);
    throw new CloudError('invalid_input', `There is no system tag ${name}${names.length === 0 ? '' : `; there is ${names.join(', ')}`}.`, {
      pointer: '/tag',
      params: { tag: name, tags: names },
    });
  }

  /** The value that a token means. @throws CloudError `invalid_input` naming the tag */
  value(tag: SystemTag, token: string, pointer: string): string | number | boolean {
    const value = parsed(tag.value, token);
    try {
      this.#checks.get(tag.name)?.assert({ value });
    } catch (error) {
      if (!isCloudError(error)) throw error;
      // Of what is secret nothing is repeated.
      const why = tag.secret === true ? '' : `: ${error.publicMessage}`;
      throw new CloudError('invalid_input', `This is no value of the system tag ${tag.name}${why}`, { pointer, params: { tag: tag.name } });
    }
    return value;
  }
}

export const operates = (principal: Principal): boolean => principal.allows('project.any');
