/** What is told to be an ISO: nothing, and that it is one. */
export function isoContent(sizeBytes = 36_864): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  bytes.set(new TextEncoder().encode('CD001'), 32_769);
  return bytes;
}
