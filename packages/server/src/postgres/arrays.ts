const TEXT_OID = 25;
const DOUBLE_OID = 701;
const HEADER_BYTES = 20;

/**
 * Arrays in PostgreSQL's binary form. The text form would need every quote of every row escaped, and unescaped by the server, which costs more than the rest
 * of the statement.
 */
export function textArray(values: readonly (string | null)[]): Buffer {
  const sizes = values.map((value) => (value === null ? 0 : Buffer.byteLength(value)));
  const array = header(
    TEXT_OID,
    values,
    sizes.reduce((sum, size) => sum + 4 + size, 0),
  );
  let at = HEADER_BYTES;
  for (const [index, value] of values.entries()) {
    const size = sizes[index] as number;
    at = array.writeInt32BE(value === null ? -1 : size, at);
    if (value !== null) at += array.write(value, at, size, 'utf8');
  }
  return array;
}

/** Doubles hold what JSON numbers hold: whole numbers up to 2^53-1 exactly. */
export function doubleArray(values: readonly (number | null)[]): Buffer {
  const array = header(
    DOUBLE_OID,
    values,
    values.reduce<number>((sum, value) => sum + (value === null ? 4 : 12), 0),
  );
  let at = HEADER_BYTES;
  for (const value of values) {
    at = array.writeInt32BE(value === null ? -1 : 8, at);
    if (value !== null) at = array.writeDoubleBE(value, at);
  }
  return array;
}

/** One dimension, counted from 1. */
function header(oid: number, values: readonly unknown[], dataBytes: number): Buffer {
  const array = Buffer.allocUnsafe(HEADER_BYTES + dataBytes);
  array.writeInt32BE(1, 0);
  array.writeInt32BE(values.includes(null) ? 1 : 0, 4);
  array.writeInt32BE(oid, 8);
  array.writeInt32BE(values.length, 12);
  array.writeInt32BE(1, 16);
  return array;
}
