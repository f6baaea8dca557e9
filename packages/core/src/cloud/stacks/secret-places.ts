import type { AcceptRequest, AnyKind, Json, JsonObject, Secrets, Statement } from '../../kernel/index.ts';
import { below, type Declared, invalid, mapped, placeOf, referenceOf, type Template } from './template.ts';

/** What is shown, and stored, in the place of a secret. */
export const SECRET = '(secret)';

const PARAMETERS = '/parameters';
const TEMPLATE = '/template';
const inProperties = (name: string): string => `${placeOf(name)}/properties`;

/** References to sealed values, by their places. */
export type Sealed = Readonly<Record<string, string>>;

/** The secrets of a template and its parameters, by their places, so that what is kept of both holds none. */
export class SecretPlaces {
  readonly #values = new Map<string, Json>();

  static async opened(sealed: Sealed, secrets: Secrets): Promise<SecretPlaces> {
    const places = new SecretPlaces();
    for (const [pointer, reference] of Object.entries(sealed))
      places.#values.set(pointer, JSON.parse(await secrets.open(reference)) as Json);
    return places;
  }

  addParameters({ parameters = {} }: Template, values: JsonObject): void {
    for (const [name, value] of Object.entries(values))
      if (parameters[name]?.secret === true) this.#values.set(below(PARAMETERS, name), value);
  }

  /** @throws CloudError invalid_input where a secret would be shown: by its parameter, or by its property */
  addProperties({ name, filled }: Declared, properties: JsonObject, isSecret: (pointer: string) => boolean): void {
    const at = inProperties(name);
    mapped(properties, '', (value, pointer) => {
      const isHidden = pointer !== '' && isSecret(pointer);
      const parameterIsSecret = filled.get(at + pointer);
      if (isHidden && parameterIsSecret === false)
        throw invalid(at + pointer, 'This property is secret: the parameter that fills it has to be declared with `secret: true`.');
      if (!isHidden && parameterIsSecret === true) throw invalid(at + pointer, 'This property is shown: no secret parameter may fill it.');
      // What it refers to is shown there.
      if (isHidden && referenceOf(value) === undefined) this.#values.set(at + pointer, value);
      return isHidden ? SECRET : undefined;
    });
  }

  hiddenIn = (name: string, properties: JsonObject): JsonObject => this.#hidden(properties, inProperties(name));
  intoProperties = (name: string, properties: JsonObject): JsonObject => this.#shown(properties, inProperties(name));
  hiddenTemplate = (template: Template): JsonObject => this.#hidden(template as unknown as JsonObject, TEMPLATE, true);
  intoTemplate = (template: JsonObject): Template => this.#shown(template, TEMPLATE) as unknown as Template;
  hiddenParameters = (values: JsonObject): JsonObject => this.#hidden(values, PARAMETERS);
  intoParameters = (values: JsonObject): JsonObject => this.#shown(values, PARAMETERS);

  /** A parameter's place in the template holds no secret. */
  #hidden(value: JsonObject, at: string, keepsParameters = false): JsonObject {
    return mapped(value, at, (part, pointer) => {
      const isParameter = keepsParameters && typeof part === 'object' && part !== null && 'param' in part;
      return this.#values.has(pointer) && !isParameter ? SECRET : undefined;
    }) as JsonObject;
  }

  #shown(value: JsonObject, at: string): JsonObject {
    return mapped(value, at, (part, pointer) => (part === SECRET ? this.#values.get(pointer) : undefined)) as JsonObject;
  }

  /** The references, and what has to be written for them. */
  async sealed(
    seal: AcceptRequest<AnyKind, unknown>['seal'],
  ): Promise<{ readonly references: Sealed; readonly statements: readonly Statement[] }> {
    const references: Record<string, string> = {};
    const statements: Statement[] = [];
    for (const [pointer, value] of this.#values) {
      const { reference, statement } = await seal(JSON.stringify(value));
      references[pointer] = reference;
      statements.push(statement);
    }
    return { references, statements };
  }
}

/** Those of the properties of one resource, by their places in an input that has the fields of these. */
export function sealedIn(sealed: Sealed, name: string, input: JsonObject): Sealed {
  const at = inProperties(name);
  return Object.fromEntries(
    Object.entries(sealed).flatMap(([pointer, reference]) => {
      if (!pointer.startsWith(`${at}/`)) return [];
      const place = pointer.slice(at.length);
      const [, field = ''] = place.split('/');
      return field in input ? [[place, reference]] : [];
    }),
  );
}

/** The input with its secrets in their places. */
export async function unsealed(input: JsonObject, sealed: Sealed, secrets: Secrets): Promise<JsonObject> {
  const opened = new Map<string, Json>();
  for (const [place, reference] of Object.entries(sealed)) opened.set(place, JSON.parse(await secrets.open(reference)) as Json);
  return mapped(input, '', (_, place) => opened.get(place)) as JsonObject;
}
