import { type Environment, timestamp } from '../environment.ts';
import type { Ids } from '../id.ts';
import {
  digestOf,
  earlierRequest,
  type IdempotencyKey,
  idempotencyMismatch,
  idempotencyRow,
  type KeptRequest,
  keyOfRow,
} from '../idempotency.ts';
import type { Json } from '../json.ts';
import type { CommitResult, Statement, Store } from '../store.ts';

export interface RepeatsPorts {
  readonly environment: Environment;
  readonly store: Store;
  readonly ids: Ids;
  readonly commit: (statements: readonly Statement[]) => Promise<CommitResult>;
}

/** A request that changes something and is no action. */
export interface Asked {
  readonly actor: string;
  /** Where he is at work. */
  readonly projectId: string;
  /** Its Idempotency-Key. */
  readonly key: string | undefined;
  /** All that must be the same in a repeat, but for bytes that are uploaded. */
  readonly identity: Json;
  /** Of an upload: the digest of the bytes that a repeat brings. */
  readonly contentSha256?: () => Promise<string>;
  /** The answer is kept nowhere: a repeat does it again. */
  readonly isOneTime?: boolean;
  readonly signal: AbortSignal;
}

export interface Attempt {
  /** When the first try began, RFC 3339. */
  readonly at: string;
  /** An earlier try began, and nobody knows how far it came. */
  readonly again: boolean;
  /** What takes the key, for the transaction with which the change begins. */
  readonly entry: readonly Statement[];
}

export interface Done {
  readonly answer: string;
  readonly contentSha256?: string;
}

/**
 * Has each request with an Idempotency-Key done once. The key is taken in the transaction with which the change begins, and the answer is kept with it at the
 * end: so a repeat gets the same bytes, and one that comes after a crash in between knows that it is the second.
 */
export class Repeats {
  readonly #ports: RepeatsPorts;
  readonly #underWay = new Map<string, Promise<string>>();

  constructor(ports: RepeatsPorts) {
    this.#ports = ports;
  }

  /** @throws CloudError idempotency_mismatch, and what `body` throws: then the key is free again */
  async run(asked: Asked, body: (attempt: Attempt) => Promise<Done>): Promise<string> {
    const at = timestamp(this.#ports.environment.clock);
    if (asked.key === undefined) return (await body({ at, again: false, entry: [] })).answer;
    const { actor, projectId } = asked;
    const key = { scope: actor, requestKey: asked.key, digest: digestOf(asked.identity), projectId };
    const name = keyOfRow(key);
    for (let first = this.#underWay.get(name); first !== undefined; first = this.#underWay.get(name)) {
      await first.catch(() => undefined);
      asked.signal.throwIfAborted();
    }
    const answer = this.#once(key, asked, body).finally(() => this.#underWay.delete(name));
    this.#underWay.set(name, answer);
    return answer;
  }

  async #once(key: IdempotencyKey, asked: Asked, body: (attempt: Attempt) => Promise<Done>): Promise<string> {
    const { environment, ids, commit } = this.#ports;
    const kept = await earlierRequest(key, this.#ports);
    if (kept?.answer !== undefined) return sameContent(kept, kept.answer, asked);
    const call = { callId: kept?.callId ?? ids.mint('call'), acceptedAt: kept?.acceptedAt ?? timestamp(environment.clock) };
    const entry = kept === undefined ? [idempotencyRow(key, call, environment)] : [];
    const at = { table: 'idempotency', key: keyOfRow(key) };
    const mine = { callId: call.callId };
    try {
      const { answer, ...more } = await body({ at: call.acceptedAt, again: kept !== undefined, entry });
      if (asked.isOneTime === true) return answer;
      const noted = await commit([{ op: 'update', ...at, set: { answer, ...more }, expect: mine }]);
      // What there was nothing to do for has not begun.
      if (!noted.ok && noted.reason === 'absent') await commit([idempotencyRow(key, { ...call, answer, ...more }, environment)]);
      return answer;
    } catch (error) {
      await commit([
        { op: 'expect', ...at, expect: mine },
        { op: 'remove', ...at },
      ]);
      throw error;
    }
  }
}

async function sameContent({ contentSha256 }: KeptRequest, answer: string, asked: Asked): Promise<string> {
  if (asked.contentSha256 !== undefined && (await asked.contentSha256()) !== contentSha256) throw idempotencyMismatch();
  return answer;
}
