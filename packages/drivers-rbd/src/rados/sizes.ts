const MAX_BYTES = 2n ** 63n;

/** A size or an offset, exact beyond 2^53 when it is given as a bigint. @throws RangeError naming `what` */
export function bytesOf(what: string, value: number | bigint): bigint {
  if (typeof value === 'number' && !Number.isSafeInteger(value))
    throw new RangeError(`${what}: ${value} is no whole number of bytes that can be exact`);
  const bytes = BigInt(value);
  if (bytes < 0n || bytes >= MAX_BYTES) throw new RangeError(`${what}: ${bytes} is not between 0 and 2^63`);
  return bytes;
}
