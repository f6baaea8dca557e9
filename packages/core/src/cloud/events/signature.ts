import { createHmac } from 'node:crypto';

/** As Standard Webhooks has it. */
export const SECRET_PATTERN = '^whsec_[A-Za-z0-9+/]{32,88}={0,2}$';

const PREFIX = 'whsec_';
const BYTES = { least: 24, most: 64 };

/** The bytes of a secret, or undefined when it is none. */
export function secretBytes(text: string): Buffer | undefined {
  if (!text.startsWith(PREFIX)) return undefined;
  const bytes = Buffer.from(text.slice(PREFIX.length), 'base64');
  return bytes.length >= BYTES.least && bytes.length <= BYTES.most ? bytes : undefined;
}

/** Bytes as a secret is written. */
export const derivedSecret = (bytes: Uint8Array): string => PREFIX + Buffer.from(bytes).toString('base64');

/** The headers that sign one attempt. @param atSeconds since the epoch */
export function signed(
  secret: string,
  { id, atSeconds, body }: { readonly id: string; readonly atSeconds: number; readonly body: string },
) {
  const key = secretBytes(secret) ?? Buffer.alloc(0);
  const signature = createHmac('sha256', key).update(`${id}.${atSeconds}.${body}`).digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': String(atSeconds), 'webhook-signature': `v1,${signature}` };
}
