/** One event on its way out. */
export interface Post {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Whether the connection may lead to public addresses alone. */
  readonly publicOnly: boolean;
  /** Ends the attempt. */
  readonly signal: AbortSignal;
}

/**
 * Sends it, follows no redirect, and reads no more of the answer than its head.
 * @throws CloudError `refused` when the name stands for an address that is not public, `unavailable` when there is no answer
 */
export type PostUrl = (post: Post) => Promise<{ readonly status: number; readonly retryAfterSeconds?: number }>;
