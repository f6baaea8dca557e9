import { CloudError, isCloudError } from '../errors.ts';
import type { AnyKind } from '../kind.ts';
import type { Presets, Setting, SettingLevel } from './definition.ts';

export interface Declared {
  readonly setting: Setting;
  readonly plugin: string;
}

/** What is declared about settings by a plugin of this id. */
export interface SettingDeclarations {
  readonly id: string;
  readonly settings?: readonly Setting[];
  readonly settingLevels?: readonly SettingLevel[];
}

interface Level extends SettingLevel {
  readonly plugin: string;
}

/** The settings that the plugins declare, with the levels they inherit along. @throws Error that names both sides of what does not fit together, CloudError (invalid_input) for what the configuration says of them */
export class SettingCatalog {
  readonly #declared = new Map<string, Declared>();
  readonly #levels = new Map<string, Level>();
  readonly #presets: Presets;

  constructor(plugins: readonly SettingDeclarations[], presets: Presets, findKind: (name: string) => AnyKind | undefined) {
    this.#presets = presets;
    for (const { id, settingLevels = [] } of plugins) for (const level of settingLevels) this.#addLevel({ ...level, plugin: id });
    for (const level of this.#levels.values()) this.#checkLevel(level, findKind);
    for (const { id, settings = [] } of plugins) for (const setting of settings) this.#add({ setting, plugin: id });
    for (const name of Object.keys(presets)) this.#checkPreset(name);
  }

  #addLevel(level: Level): void {
    const other = this.#levels.get(level.kind);
    if (other !== undefined) throw new Error(`plugins ${other.plugin} and ${level.plugin} both declare the setting level ${level.kind}`);
    this.#levels.set(level.kind, level);
  }

  #checkLevel({ kind: name, parent, plugin }: Level, findKind: (name: string) => AnyKind | undefined): void {
    const kind = findKind(name);
    if (kind === undefined) throw new Error(`plugin ${plugin} declares the unknown kind ${name} a setting level`);
    if (parent === undefined) return;
    const above = kind.refs.find(({ field }) => field === parent)?.kind;
    if (above === undefined) throw new Error(`the setting level ${name} of plugin ${plugin} inherits by ${parent}, which is no ref of it`);
    if (!this.#levels.has(above))
      throw new Error(`the setting level ${name} of plugin ${plugin} inherits from ${above}, which no plugin declares a level`);
    const path = new Set([name]);
    for (let at = this.levelAbove(name, findKind); at !== undefined; at = this.levelAbove(at, findKind)) {
      if (path.has(at)) throw new Error(`the setting levels ${[...path, at].join(', ')} inherit from each other`);
      path.add(at);
    }
  }

  #add(declared: Declared): void {
    const { setting, plugin } = declared;
    const other = this.#declared.get(setting.name);
    if (other !== undefined) throw new Error(`plugins ${other.plugin} and ${plugin} both declare the setting ${setting.name}`);
    for (const level of setting.levels)
      if (!this.#levels.has(level)) {
        const known = [...this.#levels.values()].map((each) => `${each.kind} (${each.plugin})`).join(', ');
        throw new Error(`the setting ${setting.name} of plugin ${plugin} is for the level ${level}; plugins declare ${known || 'none'}`);
      }
    this.#declared.set(setting.name, declared);
  }

  #checkPreset(name: string): void {
    const declared = this.#declared.get(name);
    if (declared === undefined)
      throw new CloudError('invalid_input', `There is a value for the setting ${name}, which no plugin declares.`);
    try {
      declared.setting.assert(this.#presets[name]);
    } catch (error) {
      if (!isCloudError(error)) throw error;
      const { plugin } = declared;
      throw new CloudError('invalid_input', `The setting ${name} of plugin ${plugin} has a wrong value: ${error.publicMessage}`, {
        cause: error,
      });
    }
  }

  all(): readonly Declared[] {
    return [...this.#declared.values()];
  }
  find(name: string): Declared | undefined {
    return this.#declared.get(name);
  }
  isLevel(kind: string): boolean {
    return this.#levels.has(kind);
  }
  levels(): readonly string[] {
    return [...this.#levels.keys()];
  }
  /** The ref by which rows of this kind inherit. */
  parentField(kind: string): string | undefined {
    return this.#levels.get(kind)?.parent;
  }
  levelAbove(kind: string, findKind: (name: string) => AnyKind | undefined): string | undefined {
    const parent = this.parentField(kind);
    return findKind(kind)?.refs.find(({ field }) => field === parent)?.kind;
  }
  /** Whether the configuration has a value for it. */
  isPreset(name: string): boolean {
    return name in this.#presets;
  }
  /** At the level `global`, where nothing is set. */
  preset<V>(setting: Setting<V>): V {
    // Its schema was checked at the start.
    return this.isPreset(setting.name) ? (this.#presets[setting.name] as V) : setting.default;
  }
}
