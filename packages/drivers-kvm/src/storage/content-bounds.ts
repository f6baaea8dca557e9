import { DriverError } from '../driver-error.ts';

/** At once, of any content. */
export const BYTES_MAX = 8 * 1024 * 1024;

export const noSnapshots = () => new DriverError('not_found', 'the pool keeps no snapshots');

/** @throws DriverError invalid */
export function refuse({ sizeBytes }: { readonly sizeBytes: number }, offsetBytes: number, lengthBytes: number): void {
  if (lengthBytes > BYTES_MAX) throw new DriverError('invalid', `${lengthBytes} bytes at once; at most ${BYTES_MAX} are taken`);
  if (offsetBytes + lengthBytes > sizeBytes)
    throw new DriverError('invalid', `the volume has ${sizeBytes} bytes, and is asked for what is at ${offsetBytes + lengthBytes}`);
}
