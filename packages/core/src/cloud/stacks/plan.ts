import {
  type Action,
  type AnyKind,
  CloudError,
  canonical,
  equals,
  isVisible,
  type Json,
  type JsonObject,
  lacks,
  type Principal,
  type RowBase,
  readPermission,
} from '../../kernel/index.ts';
import type { CloudServices } from '../services.ts';
import { assertProperties, clears, isFinal, isSecretPlace, type Stackable, stackable, takes, withIds } from './kinds.ts';
import { SECRET, SecretPlaces } from './secret-places.ts';
import { type Stack, type StackResource, type StackRevision, stackResource, stackRevision } from './stack.ts';
import {
  below,
  type Declared,
  declaredIn,
  mapped,
  parameterValues,
  placeOf,
  type Reference,
  referenceOf,
  type Template,
  within,
} from './template.ts';

export type Verb = 'create' | 'update' | 'replace' | 'delete' | 'release' | 'none';

/** What becomes of one field; absent = not there. Secrets are told as `(secret)`. */
export interface FieldChange {
  readonly from?: Json;
  readonly to?: Json;
}

/** One action that makes a resource what it is to be. */
export interface Call {
  readonly action: string;
  readonly input: JsonObject;
  /** What takes it back, with the same action; absent for what makes something. */
  readonly back?: JsonObject;
  /** Nothing may take it back. */
  readonly isFinal?: true;
}

/** What becomes of one resource of the stack. */
export interface Change {
  readonly name: string;
  readonly verb: Verb;
  readonly type: Stackable;
  /** The one there is. */
  readonly current: { readonly entry: StackResource; readonly row: RowBase } | undefined;
  readonly fields: Readonly<Record<string, FieldChange>>;
  /** What was changed by hand since it was applied. */
  readonly drift: Readonly<Record<string, FieldChange>>;
  readonly after: readonly string[];
  readonly keep: boolean;
  /** As they are to be: with ids, references to what is known only later left in. */
  readonly properties: JsonObject;
  readonly calls: readonly Call[];
}

export interface Asked {
  readonly template: Template;
  readonly parameters: JsonObject;
}

export interface Plan {
  readonly stack: Stack | undefined;
  readonly revision: StackRevision | undefined;
  readonly asked: Asked;
  readonly values: JsonObject;
  readonly secrets: SecretPlaces;
  /** Those of what was applied last. */
  readonly before: SecretPlaces;
  /** Resources that are to be, in order, each behind all that it needs. */
  readonly changes: readonly Change[];
  /** Those that leave, each before all that it needs. */
  readonly leaving: readonly Change[];
  /** Ids of what there will be, by name; those of what is made were minted for this plan. */
  readonly ids: Readonly<Record<string, string>>;
  readonly blockers: readonly CloudError[];
  readonly hash: string;
  /** All is as asked already. */
  readonly isNothing: boolean;
}

const same = (a: Json | undefined, b: Json | undefined): boolean => canonical(a ?? null) === canonical(b ?? null);
const fieldOf = (row: RowBase, field: string): Json | undefined => (row as unknown as Record<string, Json | undefined>)[field];

/** Finds out what has to be done so that there is what a template says. Changes nothing. */
export class Planner {
  readonly #services: CloudServices;
  readonly #principal: Principal;
  readonly #stack: Stack | undefined;
  readonly #asked: Asked;
  readonly #ids: Record<string, string> = {};
  readonly #changes = new Map<string, Change>();
  readonly #blockers: CloudError[] = [];
  readonly #secrets = new SecretPlaces();
  /** Of what was applied last. */
  #before = new SecretPlaces();
  #revision: StackRevision | undefined;

  constructor(services: CloudServices, principal: Principal, stack: Stack | undefined, asked: Asked) {
    this.#services = services;
    this.#principal = principal;
    this.#stack = stack;
    this.#asked = asked;
  }

