import type { AnyKind, RowBase } from '../kind.ts';
import type { Registry } from '../registry.ts';
import type { Statement, Store } from '../store.ts';

/** A row that is about a resource of any kind. */
interface AttachedRow extends RowBase {
  readonly resourceId: string;
}

/** What goes along with a transaction. */
interface Along {
  readonly statements: readonly Statement[];
  /** Those that fail when something was attached, or taken away, since it was looked at: then it is looked at anew. */
  readonly along: ReadonlySet<Statement>;
}

const NOTHING: Along = { statements: [], along: new Set() };

/** Takes what is attached to a resource along when its row goes, in the same transaction, and counts how much is attached to each. */
export class Attachments {
  readonly #registry: Registry;
  readonly #store: Store;
  #kinds: readonly AnyKind[] | undefined;

  constructor(registry: Registry, store: Store) {
    this.#registry = registry;
    this.#store = store;
  }

  async follow(statements: readonly Statement[]): Promise<Along> {
    this.#kinds ??= this.#registry.attachedKinds();
    if (this.#kinds.length === 0) return NOTHING;
    const gone = statements.filter(isRemoval);
    const resources = gone.filter(({ table }) => this.#takesAttached(table));
    const along: Statement[] = [];
    for (const kind of resources.length === 0 ? [] : this.#kinds) along.push(...(await this.#leaving(kind, resources)));
    const counts = await this.#counts([...statements, ...along]);
    if (along.length === 0 && counts.length === 0) return NOTHING;
    return { statements: [...along, ...counts], along: new Set(along) };
  }

  #takesAttached(table: string): boolean {
    const kind = this.#registry.findKind(table);
    return kind !== undefined && this.#registry.takesAttached(kind);
  }

  /** What is attached now; and that, once these are gone, nothing is. With a project goes what belongs to it, whatever it is about. */
  async #leaving(kind: AnyKind, gone: readonly Removal[]): Promise<readonly Statement[]> {
    const ids = gone.map(({ key }) => key);
    const about = { field: 'resourceId', op: 'in', value: ids } as const;
    const projects = gone.flatMap(({ table, key }) => (table === 'project' && kind.scope === 'project' ? [key] : []));
    const where = projects.length === 0 ? about : { or: [about, { field: 'projectId', op: 'in', value: projects } as const] };
    const rows = (await this.#store.list({ table: kind.name, where })).map((text) => JSON.parse(text) as AttachedRow);
    const removals = rows.map(({ id, generation }): Statement => {
      return {
        op: 'update',
        table: kind.name,
        key: id,
        set: { state: 'deleted', deletedAt: true },
        expect: { deletedAt: null, generation },
      };
    });
    return [
      ...removals,
      ...ids.map((value): Statement => ({ op: 'vacant', table: kind.name, field: 'resourceId', value })),
      ...projects.map((value): Statement => ({ op: 'vacant', table: kind.name, field: 'projectId', value })),
    ];
  }

  /** A counter for each resource, so that two requests side by side do not exceed together what neither does. Its limit is set for the moment alone: at 0 nothing is left of it. */
  async #counts(statements: readonly Statement[]): Promise<readonly Statement[]> {
    const changes = new Map<string, { by: number; readonly max: number }>();
    const count = (kind: AnyKind, resourceId: unknown, by: number) => {
      const counter = `attached/${kind.name}/${String(resourceId)}`;
      const before = changes.get(counter);
      changes.set(counter, { by: by + (before?.by ?? 0), max: kind.attached?.max ?? 0 });
    };
    for (const statement of statements) {
      const kind = 'table' in statement ? this.#kinds?.find(({ name }) => name === statement.table) : undefined;
      if (kind === undefined) continue;
      if (statement.op === 'insert') count(kind, statement.row.resourceId, 1);
      if (!isRemoval(statement)) continue;
      const text = await this.#store.read(statement.table, statement.key);
      if (text !== undefined) count(kind, (JSON.parse(text) as AttachedRow).resourceId, -1);
    }
    return [...changes].flatMap(([counter, { by, max }]): readonly Statement[] => {
      const adjusted: Statement = { op: 'adjust', counter, by };
      if (by === 0) return [];
      return by < 0 ? [adjusted] : [{ op: 'limit', counter, limit: max }, adjusted, { op: 'limit', counter, limit: null }];
    });
  }
}

type Removal = Extract<Statement, { readonly op: 'update' }>;

const isRemoval = (statement: Statement): statement is Removal => statement.op === 'update' && statement.set.deletedAt === true;
