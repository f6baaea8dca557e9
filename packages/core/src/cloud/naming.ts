/** The name asked for, or one made of the kind and the random end of the id, e.g. `volume-9f3c01ab77d2`. */
export const nameOr = (name: string | undefined, kind: { readonly name: string }, id: string): string =>
  name ?? `${kind.name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}-${id.slice(-12)}`;

/** The fields that were given: an optional field that is absent must not become a field that is undefined. */
export function given<T extends object>(fields: T): { readonly [K in keyof T]: Exclude<T[K], undefined> } {
  const present: Partial<T> = {};
  for (const field in fields) if (fields[field] !== undefined) present[field] = fields[field];
  return present as never;
}