  /** @throws CloudError for a template that means nothing, or something that the caller may not do; what stands in the way is in the answer */
  async plan(): Promise<Plan> {
    const { template } = this.#asked;
    const values = parameterValues(template, this.#asked.parameters);
    const declared = declaredIn(template, values);
    const entries = await this.#entries();
    for (const resource of declared) await this.#decide(resource, entries.get(resource.name));
    const leaving = await this.#leaving(entries);
    const changes = [...this.#changes.values()];
    this.#secrets.addParameters(template, values);
    for (const { verb, type, calls } of [...changes, ...leaving]) this.#assertAllowed(verb, type, calls);
    return {
      stack: this.#stack,
      revision: this.#revision,
      asked: this.#asked,
      values,
      secrets: this.#secrets,
      before: this.#before,
      changes,
      leaving,
      ids: this.#ids,
      blockers: this.#blockers,
      hash: this.#hash(changes, leaving),
      isNothing: this.#isNothing(changes, leaving, values),
    };
  }

  async #entries(): Promise<ReadonlyMap<string, StackResource>> {
    if (this.#stack === undefined) return new Map();
    const { reader, secrets } = this.#services;
    const of = equals('stackId', this.#stack.id);
    const number = equals('number', this.#stack.revisionNumber);
    this.#revision = (await reader.list(stackRevision, { and: [of, number] }))[0];
    this.#before = await SecretPlaces.opened(this.#revision?.secrets ?? {}, secrets);
    const rows: readonly StackResource[] = await reader.list(stackResource, of);
    return new Map(rows.map((row) => [row.logicalName, row]));
  }

  async #decide(declared: Declared, entry: StackResource | undefined): Promise<void> {
    const { name, spec, after } = declared;
    const { kernel, reader } = this.#services;
    const { registry } = kernel();
    const type = stackable(registry, spec.kind, `${placeOf(name)}/kind`);
    const at = `${placeOf(name)}/properties`;
    const known = await withIds({ registry, reader, principal: this.#principal }, type, declared.properties, at);
    const properties = mapped(known, '', (value) => {
      const to = referenceOf(value);
      return to === undefined ? undefined : this.#resolved(to);
    }) as JsonObject;
    assertProperties(type, name, properties);
    this.#secrets.addProperties(declared, properties, (pointer) => isSecretPlace(type, pointer));
    const row = entry === undefined ? undefined : await this.#live(entry);
    const current = entry === undefined || row === undefined ? undefined : { entry, row };
    if (row?.state === 'trashed') this.#refuseTrashed(name, type);
    const change = this.#compared({ name, type, after, keep: spec.keep === true, properties, current }, declared);
    this.#ids[name] =
      change.verb === 'create' || change.verb === 'replace' ? this.#services.ids.mint(type.kind.name) : (current?.row.id ?? '');
    this.#changes.set(name, change);
  }

  /** A plan tells of its fields. @throws CloudError permission_denied for who may not read it */
  async #live({ resourceKind, resourceId }: StackResource): Promise<RowBase | undefined> {
    const kind = this.#services.kernel().registry.findKind(resourceKind);
    const row: RowBase | undefined = kind === undefined ? undefined : await this.#services.reader.find(kind, resourceId);
    if (kind === undefined || row === undefined || row.deletedAt !== undefined) return undefined;
    await this.#assertReaches(kind, row, readPermission(kind));
    return row;
  }

  async #assertReaches(kind: AnyKind, row: RowBase, permission: string): Promise<void> {
    const isAllowed =
      this.#principal.allows(permission) && (await isVisible(kind, row, this.#principal, permission, this.#services.reader));
    if (!isAllowed) throw lacks(permission, this.#principal);
  }

  /** The value that a reference stands for, where that is known before anything is done. */
  #resolved({ name, field }: Reference): Json | undefined {
    const target = this.#changes.get(name);
    if (target === undefined) return undefined;
    const [first = ''] = field;
    if (first === 'id' && field.length === 1) return this.#ids[name];
    const { verb, current, properties, type } = target;
    if (isSecretPlace(type, below('', first))) return undefined;
    const known = Object.hasOwn(properties, first) ? properties[first] : undefined;
    const from = known ?? (verb === 'none' || verb === 'update' ? current && fieldOf(current.row, first) : undefined);
    return within(from, field.slice(1));
  }

  #compared(is: Omit<Change, 'verb' | 'fields' | 'drift' | 'calls'>, { spec }: Declared): Change {
    const { name, type, current, properties } = is;
    if (current === undefined) {
      const fields = Object.fromEntries(Object.entries(this.#secrets.hiddenIn(name, properties)).map(([field, to]) => [field, { to }]));
      return { ...is, verb: 'create', fields, drift: {}, calls: [{ action: type.create.name, input: properties }] };
    }
    const { fields, drift } = this.#differences(is, current);
    const changed = Object.keys(fields);
    const sameKind = current.entry.resourceKind === type.kind.name;
    if (sameKind && changed.length === 0) return { ...is, verb: 'none', fields: {}, drift, calls: [] };
    const fixed = changed.filter((field) => !type.changes.some((action) => takes(action, field)));
    if (sameKind && fixed.length === 0)
      return { ...is, verb: 'update', fields: told(type, fields), drift, calls: this.#updates(is, fields) };
    if (spec.replace !== true) this.#refuseFixed(name, type, sameKind ? fixed : ['kind']);
    return {
      ...is,
      verb: 'replace',
      fields: told(type, fields),
      drift,
      calls: sameKind ? this.#replacement(is, current.row) : [{ action: type.create.name, input: properties }],
    };
  }

  /** It keeps its name there, so that no other can be made in its place. */
  #refuseTrashed(name: string, { kind }: Stackable): void {
    this.#blockers.push(
      new CloudError('conflict', `The ${kind.name} ${name} lies in the trash: recover it, or expunge it and it is made again.`, {
        pointer: placeOf(name),
        params: { resource: name },
      }),
    );
  }

  #refuseFixed(name: string, { kind }: Stackable, fields: readonly string[]): void {
    const place = fields[0] === 'kind' ? `${placeOf(name)}/kind` : below(`${placeOf(name)}/properties`, fields[0] ?? '');
    const what = `${fields.join(', ')} of ${kind.name} ${name}`;
    this.#blockers.push(
      new CloudError('conflict', `Nothing changes the ${what}. With \`replace: true\` it is made anew.`, {
        pointer: place,
        params: { resource: name, fields: [...fields] },
      }),
    );
  }

  /** What is to be against what is; and what is against what was right after it was applied. */
  #differences({ name, type, properties }: Pick<Change, 'name' | 'type' | 'properties'>, current: NonNullable<Change['current']>) {
    const { properties: applied = {}, found = {} } = this.#revision?.applied[name] ?? {};
    const before = this.#before.intoProperties(name, applied);
    const fields: Record<string, FieldChange> = {};
    const drift: Record<string, FieldChange> = {};
    for (const field of new Set([...Object.keys(before), ...Object.keys(properties)])) {
      const isShown = field in type.kind.rowSchema.properties && !type.kind.secretFields.includes(field);
      const is = isShown ? fieldOf(current.row, field) : before[field];
      if (isShown && field in before && !same(is, found[field])) drift[field] = change(found[field], is);
      const to = properties[field];
      if (to === undefined && !(is !== undefined && type.changes.some((action) => clears(action, field)))) continue;
      const isAsBefore = field in before && same(to, before[field]) && drift[field] === undefined;
      if (!isAsBefore && !same(to, is)) fields[field] = change(is, to);
    }
    return { fields, drift };
  }

