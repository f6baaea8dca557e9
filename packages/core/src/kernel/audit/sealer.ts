import { Fenced } from '../commits.ts';
import type { Environment } from '../environment.ts';
import { describeChain, type ErrorRecord } from '../errors.ts';
import type { JsonObject } from '../json.ts';
import { isFinished, type Operation } from '../operation.ts';
import type { CommitResult, Statement, Store } from '../store.ts';
import { type Denial, Denials } from './denials.ts';
import { type End, HeardCalls } from './heard-calls.ts';
import { chainEnd, HEAD, placeStatements } from './places.ts';
import { AUDIT_TABLE, type AuditCall, type AuditRow, auditStatement, type ChainPlace, linkHash, UNSEALED } from './record.ts';

/** So long calls gather that have ended, to be sealed by one commit: none of them waits for it. */
const SEAL_DELAY_MS = 500;
const AGAIN_MS = 5000;
/** Links made by one commit. As many rows are read without asking a reader thread. */
const BATCH_ROWS = 100;
/** Rows of earlier lives that are brought into order at once. */
const LEFT_ROWS = 10_000;

export interface SealerPorts {
  readonly environment: Environment;
  readonly store: Store;
  readonly commit: (statements: readonly Statement[]) => Promise<CommitResult>;
}

/**
 * Chains the audit. A row is sealed when its call has ended, with its result, in the order in which the ends were committed: that of the feed. It happens after
 * the fact and in batches, so that it costs the calls themselves nothing. What a crash has left unsealed is found by the next start.
 */
export class Sealer {
  readonly #ports: SealerPorts;
  /** Ids of calls that have ended, in that order. */
  #ended: string[] = [];
  /** Calls that were denied, and are not written yet: nothing has happened that would be lost with them. */
  readonly #denials: Denials;
  /** Calls of this life that are no operations, and have not ended. */
  readonly #underWay = new Set<string>();
  readonly #heard = new HeardCalls();
  #head: ChainPlace | undefined;
  #cancel: (() => void) | undefined;
  #sealing: Promise<void> | undefined;
  #left = true;
  #stopped = false;

  constructor(ports: SealerPorts) {
    this.#ports = ports;
    this.#denials = new Denials(ports.environment, () => this.#schedule(SEAL_DELAY_MS));
  }

  start(): void {
    this.#begin();
  }

  /** Seals what has ended so far. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel?.();
    await this.#sealing;
    this.#denials.stop();
    await this.#seal();
  }

  /** Told of each transaction that is committed, before who asked for it. */
  hear(statements: readonly Statement[], revision: number): void {
    this.#heard.hear(statements, revision);
  }

  /** A call that is no operation begins: it ends in this life, or was interrupted. */
  began(id: string): void {
    this.#underWay.add(id);
  }

  /** It did not begin after all. */
  forget(id: string): void {
    this.#underWay.delete(id);
  }

  /** The call has ended, durably so. */
  ended(id: string): void {
    this.#underWay.delete(id);
    this.#ended.push(id);
    this.#schedule(SEAL_DELAY_MS);
  }

