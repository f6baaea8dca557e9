declare const kindOf: unique symbol;

/** The id of one resource of kind `K`: a lower-case UUID. Ids of two kinds do not mix. */
export type Id<K extends string> = string & { readonly [kindOf]: K };

/** What names a resource in a call: its id, or its name as plain text. The id of another kind does not compile. */
export type Named<K extends string> = string & { readonly [kindOf]?: K; readonly length: number };

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
export const isUuid = (text: string): boolean => UUID.test(text);

/**
 * Takes text from outside (an argument, a file) as the id of a kind.
 * @throws TypeError when it is not a lower-case UUID.
 */
export function id<K extends string>(kind: K, text: string): Id<K> {
  if (!isUuid(text)) throw new TypeError(`Not the id of one ${kind}: ${JSON.stringify(text)} is not a UUID in lower case.`);
  return text as Id<K>;
}
