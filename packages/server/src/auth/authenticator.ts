import type { Principal } from '@pileus/core/kernel';

/** Finds out who asks. More ways to prove it than API keys plug in here. */
export interface Authenticator {
  /**
   * @param authorization the header as it came
   * @param connection stands for the connection it came on: what is worked out once may be remembered with it
   * @returns undefined when nothing was presented
   * @throws CloudError `unauthenticated` when what was presented proves nothing
   */
  authenticate(authorization: string | undefined, connection: object): Principal | undefined | Promise<Principal | undefined>;
}
