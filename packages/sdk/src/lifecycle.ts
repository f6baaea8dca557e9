/** A row of a kind whose states are known: which fields are there follows from its state. */
export type Lifecycle<F, S extends string> = F &
  (
    | { readonly state: Exclude<S, 'deleted'>; readonly deletedAt?: never }
    | { readonly state: Extract<S, 'deleted'>; readonly deletedAt: string }
  );
