/** Slow hashing of passwords. `@pileus/core/node` has one that does it in threads. */
export interface Passwords {
  /** As text that says how it was made. */
  hash(password: string): Promise<string>;
  verify(password: string, hashed: string): Promise<boolean>;
}