  /** The call was denied: it is written with the next seal, for nobody should wait for a disk to be told no. */
  denied(call: AuditCall, error: ErrorRecord): void {
    if (this.#stopped) this.#denials.drop(call);
    else this.#denials.add(call, error);
  }

  #schedule(delayMs: number): void {
    if (this.#stopped || this.#cancel !== undefined || this.#sealing !== undefined) return;
    this.#cancel = this.#ports.environment.timers.after(delayMs, () => {
      this.#cancel = undefined;
      this.#begin();
    });
  }

  #begin(): void {
    this.#sealing = this.#seal().then((againMs) => {
      this.#sealing = undefined;
      if (this.#ended.length + this.#denials.waiting.length > 0 || this.#left) this.#schedule(againMs);
    });
  }

  /** Answers when to go on with what is left. */
  async #seal(): Promise<number> {
    try {
      while (this.#left) await this.#takeUp();
      while (this.#denials.waiting.length > 0) await this.#write(this.#denials.waiting.slice(0, BATCH_ROWS));
      while (this.#ended.length > 0) {
        const batch = this.#ended.slice(0, BATCH_ROWS);
        await this.#link(batch);
        // Others have ended meanwhile.
        this.#ended.splice(0, batch.length);
      }
      return SEAL_DELAY_MS;
    } catch (error) {
      if (error instanceof Fenced) this.#stopped = true;
      if (!this.#stopped)
        this.#ports.environment.logger.error({ error: describeChain(error) }, 'the audit could not be sealed; trying again');
      return AGAIN_MS;
    }
  }

  async #write(denied: readonly Denial[]): Promise<void> {
    // A guard that fails means that an earlier try has landed: the ids are fresh.
    await this.#ports.commit(denied.map(({ call, end }) => auditStatement(call, end)));
    this.#denials.written(denied.length);
    this.#ended.push(...denied.map(({ call }) => call.id));
  }

  /** What earlier lives have left unsealed and has ended, oldest end first. What has not will end in this life. */
  async #takeUp(): Promise<void> {
    const found: { readonly id: string; readonly revision: number }[] = [];
    let page: readonly AuditRow[];
    let after: string | undefined;
    do {
      page = await this.#rows({
        where: { field: 'number', op: '=', value: UNSEALED },
        limit: BATCH_ROWS,
        ...(after === undefined ? {} : { after: [after] }),
      });
      after = page.at(-1)?.id;
      const ends = await this.#ends(page.filter(({ id }) => !this.#underWay.has(id)));
      for (const [{ id }, { revision = Number.MAX_SAFE_INTEGER }] of ends) found.push({ id, revision });
    } while (page.length === BATCH_ROWS && found.length < LEFT_ROWS && !this.#stopped);
    found.sort((a, b) => a.revision - b.revision);
    for (let at = 0; at < found.length && !this.#stopped; at += BATCH_ROWS)
      await this.#link(found.slice(at, at + BATCH_ROWS).map(({ id }) => id));
    this.#left = page.length === BATCH_ROWS && !this.#stopped;
  }

  /** Makes links of the rows that are none yet. */
  async #link(ids: readonly string[]): Promise<void> {
    for (;;) {
      const head = this.#head ?? (await chainEnd(this.#ports.store, HEAD));
      const rows = await this.#calls(ids);
      const ends = [...(await this.#ends(rows.filter(({ number }) => number === UNSEALED)))];
      if (ends.length === 0) return;
      ends.sort(([, a], [, b]) => (a.revision ?? Number.MAX_SAFE_INTEGER) - (b.revision ?? Number.MAX_SAFE_INTEGER));
      let last = head;
      const links = ends.map(([row, end]): Statement => {
        const link = { ...end, number: last.number + 1, previous: last.hash };
        const hash = linkHash({ ...row, ...link });
        last = { number: link.number, hash };
        return { op: 'update', table: AUDIT_TABLE, key: row.id, set: { ...link, hash } as JsonObject, expect: { number: UNSEALED } };
      });
      const result = await this.#ports.commit([...placeStatements(HEAD, head, last), ...links]);
      this.#head = result.ok ? last : undefined;
      for (const id of ids) this.#heard.forget(id);
      // Else an earlier try of it has landed, unknown to us.
      if (result.ok) return;
    }
  }

  /** Their rows, in that order. */
  async #calls(ids: readonly string[]): Promise<readonly AuditRow[]> {
    const heard = new Map(ids.map((id) => [id, this.#heard.row(id)]));
    const asked = ids.filter((id) => heard.get(id) === undefined);
    for (const row of await this.#byId<AuditRow>(AUDIT_TABLE, asked)) heard.set(row.id, row);
    return ids.flatMap((id) => heard.get(id) ?? []);
  }

  /** How each call ended that has. */
  async #ends(rows: readonly AuditRow[]): Promise<ReadonlyMap<AuditRow, End>> {
    const asked = rows.filter(({ id, result }) => result === undefined && this.#heard.end(id) === undefined).map(({ id }) => id);
    const operations = new Map((await this.#byId<Operation>('operation', asked)).map((row) => [row.id as string, row]));
    const ends = rows.flatMap((row): [AuditRow, End][] => {
      if (row.result === 'pending') return [[row, { result: 'interrupted' }]];
      if (row.result !== undefined) return [[row, {}]];
      const end = this.#heard.end(row.id);
      if (end !== undefined) return [[row, end]];
      const operation = operations.get(row.id);
      if (operation === undefined) return [[row, { result: 'unknown' }]];
      return isFinished(operation) ? [[row, endOf(operation)]] : [];
    });
    return new Map(ends);
  }

  /** Always so many ids, some of them again, so that it is always the same statement. */
  async #byId<R extends { readonly id: string }>(table: string, ids: readonly string[]): Promise<readonly R[]> {
    const last = ids.at(-1);
    if (last === undefined) return [];
    const value = [...ids, ...Array.from({ length: BATCH_ROWS - ids.length }, () => last)];
    const texts = await this.#ports.store.list({ table, where: { field: 'id', op: 'in', value } });
    const rows = new Map(texts.map((text) => JSON.parse(text) as R).map((row) => [row.id as string, row]));
    return ids.flatMap((id) => rows.get(id) ?? []);
  }

  async #rows(query: Omit<Parameters<Store['list']>[0], 'table'>): Promise<readonly AuditRow[]> {
    return (await this.#ports.store.list({ table: AUDIT_TABLE, ...query })).map((text) => JSON.parse(text) as AuditRow);
  }
}

function endOf({ state, endedAt, error, revision }: Operation): End {
  return {
    result: state as 'succeeded' | 'failed' | 'cancelled',
    ...(endedAt === undefined ? {} : { endedAt }),
    ...(error === undefined ? {} : { error }),
    revision,
  };
}
