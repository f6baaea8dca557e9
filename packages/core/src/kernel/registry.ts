import type { Strategies } from '../strategy/index.ts';
import type { Action } from './action.ts';
import { AUDIT_TABLE, UNSEALED } from './audit/record.ts';
import { circleOf, goesAlong } from './cascade/circles.ts';
import { CASCADE_PARTS, cascadeDelete, deleteAction, expungeAction } from './cascade/delete.ts';
import type { Deletion } from './cascade/deletion.ts';
import { TRASHED } from './cascade/plan.ts';
import { cascadeRecover, recoverAction, restoreRows } from './cascade/recover.ts';
import type { CascadeContext } from './cascade/survey.ts';
import type { Dormant } from './dormant.ts';
import type { Endpoint } from './endpoint.ts';
import type { Environment } from './environment.ts';
import { Hooks } from './hook.ts';
import { type AnyKind, ownerField, type RefEdge, SYSTEM_FIELDS } from './kind.ts';
import { debt, KERNEL_TABLES, operation } from './operation.ts';
import type { Callbacks, DebtHandler, Plugin } from './plugin.ts';
import { shapeOf } from './query/graph.ts';
import type { Reader } from './reader.ts';
import { kernelSettings, rowsNeeded } from './retention.ts';
import { type AnySaga, sagaKey } from './saga/definition.ts';
import { SettingCatalog } from './settings/catalog.ts';
import type { Presets } from './settings/definition.ts';
import { Slices } from './slices.ts';
import type { StoreSchema, TableSpec } from './store.ts';
import { withTags } from './tags/creation.ts';
import { type SystemTag, SystemTags } from './tags/system-tag.ts';
import { tag } from './tags/tag.ts';

export interface IncomingEdge {
  readonly kind: AnyKind;
  readonly edge: RefEdge;
}

export interface RegistryOptions {
  readonly presets?: Presets;
  /** How long what is deleted lies in the trash, when it is asked. */
  readonly trashMs?: () => number;
  readonly slices?: Slices;
}

/** All that the plugins declared, checked against each other once, at start. @throws Error that names both sides of a clash. */
export class Registry {
  readonly plugins: readonly Plugin[];
  readonly hooks: Hooks;
  /** What deletions go by. */
  readonly cascade: CascadeContext;
  readonly systemTags: SystemTags;
  readonly settings: SettingCatalog;
  readonly #tags = new Named<SystemTag>('system tag');
  readonly #kinds = new Named<AnyKind>('kind');
  readonly #actions = new Named<Action>('action');
  readonly #deletions = new Named<Deletion>('deletion');
  readonly #sagas = new Map<string, AnySaga>();
  readonly #debts = new Named<DebtHandler>('debt handler');
  readonly #strategies = new Named<{ readonly name: string }>('strategy');
  readonly #endpoints = new Named<Endpoint>('endpoint');
  readonly #dormant = new Map<string, Dormant>();
  readonly #incoming = new Map<string, IncomingEdge[]>();
  /** Asked with each commit that lets a row go. */
  readonly #attachedTo = new Map<string, readonly AnyKind[]>();

