const UNITS = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** A size as refusals tell it, exact and for people: `10737418240 bytes (10 GiB)`, and `512 bytes` where there is nothing to shorten. */
export function bytesText(bytes: number): string {
  if (bytes < 1024) return `${bytes} bytes`;
  let value = bytes / 1024;
  let unit = 0;
  for (; value >= 1024 && unit < UNITS.length - 1; unit += 1) value /= 1024;
  return `${bytes} bytes (${Number(value.toFixed(1))} ${UNITS[unit]})`;
}
