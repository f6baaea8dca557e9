import type { DeletionPreview, Operation, RefEdge } from '@pileus/core/kernel';
import type { SimCloud } from '@pileus/core/testing';
import type { Mirror, Row, Touched } from './mirror.ts';

/** All that a preview shows. */
export const PREVIEW_LIMIT = 1000;
const SITES: ReadonlySet<string> = new Set(['zone', 'cluster', 'host']);

/** Deletions of all that is in something: what goes is what was previewed, and what a naive walk over all rows finds. */
export class Cascades {
  readonly #sim: SimCloud;
  readonly #mirror: Mirror;
  readonly #say: (problem: string) => void;
  /** By the operation that was given its plan. */
  readonly #previews = new Map<string, DeletionPreview>();
  /** By the root, when it was marked last. */
  readonly #found = new Map<string, ReadonlyMap<string, string>>();
  /** Those that have begun to delete something. What another has deleted before them is as they were asked for. */
  readonly #begun = new Set<string>();
  /** By the row: the operation that has announced it, and makes it. */
  readonly #makers = new Map<string, string>();
  readonly #attached: ReadonlySet<string>;

  constructor(sim: SimCloud, mirror: Mirror, say: (problem: string) => void) {
    this.#sim = sim;
    this.#mirror = mirror;
    this.#say = say;
    this.#attached = new Set(sim.kernel.registry.kinds().flatMap(({ name, attached }) => (attached === undefined ? [] : [name])));
  }

  /** An operation was accepted with the plan of this preview. */
  expect(operationId: string, preview: DeletionPreview): void {
    this.#previews.set(operationId, preview);
    const row = this.#mirror.row('operation', operationId) as Operation | undefined;
    if (row?.state === 'succeeded') this.#ended(row);
  }

  committed(touched: readonly Touched[]): void {
    this.#announced(touched);
    for (const { table, id, before, after } of touched) {
      if (after?.state === 'deleting' && before?.state !== 'deleting') this.#marked(table, id);
      if (table === 'operation' && after?.state === 'succeeded' && before?.state !== 'succeeded')
        this.#ended(after as unknown as Operation);
    }
  }

  /** With an operation, in one transaction. */
  #announced(touched: readonly Touched[]): void {
    const begun = touched.filter(({ table, before }) => table === 'operation' && before === undefined);
    for (const { revision, id: operationId, after } of begun) {
      const keys = new Set((after?.keys ?? []) as readonly string[]);
      for (const { revision: then, table, id, before } of touched)
        if (then === revision && table !== 'operation' && before === undefined && keys.has(id)) this.#makers.set(id, operationId);
    }
  }

  #marked(table: string, id: string): void {
    if (SITES.has(table)) this.#found.set(id, this.#walk(table, id));
    for (const { id: operationId, resourceId, state } of this.#mirror.unfinished.values())
      if (resourceId === id && state === 'running') this.#begun.add(operationId);
  }

  #ended({ id, action, resourceKind, resourceId }: Operation): void {
    if (!action.endsWith('.delete')) return;
    const root = this.#mirror.row(resourceKind, resourceId);
    if (root !== undefined && root.state !== 'trashed')
      this.#say(`${action} has succeeded, and ${resourceKind} ${resourceId} is ${root.state}`);
    const found = this.#found.get(resourceId);
    for (const [rowId, kind] of found ?? [])
      if (this.#mirror.row(kind, rowId) !== undefined) this.#say(`${action} of ${resourceId} has succeeded, and ${kind} ${rowId} is left`);
    const preview = this.#previews.get(id);
    if (preview === undefined || !this.#begun.has(id)) return;
    const shown = preview.deleted.rows.filter(({ kind }) => !this.#attached.has(kind));
    for (const { kind, id: rowId } of shown) {
      const row = this.#mirror.row(kind, rowId);
      if (row !== undefined && row.state !== 'trashed')
        this.#say(`${action} ${id} has succeeded, and ${kind} ${rowId}, which was to go, is left`);
    }
    for (const { kind, id: rowId, field } of preview.detached.rows) {
      const row = this.#mirror.row(kind, rowId);
      if (row?.[field] !== undefined && this.#mirror.row(preview.resourceKind, row[field]) === undefined && row[field] === resourceId)
        this.#say(`${action} ${id} has succeeded, and ${kind} ${rowId} was not let go of`);
    }
    if (found === undefined) return;
    const previewed = new Set(shown.map((row) => row.id as string));
    for (const [rowId, kind] of found)
      if (!previewed.has(rowId)) this.#say(`${action} ${id} took ${kind} ${rowId}, which its preview did not tell of`);
    // One that was announced ahead of it by what has not begun, which a forced one passes, goes with it.
    for (const rowId of previewed)
      if (!found.has(rowId) && !this.#makers.has(rowId)) this.#say(`${action} ${id} took ${rowId}, which nothing ties to ${resourceId}`);
  }

  /** The row with all that goes with it when all of it is meant, by the refs alone. */
  #walk(kind: string, id: string): ReadonlyMap<string, string> {
    const found = new Map([[id, kind]]);
    for (const [rowId, name] of found)
      for (const { name: from, refs } of this.#sim.kernel.registry.kinds())
        for (const edge of refs)
          if (edge.kind === name)
            for (const row of this.#mirror.rows(from).values())
              if (row[edge.field] === rowId && isOwned(edge, row) && !this.#attached.has(from) && !this.#comesLater(row))
                found.set(String(row.id), from);
    return found;
  }

  /** Announced by what waits behind the deletion: that one will find it done, and takes back what it has announced. */
  #comesLater({ id }: Row): boolean {
    return this.#mirror.unfinished.get(this.#makers.get(String(id)) ?? '')?.state === 'queued';
  }
}

const isOwned = ({ onDelete, ownedIf, recursive }: RefEdge, row: Row): boolean =>
  onDelete === 'cascade' || recursive === true || (ownedIf !== undefined && row[ownedIf] === true);
