import { type Environment, following, sleep } from '../environment.ts';
import { isCloudError } from '../errors.ts';
import type { JsonObject } from '../json.ts';
import type { AnyKind, RowBase } from '../kind.ts';
import type { Reader } from '../reader.ts';
import type { Registry } from '../registry.ts';
import type { Statement } from '../store.ts';
import { GLOBAL, type Setting } from './definition.ts';
import { type SettingValue, settingValue } from './kinds.ts';

type Held = Pick<SettingValue, 'id' | 'key' | 'place' | 'level' | 'value'>;

/** A value that holds, or would if nothing nearer had one. */
export interface Source<V = unknown> {
  readonly value: V;
  /** `default`, `configuration`, `global`, or the kind of the resource that it is set on. */
  readonly level: string;
  readonly resource?: RowBase;
  /** The row that holds it. */
  readonly valueId?: string;
}

/** A resource at a level; its row is read only where it is needed. */
interface Place {
  readonly kind: AnyKind;
  readonly id: string;
  readonly row: RowBase | undefined;
}

export interface SettingsPorts {
  readonly environment: Environment;
  readonly reader: Reader;
  /** Late bound: plugins are made with the settings that they declare. */
  readonly registry: () => Registry;
}

/**
 * What settings are now. All values that are set are held in memory, few as they are: read once at the start, and from then on kept by the outcome of each
 * commit, so that a value is in use as soon as it is durable. What no plugin declares, or does not fit what is declared now, is left alone.
 */
export class Settings {
  readonly #ports: SettingsPorts;
  /** All, also those that are not used. */
  readonly #byId = new Map<string, Held>();
  /** By key, then by place: those that are. */
  readonly #byKey = new Map<string, Map<string, Held>>();
  readonly #listeners = new Set<(key: string) => void>();

  constructor(ports: SettingsPorts) {
    this.#ports = ports;
  }

  /** Reads what is set. */
  async load(): Promise<void> {
    const { registry, reader } = this.#ports;
    if (registry().findKind(settingValue.name) === undefined) return;
    for (const row of await reader.list(settingValue)) this.#put(row);
  }

  /** Told of the statements of each commit, with whether they are written. */
  heed(statements: readonly Statement[], ok: boolean): void {
    if (!ok) return;
    const changed = new Set<string>();
    for (const statement of statements)
      if ('table' in statement && statement.table === settingValue.name) {
        const key = this.#apply(statement);
        if (key !== undefined) changed.add(key);
      }
    for (const key of changed) for (const listener of this.#listeners) listener(key);
  }

  #apply(statement: Statement): string | undefined {
    if (statement.op === 'insert') {
      const row = statement.row as unknown as Held;
      this.#put(row);
      return row.key;
    }
    if (statement.op !== 'update' && statement.op !== 'remove') return undefined;
    const held = this.#byId.get(statement.key as string);
    if (held === undefined) return undefined;
    if (statement.op === 'update' && statement.set.deletedAt !== true) this.#put({ ...held, ...(statement.set as JsonObject) });
    else this.#drop(held);
    return held.key;
  }

  #put(row: Held): void {
    this.#drop(row);
    const { id, key, place, level, value } = row;
    const held = { id, key, place, level, value };
    this.#byId.set(id, held);
    if (this.#fits(held)) this.#byKey.set(key, (this.#byKey.get(key) ?? new Map()).set(place, held));
  }