  constructor(
    plugins: readonly Plugin[],
    environment: Environment,
    reader: Reader,
    { presets = {}, trashMs = () => 0, slices = new Slices(environment.timers) }: RegistryOptions = {},
  ) {
    this.plugins = [kernelPlugin, ...plugins];
    this.cascade = { registry: this, reader, clock: environment.clock, trashMs, slices };
    this.hooks = new Hooks(environment, { reader });
    const ids = new Named<Plugin>('plugin');
    for (const plugin of this.plugins) ids.add(plugin.id, plugin, plugin.id);
    for (const plugin of this.plugins) {
      for (const required of plugin.requires ?? [])
        if (ids.find(required) === undefined) throw new Error(`plugin ${plugin.id} requires ${required}, which is not there`);
      this.#declare(plugin);
      for (const deletion of plugin.deletions ?? []) this.#addDeletion(plugin, deletion);
    }
    this.#link();
    this.systemTags = new SystemTags(this.#tags.all());
    for (const { name, kinds, affects = [] } of this.#tags.all()) this.#checkTag(name, kinds, affects);
    for (const plugin of this.plugins) for (const binding of plugin.hooks ?? []) this.hooks.bind(plugin.id, binding);
    this.hooks.seal();
    this.settings = new SettingCatalog(this.plugins, presets, (name) => this.findKind(name));
  }

  #declare(plugin: Plugin): void {
    for (const kind of plugin.kinds ?? []) this.#kinds.add(kind.name, kind, plugin.id);
    for (const action of plugin.actions ?? []) this.#addAction(plugin, action);
    for (const saga of plugin.sagas ?? []) this.#addSaga(saga);
    for (const tag of plugin.systemTags ?? []) this.#tags.add(tag.name, tag, plugin.id);
    for (const handler of plugin.debts ?? []) this.#debts.add(handler.task, handler, plugin.id);
    for (const endpoint of plugin.endpoints ?? []) this.#endpoints.add(`${endpoint.method} ${endpoint.path}`, endpoint, plugin.id);
    for (const [contract, factories] of Object.entries(plugin.strategies ?? {}))
      for (const factory of factories as readonly { readonly name: string }[])
        this.#strategies.add(`${contract}/${factory.name}`, factory, plugin.id);
    for (const point of plugin.points ?? []) this.hooks.declare(plugin.id, point);
  }

  #addAction(plugin: Plugin, action: Action): void {
    this.#actions.add(action.name, this.#tagged(action), plugin.id);
    this.#addSaga(action.saga);
  }

