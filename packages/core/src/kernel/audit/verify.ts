import type { Store } from '../store.ts';
import { ANCHOR, chainEnd, HEAD } from './places.ts';
import { AUDIT_TABLE, type AuditRow, type ChainPlace, linkHash, UNSEALED } from './record.ts';

const PAGE_ROWS = 500;
const FAULTS_MAX = 100;

/**
 * `changed`: the row is not what was sealed. `missing`: no row has this number. `duplicate`: another row has it, too. `unlinked`: it does not follow the row
 * before it, so that one of both was made anew. `replaced`: what was known of it from outside is not what is there.
 */
export interface AuditFault {
  readonly number: number;
  /** Absent where there is no row. */
  readonly id?: string;
  readonly fault: 'changed' | 'missing' | 'duplicate' | 'unlinked' | 'replaced';
}

export interface AuditVerdict {
  readonly whole: boolean;
  /** Links that were looked at. */
  readonly links: number;
  /** What is left follows this one; what came before was removed by retention. */
  readonly anchor: ChainPlace;
  /** The newest link. Kept elsewhere and shown again, it proves that nothing before it was made anew. */
  readonly head: ChainPlace;
  /** Calls that have not ended, or are about to be sealed. */
  readonly unsealed: number;
  /** The first hundred. */
  readonly faults: readonly AuditFault[];
}

/** Looks at every link, oldest first. `known` is a head of before. @throws the signal's reason */
export async function verifyAudit(
  store: Store,
  options: { readonly known?: ChainPlace; readonly signal: AbortSignal },
): Promise<AuditVerdict> {
  const head = await chainEnd(store, HEAD);
  const chain = new Chain(store, await chainEnd(store, ANCHOR), options.known);
  for (let page = await chain.page(); page.length > 0; page = await chain.page()) {
    options.signal.throwIfAborted();
    for (const row of page) await chain.follow(row);
  }
  await chain.upTo(head.number + 1);
  chain.knows();
  const unsealed = await store.count({ table: AUDIT_TABLE, where: { field: 'number', op: '=', value: UNSEALED } });
  const { links, faults } = chain;
  return { whole: faults.length === 0, links, anchor: await chainEnd(store, ANCHOR), head, unsealed, faults };
}

class Chain {
  readonly faults: AuditFault[] = [];
  links = 0;
  readonly #store: Store;
  readonly #known: ChainPlace | undefined;
  /** Without a hash when it is not the one that the next link was made from. */
  #last: { readonly number: number; readonly hash?: string };
  #lastId = '';
  #seesKnown = false;

  constructor(store: Store, anchor: ChainPlace, known: ChainPlace | undefined) {
    this.#store = store;
    this.#known = known;
    this.#last = anchor;
  }

  async page(): Promise<readonly AuditRow[]> {
    const texts = await this.#store.list({
      table: AUDIT_TABLE,
      where: { field: 'number', op: '>=', value: Math.max(this.#last.number, 1) },
      order: [{ field: 'number' }],
      after: [this.#last.number, this.#lastId],
      limit: PAGE_ROWS,
    });
    return texts.map((text) => JSON.parse(text) as AuditRow);
  }

  async follow(row: AuditRow): Promise<void> {
    const { number, id } = row;
    this.links += 1;
    if (number === this.#last.number) return this.#fault({ number, id, fault: 'duplicate' });
    await this.upTo(number);
    const isChanged = linkHash(row) !== row.hash;
    const follows = this.#last.hash === undefined || number !== this.#last.number + 1 || row.previous === this.#last.hash;
    if (isChanged) this.#fault({ number, id, fault: 'changed' });
    else if (!follows) this.#fault({ number, id, fault: 'unlinked' });
    if (number === this.#known?.number) {
      this.#seesKnown = true;
      if (row.hash !== this.#known.hash && !isChanged) this.#fault({ number, id, fault: 'replaced' });
    }
    this.#last = { number, ...(isChanged || row.hash === undefined ? {} : { hash: row.hash }) };
    this.#lastId = id;
  }

  /** Names what is missing before this number. What retention has removed meanwhile is not missing. */
  async upTo(number: number): Promise<void> {
    if (this.#last.number + 1 >= number) return;
    const anchor = await chainEnd(this.#store, ANCHOR);
    if (anchor.number > this.#last.number) this.#last = anchor;
    for (let missing = this.#last.number + 1; missing < number && this.faults.length < FAULTS_MAX; missing += 1)
      this.#fault({ number: missing, fault: 'missing' });
  }

  /** A head that was known once and is nowhere: unless it is older than what is kept. */
  knows(): void {
    const known = this.#known;
    if (known === undefined || this.#seesKnown) return;
    if (known.number > this.#last.number && !this.faults.some(({ number }) => number === known.number))
      this.#fault({ number: known.number, fault: 'missing' });
  }

  #fault(fault: AuditFault): void {
    if (this.faults.length < FAULTS_MAX) this.faults.push(fault);
  }
}
