/** The part of JSON Schema 2020-12 that servers use. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly format?: string;
  readonly description?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema | boolean;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly pattern?: string;
  readonly 'x-ref'?: { readonly kind: string; readonly onDelete?: string };
  readonly 'x-secret'?: boolean;
  readonly 'x-sealed'?: boolean;
  readonly 'x-pileus-kind'?: string;
  readonly 'x-pileus-states'?: Readonly<Record<string, readonly string[]>>;
  readonly 'x-pileus-links'?: Readonly<Record<string, Link>>;
  readonly 'x-pileus-sorts'?: readonly string[];
}

/** From rows of one kind to those of another: along a ref to one, or against one to many. */
export interface Link {
  readonly kind: string;
  readonly many: boolean;
}

export type Schemas = Readonly<Record<string, Schema>>;

const PREFIX = '#/components/schemas/';
/** The component that a schema points to, if it is a pointer. */
export const componentOf = (schema: Schema): string | undefined =>
  schema.$ref?.startsWith(PREFIX) === true ? schema.$ref.slice(PREFIX.length) : undefined;

/** The schema itself, pointers followed. */
export function resolve(schema: Schema, schemas: Schemas): Schema {
  let at = schema;
  for (let depth = 0; depth < 16; depth += 1) {
    const name = componentOf(at);
    const target = name === undefined ? undefined : schemas[name];
    if (target === undefined) return at;
    at = target;
  }
  return at;
}

/** `attach-volume` -> `attachVolume` */
export const camel = (name: string): string => name.replaceAll(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
/** `attach-volume`, `attachVolume` -> `AttachVolume` */
export const pascal = (name: string): string => camel(name).replace(/^./, (letter) => letter.toUpperCase());
/** `attachVolume` -> `attach-volume` */
export const kebab = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
