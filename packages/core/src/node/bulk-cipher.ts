import type { BulkCipher } from '../cloud/index.ts';
import { Lane } from '../kernel/index.ts';

/** Threads at once: backups leave the others to what else there is to do. */
const AT_ONCE = 2;
const HMAC = { name: 'HMAC', hash: 'SHA-256' } as const;

/** By the threads of Node: the event loop copies the bytes, and no more. */
export function threadedCipher(): BulkCipher {
  const lane = new Lane(AT_ONCE);
  const { subtle } = crypto;
  const keyOf = (key: Uint8Array, use: 'encrypt' | 'decrypt') => subtle.importKey('raw', whole(key), 'AES-GCM', false, [use]);
  return {
    seal: (key, iv, plain, bound) =>
      lane.run(async () => {
        const how = { name: 'AES-GCM', iv: whole(iv), additionalData: whole(bound) };
        return new Uint8Array(await subtle.encrypt(how, await keyOf(key, 'encrypt'), whole(plain)));
      }),
    open: (key, iv, sealed, bound) =>
      lane.run(async () => {
        const how = { name: 'AES-GCM', iv: whole(iv), additionalData: whole(bound) };
        const imported = await keyOf(key, 'decrypt');
        try {
          return new Uint8Array(await subtle.decrypt(how, imported, whole(sealed)));
        } catch (error) {
          // What does not fit is told so, and nothing else is.
          if (error instanceof DOMException && error.name === 'OperationError') return undefined;
          throw error;
        }
      }),
    digest: (key, bytes) =>
      lane.run(
        async () =>
          new Uint8Array(await subtle.sign('HMAC', await subtle.importKey('raw', whole(key), HMAC, false, ['sign']), whole(bytes))),
      ),
  };
}

/** Bytes as the Web's functions take them: not of memory that is shared with other threads, which none of these are. */
function whole(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer ? (bytes as Uint8Array<ArrayBuffer>) : new Uint8Array(bytes);
}
