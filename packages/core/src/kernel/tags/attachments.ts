import type { AnyKind, RowBase } from '../kind.ts';
import type { Registry } from '../registry.ts';
import { forgetSealed } from '../secrets.ts';
import type { Statement, Store } from '../store.ts';

/** A row that is about a resource of any kind. */
interface AttachedRow extends RowBase {
  readonly resourceKind: string;
  readonly resourceId: string;
  readonly tag: string;
}

interface Change {
  readonly kind: AnyKind;
  readonly row: AttachedRow;
  readonly by: 1 | -1;
  /** That the row has afterwards. */
  readonly generation: number;
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
  #known: ReadonlyMap<string, AnyKind> | undefined;

  constructor(registry: Registry, store: Store) {
    this.#registry = registry;
    this.#store = store;
  }

  async follow(statements: readonly Statement[]): Promise<Along> {
    if (this.#kinds.size === 0) return NOTHING;
    const gone = statements.filter(isRemoval);
    const along: Statement[] = [];
    for (const kind of gone.length === 0 ? [] : this.#kinds.values()) {
      const resources = gone.filter(({ table }) => this.#takesAttached(table, kind));
      if (resources.length > 0) along.push(...(await this.#leaving(kind, resources)));
    }
    const changes = await this.#changes([...statements, ...along]);
    if (along.length === 0 && changes.length === 0) return NOTHING;
    const told = changes.filter((change) => !isReplaced(change, changes)).flatMap((change) => this.#told(change));
    return { statements: [...along, ...countsOf(changes), ...told], along: new Set(along) };
  }

  /** By their tables. */
  get #kinds(): ReadonlyMap<string, AnyKind> {
    this.#known ??= new Map(this.#registry.attachedKinds().map((kind) => [kind.name, kind]));
    return this.#known;
  }

  #takesAttached(table: string, attached: AnyKind): boolean {
    const kind = this.#registry.findKind(table);
    return kind !== undefined && this.#registry.attachedTo(kind).includes(attached);
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
    // What was sealed is forgotten with the row.
    const sealed = rows.flatMap((row) =>
      kind.secretFields.flatMap((field: string) => (row as unknown as Record<string, string | undefined>)[field] ?? []),
    );
    return [
      ...removals,
      ...sealed.map(forgetSealed),
      ...ids.map((resourceId): Statement => ({ op: 'vacant', table: kind.name, where: { resourceId } })),
      ...projects.map((projectId): Statement => ({ op: 'vacant', table: kind.name, where: { projectId } })),
    ];
  }

  async #changes(statements: readonly Statement[]): Promise<readonly Change[]> {
    const changes: Change[] = [];
    for (const statement of statements) {
      const kind = 'table' in statement ? this.#kinds.get(statement.table) : undefined;
      if (kind === undefined) continue;
      // One of a kind that is also about no resource at all, but the whole cloud, counts nowhere.
      if (statement.op === 'insert' && statement.row.resourceId !== undefined)
        changes.push({ kind, row: statement.row as unknown as AttachedRow, by: 1, generation: 1 });
      if (!isRemoval(statement)) continue;
      const text = await this.#store.read(statement.table, statement.key);
      if (text === undefined) continue;
      const row = JSON.parse(text) as Partial<AttachedRow> & RowBase;
      if (row.resourceId === undefined) continue;
      changes.push({ kind, row: row as AttachedRow, by: -1, generation: row.generation + 1 });
    }
    return changes;
  }

  #told({ kind, row, by, generation }: Change): readonly Statement[] {
    const point = kind.attached?.changed;
    if (point === undefined || !this.#registry.hooks.has({ id: point })) return [];
    const { tag, resourceKind, resourceId } = row;
    const subject = { tag, resourceKind, resourceId, change: by > 0 ? 'set' : 'cleared' };
    return [{ op: 'insert', table: 'outbox', row: { id: `${row.id}/${generation}`, point, subject } }];
  }
}

/** A counter for each resource, so that two requests side by side do not exceed together what neither does. Its limit is set for the moment alone: at 0 nothing is left of it. */
function countsOf(changes: readonly Change[]): readonly Statement[] {
  const counters = new Map<string, { readonly by: number; readonly max: number }>();
  for (const { kind, row, by } of changes) {
    const counter = `attached/${kind.name}/${row.resourceId}`;
    counters.set(counter, { by: by + (counters.get(counter)?.by ?? 0), max: kind.attached?.max ?? 0 });
  }
  return [...counters].flatMap(([counter, { by, max }]): readonly Statement[] => {
    const adjusted: Statement = { op: 'adjust', counter, by };
    if (by === 0) return [];
    return by < 0 ? [adjusted] : [{ op: 'limit', counter, limit: max }, adjusted, { op: 'limit', counter, limit: null }];
  });
}

/** One that takes the place of another is one change. */
const isReplaced = ({ by, row }: Change, changes: readonly Change[]): boolean =>
  by < 0 && changes.some((other) => other.by > 0 && other.row.resourceId === row.resourceId && other.row.tag === row.tag);

type Removal = Extract<Statement, { readonly op: 'update' }>;

const isRemoval = (statement: Statement): statement is Removal => statement.op === 'update' && statement.set.deletedAt === true;
