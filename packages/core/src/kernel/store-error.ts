/**
 * Why a store refused to answer. `outcome` says what became of a commit: `unchanged` = it is certain that nothing was written (a mistake in the call, a
 * full disk, a closed store); `unknown` = it may or may not be durable, and committing the same again tells.
 */
export class StoreError extends Error {
  readonly outcome: 'unchanged' | 'unknown';

  constructor(message: string, outcome: 'unchanged' | 'unknown' = 'unchanged', options?: ErrorOptions) {
    super(message, options);
    this.name = 'StoreError';
    this.outcome = outcome;
  }
}