  #updates(
    { type, current }: Omit<Change, 'verb' | 'fields' | 'drift' | 'calls'>,
    fields: Readonly<Record<string, FieldChange>>,
  ): readonly Call[] {
    const left = new Set(Object.keys(fields));
    return type.changes.flatMap((action): readonly Call[] => {
      const own = [...left].filter((field) => takes(action, field));
      for (const field of own) left.delete(field);
      if (own.length === 0 || current === undefined) return [];
      const input = Object.fromEntries(own.map((field) => [field, fields[field]?.to ?? null]));
      const back = Object.fromEntries(own.map((field) => [field, fields[field]?.from ?? null]));
      return [{ action: action.name, input, back, ...(isFinal(action) ? { isFinal: true as const } : {}) }];
    });
  }

  /** The old one lends its name to the new one, and goes when all else is done. */
  #replacement({ name, type, properties }: Pick<Change, 'name' | 'type' | 'properties'>, row: RowBase): readonly Call[] {
    const create: Call = { action: type.create.name, input: properties };
    if (properties.name !== row.name) return [create];
    const rename = type.changes.find((action) => takes(action, 'name'));
    if (rename === undefined) {
      this.#blockers.push(
        new CloudError('conflict', `No ${type.kind.name} can be renamed, so that ${name} is made anew under another name only.`, {
          pointer: `${placeOf(name)}/properties/name`,
        }),
      );
      return [create];
    }
    const aside = `${row.name.slice(0, 50)}-${row.id.slice(-8)}`;
    return [{ action: rename.name, input: { name: aside }, back: { name: row.name } }, create];
  }

  async #leaving(entries: ReadonlyMap<string, StackResource>): Promise<readonly Change[]> {
    const { registry } = this.#services.kernel();
    const replaced = [...this.#changes.values()].filter(({ verb }) => verb === 'replace').map(({ name }) => name);
    const leaving: Change[] = [];
    for (const [name, entry] of entries) {
      if (this.#changes.has(name) && !replaced.includes(name)) continue;
      const row = await this.#live(entry);
      if (row === undefined) continue;
      const verb = entry.keep ? 'release' : 'delete';
      const type = stackable(registry, entry.resourceKind, placeOf(name));
      // It goes when there is no way back any more: whoever could not delete it then is told so now.
      if (verb === 'delete') await this.#assertReaches(type.kind, row, type.remove.permission);
      leaving.push({
        name,
        verb,
        type,
        current: { entry, row },
        fields: {},
        drift: {},
        after: entry.after,
        keep: entry.keep,
        properties: {},
        calls: [],
      });
    }
    return leaving;
  }

  /** @throws CloudError permission_denied, before anything is begun */
  #assertAllowed(verb: Verb, { create, remove }: Stackable, calls: readonly Call[]): void {
    const { registry } = this.#services.kernel();
    const actions: Action[] = calls.map(({ action }) => registry.action(action));
    if (verb === 'create' || verb === 'replace') actions.push(create);
    if (verb === 'delete' || verb === 'replace') actions.push(remove);
    for (const { permission } of actions) if (!this.#principal.allows(permission)) throw lacks(permission, this.#principal);
  }

  /** Of what is done, not of ids that are minted anew each time. */
  #hash(changes: readonly Change[], leaving: readonly Change[]): string {
    const minted = new Set(changes.filter(({ verb }) => verb === 'create' || verb === 'replace').map(({ name }) => this.#ids[name]));
    const hidden = (fields: Change['fields']) => mapped(fields as Json, '', (value) => (minted.has(value as string) ? '(new)' : undefined));
    const lines = [...changes, ...leaving].map(({ name, verb, type, current, fields, keep }) => [
      ...[name, verb, type.kind.name, current?.row.id ?? null, keep],
      hidden(fields),
    ]);
    const { template, parameters } = this.#asked;
    return this.#services.secrets.digest(
      'stack/plan',
      canonical([this.#stack?.id ?? null, this.#stack?.revisionNumber ?? 0, template, parameters, lines]),
    );
  }

  #isNothing(changes: readonly Change[], leaving: readonly Change[], values: JsonObject): boolean {
    const revision = this.#revision;
    if (revision === undefined || this.#blockers.length > 0 || leaving.length > 0 || changes.some(({ verb }) => verb !== 'none'))
      return false;
    const before = [this.#before.intoTemplate(revision.template), this.#before.intoParameters(revision.parameters)];
    return canonical(before) === canonical([this.#asked.template, values]);
  }
}

/** Without what is secret. */
const told = (type: Stackable, fields: Change['fields']): Change['fields'] =>
  Object.fromEntries(
    Object.entries(fields).map(([field, { from, to }]) => {
      if (!isSecretPlace(type, below('', field))) return [field, change(from, to)];
      return [field, change(from === undefined ? undefined : SECRET, to === undefined ? undefined : SECRET)];
    }),
  );

const change = (from: Json | undefined, to: Json | undefined): FieldChange => ({
  ...(from === undefined ? {} : { from }),
  ...(to === undefined ? {} : { to }),
});