  #drop({ id, key, place }: Held): void {
    this.#byId.delete(id);
    const places = this.#byKey.get(key);
    places?.delete(place);
    if (places?.size === 0) this.#byKey.delete(key);
  }

  #fits({ id, key, level, value }: Held): boolean {
    const setting = this.#ports.registry().settings.find(key)?.setting;
    if (setting === undefined) return false;
    try {
      if (level === GLOBAL || setting.levels.includes(level)) setting.assert(value);
      return level === GLOBAL || setting.levels.includes(level);
    } catch (error) {
      if (!isCloudError(error)) throw error;
      this.#ports.environment.logger.warn(
        { valueId: id, key, error: error.publicMessage },
        'the value of a setting does not fit, and is not used',
      );
      return false;
    }
  }

  /** Called with the name of each setting that was given another value, or lost one, somewhere. Answers how to stop. */
  onChange(listener: (key: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Waits for so long, or until one of these settings is changed somewhere, or the signal aborts. */
  async sleep(ms: number, settings: readonly Setting[], signal: AbortSignal): Promise<void> {
    const until = following(signal);
    const stop = this.onChange((key) => {
      if (settings.some(({ name }) => name === key)) until.abort();
    });
    await sleep(this.#ports.environment.timers, ms, until.signal).catch(() => undefined);
    stop();
    until.release();
  }

  /** Of the whole cloud. */
  global<V>(setting: Setting<V>): V {
    const held = this.#byKey.get(setting.name)?.get(GLOBAL);
    return held === undefined ? this.#ports.registry().settings.preset(setting) : (held.value as V);
  }

  /** For a resource of a kind that is a level. Its row, and those above it, are read only while some resource has a value of its own. */
  async at<V>(setting: Setting<V>, kind: AnyKind, resource: RowBase | string): Promise<V> {
    if (!this.#isSetBelow(setting)) return this.global(setting);
    const held = this.#byKey.get(setting.name);
    for await (const { id } of this.#upwards(kind, resource)) {
      const found = held?.get(id);
      if (found !== undefined) return found.value as V;
    }
    return this.global(setting);
  }

  /** All values that hold somewhere: of the whole cloud, and those of resources. */
  everywhere<V>(setting: Setting<V>): readonly V[] {
    const held = [...(this.#byKey.get(setting.name)?.values() ?? [])].filter(({ place }) => place !== GLOBAL);
    return [this.global(setting), ...held.map(({ value }) => value as V)];
  }

  /** The value that holds for the resource, or with none in the whole cloud, and behind it those that it overrides. */
  async sources<V>(
    setting: Setting<V>,
    at?: { readonly kind: AnyKind; readonly row: RowBase },
  ): Promise<readonly [Source<V>, ...Source<V>[]]> {
    const held = this.#byKey.get(setting.name);
    const set: Source<V>[] = [];
    if (at !== undefined)
      for await (const { id, kind, row } of this.#upwards(at.kind, at.row)) {
        const found = held?.get(id);
        const resource = found === undefined ? undefined : (row ?? (await this.#ports.reader.find(kind, id)));
        if (found !== undefined) set.push({ ...source<V>(found), ...(resource === undefined ? {} : { resource: resource as RowBase }) });
      }
    const global = held?.get(GLOBAL);
    const { settings } = this.#ports.registry();
    const all = [
      ...set,
      ...(global === undefined ? [] : [source<V>(global)]),
      ...(settings.isPreset(setting.name) ? [{ value: settings.preset(setting), level: 'configuration' }] : []),
    ];
    const last: Source<V> = { value: setting.default, level: 'default' };
    const [first = last, ...rest] = all;
    return first === last ? [last] : [first, ...rest, last];
  }

  #isSetBelow({ name }: Setting): boolean {
    const places = this.#byKey.get(name);
    return places !== undefined && (places.size > 1 || !places.has(GLOBAL));
  }

  /** The resource, and those that it inherits from, nearest first. */
  async *#upwards(kind: AnyKind, resource: RowBase | string): AsyncGenerator<Place> {
    const registry = this.#ports.registry();
    let id = typeof resource === 'string' ? resource : (resource.id as string);
    let row = typeof resource === 'string' ? undefined : resource;
    for (let at: AnyKind | undefined = kind; at !== undefined; ) {
      yield { kind: at, id, row };
      const field = registry.settings.parentField(at.name);
      if (field === undefined) return;
      row ??= (await this.#ports.reader.find(at, id)) as RowBase | undefined;
      const above = (row as unknown as Record<string, string | undefined> | undefined)?.[field];
      if (above === undefined) return;
      const level = registry.settings.levelAbove(at.name, (name) => registry.findKind(name));
      [id, row, at] = [above, undefined, level === undefined ? undefined : registry.kind(level)];
    }
  }
}

const source = <V>({ id, level, value }: Held): Source<V> => ({ value: value as V, level, valueId: id });
