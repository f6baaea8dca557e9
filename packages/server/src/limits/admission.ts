import { addressPlace } from '@pileus/core';
import { type Clock, CloudError, Places, type Principal, type Rate, Rates, rateHeaders } from '@pileus/core/kernel';
import { Turns } from './turns.ts';

export interface AdmissionOptions {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** Calls back in the next turn of the event loop. */
  readonly nextTurn: (run: () => void) => void;
  readonly limits: {
    /** In work at once. */
    readonly requests: number;
    /** Held open at once. */
    readonly streams: number;
    /** Of each key. Absent: none. */
    readonly rate?: Rate;
  };
}

/** What a request is held as. */
export type Holding = 'requests' | 'streams';

/** Whether it may be served, and what its answer says about that. */
export interface Admitted {
  readonly headers?: Readonly<Record<string, string>>;
  readonly refusal?: CloudError;
  /** The refusal is told after this time: who asks again and again although he is refused would keep us busy with refusals. */
  readonly delayMs?: number;
}

/** Refusals beyond which a key is told late. */
const REFUSALS_AT_ONCE = 20;
const REFUSAL_DELAY_MS = 1000;
/** Many that were told at the same instant would ask again at the same instant, ever after: each is told so much later than the others, spread by the golden ratio. */
const REFUSAL_SPREAD_MS = 1000;
const GOLDEN = 0.618034;

const ANONYMOUS = 'anonymous';
/** Of all places those without a key have so much together, that one address cannot take what others would come in by. */
const KEYLESS_SHARE = 0.5;
const FREE: Admitted = {};

/** Who asks: `principal` where he has shown a key, `from` the address at the other end. */
export interface Asker {
  readonly principal: Principal | undefined;
  readonly from: string | undefined;
}

/**
 * Who is served, and when: by the rate of his key, by turns of accounts, and as far as there is room. Everything is decided before a body is read.
 *
 * Who has no key signs in, or is an agent that tells an outcome. All of these are one account among the others, for whoever wants to be many comes from many
 * addresses; among themselves they share by address, so that one that sends its bodies slowly, or asks without end, keeps no other out.
 */
export class Admission {
  readonly #places: Readonly<Record<Holding, Places>>;
  readonly #keylessPlaces: Readonly<Record<Holding, Places>>;
  readonly #rates: Rates | undefined;
  readonly #turns: Turns;
  readonly #keylessTurns: Turns;
  #spread = 0;

  constructor({ clock, nextTurn, limits }: AdmissionOptions) {
    const places = (share: number) => ({ requests: new Places(share * limits.requests), streams: new Places(share * limits.streams) });
    this.#places = places(1);
    this.#keylessPlaces = places(KEYLESS_SHARE);
    this.#rates = limits.rate === undefined ? undefined : new Rates(limits.rate, clock);
    this.#turns = new Turns({ clock, next: nextTurn });
    this.#keylessTurns = new Turns({ clock, next: nextTurn, isNobodyAlone: true });
  }

  /** Takes one from what the key may ask. Who has proven nothing has no key to count by. */
  count(principal: Principal | undefined): Admitted {
    if (this.#rates === undefined || principal === undefined) return FREE;
    const allowance = this.#rates.take(principal.actor);
    const headers = rateHeaders(this.#rates.rate, allowance);
    if (allowance.granted) return { headers };
    const refusal = tooOften(allowance.retrySeconds);
    if (allowance.refusals <= REFUSALS_AT_ONCE) return { headers, refusal };
    this.#spread = (this.#spread + GOLDEN) % 1;
    return { headers, refusal, delayMs: REFUSAL_DELAY_MS + Math.floor(this.#spread * REFUSAL_SPREAD_MS) };
  }

  /** Takes a place and answers how to leave it. @throws CloudError `busy` when there is none */
  enter({ principal, from }: Asker, holding: Holding): () => void {
    const leave = this.#places[holding].take(principal?.accountId ?? ANONYMOUS);
    if (leave === undefined) throw tooMany(holding);
    if (principal !== undefined) return leave;
    const leaveKeyless = this.#keylessPlaces[holding].take(addressPlace(from ?? ''));
    if (leaveKeyless === undefined) {
      leave();
      throw tooMany(holding);
    }
    return () => {
      leaveKeyless();
      leave();
    };
  }

  /** Serves it when it is its turn. What takes long waits for something else than us, and counts until it has begun. */
  inTurn<T>({ principal, from }: Asker, holding: Holding, serve: () => Promise<T>): Promise<T> {
    if (principal !== undefined) return within(this.#turns, principal.accountId, holding, serve);
    // In work it counts for its address alone: of all that have no key one is begun in turn with the other accounts, however many are in work.
    return within(this.#keylessTurns, addressPlace(from ?? ''), holding, () => within(this.#turns, ANONYMOUS, 'streams', serve));
  }
}

async function within<T>(turns: Turns, whose: string, holding: Holding, serve: () => Promise<T>): Promise<T> {
  const turn = turns.take(whose);
  if (turn !== undefined) await turn;
  if (holding === 'streams') {
    turns.leave(whose);
    return serve();
  }
  try {
    return await serve();
  } finally {
    turns.leave(whose);
  }
}

const tooMany = (what: Holding): CloudError =>
  new CloudError('busy', `Too many ${what} are under way.`, { params: { retryAfterSeconds: 1 } });

const tooOften = (retryAfterSeconds: number): CloudError =>
  new CloudError('busy', 'This key asks more often than it may.', { params: { retryAfterSeconds } });
