import { expect } from 'chai';
import type { JsonObject } from '../../src/kernel/json.ts';
import type { CommitResult, Statement, Store, StoreSchema, TableSpec } from '../../src/kernel/store.ts';

/** What the store's conformance suite needs of an adapter. One harness serves one test. */
export interface StoreHarness {
  /** Opens the store: each time on the same data. The one opened before is closed, or has crashed. */
  open(): Promise<Store>;
  /** A backup target that does not exist yet, each time another. */
  target(): string;
  /** Leaves nothing behind. The suite has closed what it opened. */
  close(): Promise<void>;
  /** Ends the open store as SIGKILL would: without a word, losing what is not durable. Feature `crash`. */
  crash?(): Promise<void>;
  /** Opens what a backup of this harness holds, restored into a new place. Closed by the suite. Feature `restore`. */
  restore?(target: string): Promise<Store>;
}

/** What a harness can do beside the port itself; known before the first test, because tests are generated from it. */
export type StoreFeature = 'crash' | 'restore';
/** `takeover`: it can be opened while the opening before is still at work, which that ends. */
export type SagaStoreFeature = 'takeover';

export const AT = '2030-01-01T00:00:00.000Z';
export const LATER = '2030-01-02T00:00:00.000Z';

export const MACHINES: TableSpec = {
  name: 'machine',
  type: 'resource',
  key: ['id'],
  columns: { projectId: 'text', name: 'text', state: 'text', size: 'integer' },
  unique: [['projectId', 'name'], ['serial']],
  indexes: [['state'], ['size']],
};
export const DISKS: TableSpec = {
  name: 'disk',
  type: 'resource',
  key: ['id'],
  columns: { machineId: 'text' },
  unique: [],
  indexes: [['machineId']],
};
export const ENTRIES: TableSpec = {
  name: 'entry',
  type: 'plain',
  key: ['owner', 'number'],
  columns: { number: 'integer' },
  unique: [['token']],
  indexes: [['kind']],
};
export const SCHEMA: StoreSchema = { tables: [MACHINES, DISKS, ENTRIES], migrations: [] };

export const insert = (table: string, row: JsonObject): Statement => ({ op: 'insert', table, row });
export const machine = (id: string, fields: JsonObject = {}): Statement =>
  insert('machine', { id, projectId: 'p', name: id, state: 'off', ...fields });
export const entry = (owner: string, number: number, fields: JsonObject = {}): Statement => insert('entry', { owner, number, ...fields });
export const update = (table: string, key: string, set: JsonObject, expected?: JsonObject): Statement => ({
  op: 'update',
  table,
  key,
  set,
  ...(expected === undefined ? {} : { expect: expected }),
});
export const adjust = (counter: string, by: number): Statement => ({ op: 'adjust', counter, by });
export const limit = (counter: string, value: number | null): Statement => ({ op: 'limit', counter, limit: value });

/** One test's store and the verbs its tests are written with. */
export class StoreStage {
  readonly harness: StoreHarness;
  #store: Store | undefined;

  constructor(harness: StoreHarness) {
    this.harness = harness;
  }

  get store(): Store {
    if (this.#store === undefined) throw new Error('the store is not open');
    return this.#store;
  }

  async begin(schema: StoreSchema | undefined = SCHEMA): Promise<void> {
    this.#store = await this.harness.open();
    if (schema !== undefined) await this.#store.prepare(schema);
  }

  async reopen(schema?: StoreSchema): Promise<void> {
    await this.store.close();
    await this.begin(schema);
  }

  async crash(): Promise<void> {
    if (this.harness.crash === undefined) throw new Error('this harness cannot crash its store');
    await this.harness.crash();
    await this.begin();
  }

  restore(target: string): Promise<Store> {
    if (this.harness.restore === undefined) throw new Error('this harness cannot restore');
    return this.harness.restore(target);
  }

  async end(): Promise<void> {
    await this.#store?.close();
    await this.harness.close();
  }

  commit(...statements: readonly Statement[]): Promise<CommitResult> {
    return this.commitAt(AT, ...statements);
  }

  commitAt(at: string, ...statements: readonly Statement[]): Promise<CommitResult> {
    return this.store.commit({ node: 'node-1', epoch: this.store.epoch, at, statements });
  }

  /** What committing them would answer. */
  rehearse(...statements: readonly Statement[]): Promise<CommitResult> {
    return this.store.commit({ node: 'node-1', epoch: this.store.epoch, at: AT, statements, rehearse: true });
  }

  /** Commits what must succeed, and gives its revision. */
  async done(...statements: readonly Statement[]): Promise<number> {
    const result = await this.commit(...statements);
    if (!result.ok) expect.fail(`refused: ${JSON.stringify(result)}`);
    return result.revision;
  }

  async row(table: string, key: string): Promise<Record<string, unknown> | undefined> {
    const text = await this.store.read(table, key);
    return text === undefined ? undefined : JSON.parse(text);
  }

  async rejection(work: Promise<unknown>): Promise<Error & { readonly outcome?: string }> {
    return work.then(
      () => expect.fail('resolved, but should have been rejected'),
      (error) => error as Error,
    );
  }
}
