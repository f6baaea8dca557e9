import { type Static, type TSchema, Type } from 'typebox';
import { CloudError, isCloudError } from '../errors.ts';
import type { Refusal } from '../hook.ts';
import type { Json } from '../json.ts';
import { compileInput, type InputCheck } from '../validation.ts';

export interface SettingSpec<T extends TSchema> {
  /** What it is about, a dot, and the word; units last: `hosts.heartbeatSeconds`. */
  readonly name: string;
  readonly description: string;
  /** Of its values, which are JSON, but never `null`. */
  readonly schema: T;
  readonly default: Static<T>;
  /** Kinds whose rows may have a value of their own, of those that plugins declare as levels. Each inherits from the one above, the first from `global`, which is always there. */
  readonly levels?: readonly string[];
  /** Who may read a resource may read what holds there, too. Default: who may read settings, alone. */
  readonly tenantsRead?: true;
  /** Looks at what the schema cannot tell. */
  check?(value: Static<T>): Refusal | undefined;
}

/** A typed word of configuration that a plugin declares, in `Plugin.settings`, and an operator changes while the cloud runs. */
export interface Setting<V = unknown> {
  readonly name: string;
  readonly description: string;
  readonly schema: TSchema;
  readonly default: V;
  readonly levels: readonly string[];
  readonly tenantsRead: boolean;
  /** @throws CloudError `invalid_input` with a pointer below `/value` */
  assert(value: unknown): void;
}

/** A kind whose rows are a level that settings have values at. */
export interface SettingLevel {
  readonly kind: string;
  /** Its ref to the level above, which it inherits from; a row without one, and a kind without this, inherit from `global`. */
  readonly parent?: string;
}

/** The level above all others: of the whole cloud. */
export const GLOBAL = 'global';

/** @throws Error when it contradicts itself: a mistake of the programmer, found at start */
export function defineSetting<const T extends TSchema>(spec: SettingSpec<T>): Setting<Static<T>> {
  const { name, description, schema, levels = [], tenantsRead = false } = spec;
  if (!/^[a-z][A-Za-z0-9]*(\.[a-z][A-Za-z0-9]*)+$/.test(name)) throw new Error(`setting ${name}: a name is like hosts.heartbeatSeconds`);
  if (new Set(levels).size < levels.length || levels.includes(GLOBAL))
    throw new Error(`setting ${name}: levels are named once, and ${GLOBAL} is always one`);
  const input: InputCheck = compileInput(Type.Object({ value: schema }));
  const assert = (value: unknown): void => {
    input.assert({ value });
    const refusal = spec.check?.(value as Static<T>);
    if (refusal !== undefined)
      throw new CloudError('invalid_input', refusal.message ?? `The setting ${name} takes another value.`, {
        pointer: '/value',
        params: { setting: name, reason: refusal.reason },
      });
  };
  try {
    assert(spec.default);
  } catch (error) {
    if (!isCloudError(error)) throw error;
    throw new Error(`setting ${name}: its default ${JSON.stringify(spec.default)} does not fit: ${error.publicMessage}`, { cause: error });
  }
  if (fits(input, null)) throw new Error(`setting ${name}: null is no value; what is not set inherits`);
  return { name, description, schema, default: spec.default, levels, tenantsRead, assert };
}

function fits(input: InputCheck, value: unknown): boolean {
  try {
    input.assert({ value });
    return true;
  } catch {
    return false;
  }
}

/** Values that settings begin with at the level `global`, by name, in place of their defaults: of the configuration that the cloud was started with. */
export type Presets = Readonly<Record<string, Json>>;