  #checkTag(name: string, kinds: readonly string[], affects: NonNullable<SystemTag['affects']>): void {
    for (const each of [...kinds, ...affects.map(({ kind }) => kind)]) {
      const kind = this.#kinds.find(each);
      if (kind === undefined || !this.takesAttached(kind)) throw new Error(`system tag ${name} is for ${each}, which takes no tags`);
    }
    for (const { kind, by } of affects)
      if (!(by in this.kind(kind).rowSchema.properties)) throw new Error(`system tag ${name} affects ${kind} by the unknown field ${by}`);
  }

  #tagged(action: Action): Action {
    const takes = (kind: AnyKind | undefined) => (kind !== undefined && this.takesAttached(kind) ? kind : undefined);
    const isThere = this.plugins.some(({ kinds }) => kinds?.includes(tag));
    return isThere
      ? withTags(action, { taggable: (name) => takes(name === action.kind.name ? action.kind : this.findKind(name)) })
      : action;
  }

  #addDeletion(plugin: Plugin, deletion: Deletion): void {
    const { kind, from, quiesce, remove, trash } = deletion;
    this.#deletions.add(kind.name, deletion, plugin.id);
    for (const saga of [quiesce, remove, trash?.back]) if (saga !== undefined) this.#addSaga(saga);
    if (trash !== undefined && (kind.states[TRASHED] === undefined || kind.schema.properties.trash === undefined))
      throw new Error(`kind ${kind.name} goes into the trash, and lacks the state trashed or the field trash`);
    // A kind that no state lets go of by itself is deleted only with its owner.
    if (from.length === 0) return;
    const context = () => this.cascade;
    const all = this.plugins.flatMap(({ kinds = [] }) => kinds);
    const contains = all.some(({ refs }) => refs.some((edge) => edge.kind === kind.name && edge.recursive === true));
    this.#addAction(plugin, deleteAction(deletion, context, contains));
    if (trash !== undefined && trash.withOwner !== true)
      for (const action of [recoverAction, expungeAction]) this.#addAction(plugin, action(deletion, context));
  }

  /** One definition may serve several actions; two that share a name and version must be the same value. */
  #addSaga(saga: AnySaga): void {
    const known = this.#sagas.get(sagaKey(saga));
    if (known !== undefined && known !== saga) throw new Error(`two different sagas are called ${sagaKey(saga)}`);
    this.#sagas.set(sagaKey(saga), saga);
  }

  #link(): void {
    for (const kind of this.kinds())
      for (const edge of kind.refs) {
        if (this.#kinds.find(edge.kind) === undefined)
          throw new Error(`kind ${kind.name} refers to the unknown kind ${edge.kind} in ${edge.field}`);
        if (goesAlong(edge) && this.findDeletion(edge.kind) !== undefined && this.findDeletion(kind.name) === undefined)
          throw new Error(`kind ${kind.name} is deleted with its ${edge.field}, and declares no deletion`);
        this.#incoming.set(edge.kind, [...(this.#incoming.get(edge.kind) ?? []), { kind, edge }]);
      }
    const circle = circleOf(this.kinds());
    if (circle !== undefined) {
      const told = circle.map(
        (name) => `${name} (plugin ${this.plugins.find(({ kinds }) => kinds?.some((kind) => kind.name === name))?.id})`,
      );
      throw new Error(`kinds are deleted with one another in a circle: ${told.join(' with ')}`);
    }
    const project = this.#kinds.find('project');
    // What a project has keeps it from being deleted; what was done in it does not.
    if (project !== undefined)
      for (const kind of this.kinds())
        if (kind.scope === 'project' && kind !== operation && kind.attached === undefined)
          this.#incoming.set(project.name, [
            ...this.edgesTo(project.name),
            { kind, edge: { field: 'projectId', kind: project.name, onDelete: 'restrict' } },
          ]);
    for (const action of this.actions())
      if (this.#kinds.find(action.kind.name) === undefined)
        throw new Error(`action ${action.name} is on the unknown kind ${action.kind.name}`);
    for (const { name, makes } of this.actions())
      for (const made of makes)
        if (this.#kinds.find(made.name) === undefined) throw new Error(`action ${name} makes the unknown kind ${made.name}`);
  }

  kind(name: string): AnyKind {
    return this.#kinds.get(name);
  }
  findKind(name: string): AnyKind | undefined {
    return this.#kinds.find(name);
  }
  kinds(): readonly AnyKind[] {
    return this.#kinds.all();
  }
  /** Kinds of absent plugins, told once, at the start. Nothing is done to their rows, and what they refer to stays. */
  addDormant(dormant: readonly Dormant[]): void {
    this.#attachedTo.clear();
    for (const each of dormant) {
      this.#kinds.add(each.kind.name, each.kind, each.plugin);
      this.#dormant.set(each.kind.name, each);
      for (const edge of each.kind.refs) this.#incoming.set(edge.kind, [...this.edgesTo(edge.kind), { kind: each.kind, edge }]);
    }
  }
  dormant(): readonly Dormant[] {
    return [...this.#dormant.values()];
  }
  findDormant(kind: string): Dormant | undefined {
    return this.#dormant.get(kind);
  }
  /** Kinds whose rows are about resources of any kind. */
  attachedKinds(): readonly AnyKind[] {
    return this.kinds().filter(({ attached }) => attached !== undefined);
  }
  /** Those whose rows may be about one of this kind. */
  attachedTo(kind: AnyKind): readonly AnyKind[] {
    const known = this.#attachedTo.get(kind.name);
    if (known !== undefined) return known;
    const kinds = this.takesAttached(kind)
      ? this.attachedKinds().filter(({ attached }) => attached?.levelsOnly !== true || this.settings.isLevel(kind.name))
      : [];
    this.#attachedTo.set(kind.name, kinds);
    return kinds;
  }
  /** Whether rows of other kinds may be attached to those of this one. */
  takesAttached(kind: AnyKind): boolean {
    return kind !== operation && kind !== debt && kind.attached === undefined && this.findDormant(kind.name) === undefined;
  }
  /** The kind behind a table, if its rows count for quotas. */
  countedKind(table: string): AnyKind | undefined {
    const kind = this.#kinds.find(table);
    return kind?.quota === undefined ? undefined : kind;
  }
  action(name: string): Action {
    return this.#actions.get(name);
  }
  findAction(name: string): Action | undefined {
    return this.#actions.find(name);
  }
  actions(): readonly Action[] {
    return this.#actions.all();
  }
  findDeletion(kind: string): Deletion | undefined {
    return this.#deletions.find(kind);
  }
  deletion(kind: string): Deletion {
    return this.#deletions.get(kind);
  }
  get callbacks(): Callbacks | undefined {
    return this.plugins.find(({ callbacks }) => callbacks !== undefined)?.callbacks;
  }
  endpoints(): readonly Endpoint[] {
    return this.#endpoints.all();
  }
  debtHandler(task: string): DebtHandler | undefined {
    return this.#debts.find(task);
  }
  saga(key: string): AnySaga | undefined {
    return this.#sagas.get(key);
  }
  sagas(): readonly AnySaga[] {
    return [...this.#sagas.values()];
  }
  /** Refs of other kinds that point to this kind. */
  edgesTo(kind: string): readonly IncomingEdge[] {
    return this.#incoming.get(kind) ?? [];
  }
  strategy<C extends keyof Strategies>(contract: C, name: string): NonNullable<Strategies[C]>[number] | undefined {
    return this.#strategies.find(`${contract}/${name}`) as NonNullable<Strategies[C]>[number] | undefined;
  }
  strategyNames(contract: keyof Strategies): readonly string[] {
    return this.#strategies.names().flatMap((key) => (key.startsWith(`${contract}/`) ? [key.slice(contract.length + 1)] : []));
  }

  schema(): StoreSchema {
    return {
      tables: [...KERNEL_TABLES, ...this.plugins.flatMap((plugin) => plugin.tables ?? []), ...this.kinds().map(tableOf)],
      migrations: this.plugins.flatMap((plugin) => plugin.migrations ?? []),
    };
  }
}

const kernelPlugin: Plugin = {
  id: 'kernel',
  version: '1',
  kinds: [operation, debt],
  sagas: [cascadeDelete, ...CASCADE_PARTS, cascadeRecover, restoreRows],
  settings: kernelSettings,
  points: [rowsNeeded],
  // Rows of before the audit was a chain are sealed like those of a crash.
  migrations: [{ plugin: 'kernel', number: 1, table: AUDIT_TABLE, up: (row) => ({ number: UNSEALED, ...row }) }],
};

/** Names to things; a second one of a name is refused with both owners. */
class Named<T> {
  readonly #what: string;
  readonly #entries = new Map<string, { readonly value: T; readonly owner: string }>();
  constructor(what: string) {
    this.#what = what;
  }
  add(name: string, value: T, owner: string): void {
    const other = this.#entries.get(name);
    if (other !== undefined) throw new Error(`plugins ${other.owner} and ${owner} both declare the ${this.#what} ${name}`);
    this.#entries.set(name, { value, owner });
  }
  find(name: string): T | undefined {
    return this.#entries.get(name)?.value;
  }
  get(name: string): T {
    const entry = this.#entries.get(name);
    if (entry === undefined) throw new Error(`unknown ${this.#what} ${name}`);
    return entry.value;
  }
  all(): readonly T[] {
    return [...this.#entries.values()].map((entry) => entry.value);
  }
  names(): readonly string[] {
    return [...this.#entries.keys()];
  }
}

const tables = new WeakMap<AnyKind, TableSpec>();

/** The table of a kind: what is filtered, sorted, unique or a reference is a column, the rest is in the row's JSON. The same value each time. */
export function tableOf(kind: AnyKind): TableSpec {
  const table = tables.get(kind) ?? planTable(kind);
  tables.set(kind, table);
  return table;
}

function planTable(kind: AnyKind): TableSpec {
  const owner = ownerField(kind);
  const indexed = [...new Set([...(kind.indexed ?? []), ...kind.refs.map((edge) => edge.field)])].filter((field) => field !== owner[0]);
  const fields = [...new Set(['name', 'state', ...owner, ...indexed, ...(kind.namedWith ?? []), ...(kind.unique ?? []).flat()])].filter(
    (field) => !STORE_COLUMNS.has(field),
  );
  // Operations are numbered, not named: their names are their ids.
  const byName = kind === operation || kind === debt ? [] : [[...owner, 'name', ...(kind.namedWith ?? [])]];
  return {
    name: kind.name,
    type: 'resource',
    key: ['id'],
    columns: Object.fromEntries(fields.map((field) => [field, columnType(kind, field)])),
    unique: [...byName, ...(kind.unique ?? [])],
    // An owner's list in order of creation reads no other owner's rows.
    indexes: [...owner.map((field) => [field, 'id']), ...indexed.map((field) => [field])],
  };
}

const STORE_COLUMNS = new Set(['id', 'generation', 'revision', 'createdAt', 'updatedAt', 'deletedAt']);

function columnType(kind: AnyKind, field: string): 'text' | 'integer' {
  if ((SYSTEM_FIELDS as readonly string[]).includes(field) || field === 'accountId') return 'text';
  const { type } = shapeOf(kind.schema.properties[field] ?? {});
  return type === 'integer' || type === 'boolean' ? 'integer' : 'text';
}
