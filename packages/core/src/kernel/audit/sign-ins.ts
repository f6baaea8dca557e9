import type { Principal } from '../access.ts';
import { type Environment, timestamp } from '../environment.ts';
import { type CloudError, isCloudError } from '../errors.ts';
import type { Ids } from '../id.ts';
import type { JsonObject } from '../json.ts';
import type { Sealer } from './sealer.ts';

/** Why somebody was not let in: for who reads the audit. He himself is told less. */
const REASONS = {
  unknown: 'There is nothing of this name or id.',
  disabled: 'It is disabled, or its holder or account is.',
  wrong_password: 'The password was wrong.',
  locked: 'The name has to wait, after too many wrong passwords.',
  too_often: 'The address has to wait, after too many tries to sign in.',
  refused_by_provider: 'No identity provider of the account knows this name with this password.',
  bad_token: 'The token proves nothing, or its provider is none of this cloud.',
  malformed: 'What was presented is no credential of this cloud.',
  wrong_secret: 'The secret is not, or no longer, that of the credential.',
  over: 'The credential was revoked or has expired.',
  bad_signature: 'The signature was not made with this key.',
  bad_date: 'The date of the signature is too far from now.',
  replayed: 'The request was made before.',
} as const;

/** Who was not let in, as far as he has said who he is. Nothing in it is a secret. */
export interface NotLetIn {
  readonly reason: keyof typeof REASONS;
  /** What he wanted, e.g. `session.create`. */
  readonly action: string;
  /** Of whom he has named, where there is one. */
  readonly accountId?: string;
  readonly resourceKind?: string;
  readonly resourceId?: string;
  /** As he has named himself. */
  readonly named?: JsonObject;
}

interface Caller {
  /** His address; undefined within the process. */
  readonly from?: string | undefined;
  /** Where it is not he who is in doubt, but something else that he has shown. */
  readonly principal?: Pick<Principal, 'actor' | 'accountId'> | undefined;
}

const marks = new WeakMap<object, NotLetIn>();

/** Says of an error what the audit is to tell of it. Whoever answers it says from where the request came: `RefusedSignIns`. */
export function notLetIn(error: CloudError, who: NotLetIn): CloudError {
  marks.set(error, who);
  return error;
}

/** In a minute. A name that was told in it is told again as that; what comes beyond is told by where it comes from, and what comes beyond that by its number alone. */
const BOUNDS = { names: 120, namesOfSource: 30, sources: 60 };
const MINUTE_MS = 60_000;

/**
 * Tells the audit of who was not let in: who was named, from where, why. Like ones of a minute are one entry, as with denied calls; but as anybody can make up
 * names, and come from many places, those that are told apart are bounded, too: a flood from everywhere is some 250 entries a minute, and one from one
 * place hides nothing that comes from elsewhere.
 */
export class RefusedSignIns {
  readonly #ports: { readonly environment: Environment; readonly ids: Ids; readonly audit: Pick<Sealer, 'denied'> };
  #names = new Set<string>();
  #namesOf = new Map<string, number>();
  #sources = new Set<string>();
  #sinceMs = Number.NEGATIVE_INFINITY;

  constructor(ports: { readonly environment: Environment; readonly ids: Ids; readonly audit: Pick<Sealer, 'denied'> }) {
    this.#ports = ports;
  }

  /** Errors of other things are none of the audit's. */
  tell(error: unknown, { from, principal }: Caller): void {
    const who = isCloudError(error) ? marks.get(error) : undefined;
    if (who === undefined || !isCloudError(error)) return;
    const { reason, action, named = {}, ...more } = who;
    const { actor = 'anonymous', accountId } = principal ?? {};
    const of = accountId === undefined ? more : { accountId, ...more };
    const { environment, ids, audit } = this.#ports;
    const call = { id: ids.mint('audit'), at: timestamp(environment.clock), actor, action };
    const source = from === undefined ? {} : { from };
    const told = { name: { ...of, request: { ...named, ...source } }, source: { request: source }, neither: {} };
    const by = this.#by(JSON.stringify([action, actor, of, named]), from ?? '');
    audit.denied({ ...call, ...told[by] }, { code: error.code, message: REASONS[reason], params: { reason } });
  }

  #by(name: string, from: string): 'name' | 'source' | 'neither' {
    const nowMs = this.#ports.environment.clock.monotonicMs();
    if (nowMs - this.#sinceMs >= MINUTE_MS) this.#begin(nowMs);
    const key = `${from} ${name}`;
    if (this.#names.has(key)) return 'name';
    const namesOf = this.#namesOf.get(from) ?? 0;
    if (this.#names.size < BOUNDS.names && namesOf < BOUNDS.namesOfSource) {
      this.#names.add(key);
      this.#namesOf.set(from, namesOf + 1);
      return 'name';
    }
    if (!this.#sources.has(from) && this.#sources.size >= BOUNDS.sources) return 'neither';
    this.#sources.add(from);
    return 'source';
  }

  #begin(nowMs: number): void {
    this.#names = new Set();
    this.#namesOf = new Map();
    this.#sources = new Set();
    this.#sinceMs = nowMs;
  }
}
