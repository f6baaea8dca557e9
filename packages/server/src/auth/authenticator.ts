import type { Principal } from '@pileus/core/kernel';

/** What a request shows of who makes it. */
export interface Presented {
  /** The header as it came. */
  readonly authorization: string | undefined;
  readonly method: string;
  /** Path and query as they came. */
  readonly url: string;
  /** The header `X-Pileus-Project`: id or name of the project to work in. */
  readonly project: string | undefined;
  /** Stands for the connection it came on: what is worked out once may be remembered with it. */
  readonly connection: object;
}

export interface Proof {
  readonly principal: Principal;
  /** What the body must be, where the proof speaks of it: lower-case hex. */
  readonly bodySha256?: string;
}

/** Finds out who asks, by one way to prove it. */
export interface Authenticator {
  /**
   * @returns undefined when nothing of its kind was presented
   * @throws CloudError `unauthenticated` when what was presented proves nothing
   */
  authenticate(presented: Presented): Proof | undefined | Promise<Proof | undefined>;
}

/** Has `tell` hear why somebody was not let in. In the same turn where nothing has to be waited for. */
export function telling<T>(prove: () => T | Promise<T>, tell: (error: unknown) => void): T | Promise<T> {
  const refused = (error: unknown): never => {
    tell(error);
    throw error;
  };
  try {
    const proof = prove();
    return proof instanceof Promise ? proof.catch(refused) : proof;
  } catch (error) {
    return refused(error);
  }
}

/** The first of several that knows what was presented decides. */
export const firstOf = (authenticators: readonly Authenticator[], otherwise: (presented: Presented) => never): Authenticator => ({
  authenticate(presented) {
    if (presented.authorization === undefined || presented.authorization === '') return undefined;
    for (const authenticator of authenticators) {
      const proof = authenticator.authenticate(presented);
      if (proof !== undefined) return proof;
    }
    return otherwise(presented);
  },
});
