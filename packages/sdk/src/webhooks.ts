/** A change as it is sent to webhooks and callbacks: CloudEvents 1.0. */
export interface WebhookEvent<Row = Readonly<Record<string, unknown>>> {
  readonly specversion: '1.0';
  /** The same each time that the event is sent: what was seen with it before is no news. */
  readonly id: string;
  readonly source: string;
  /** E.g. `pileus.instance.updated`. */
  readonly type: string;
  /** E.g. `instance/0192…`. */
  readonly subject: string;
  /** RFC 3339. */
  readonly time: string;
  readonly datacontenttype: 'application/json';
  readonly projectid?: string;
  readonly data: { readonly kind: string; readonly id: string; readonly revision: number; readonly row: Row };
}

/** Headers as any server has them: `Headers`, or an object by lower-case names. */
export type WebhookHeaders = { get(name: string): string | null } | Readonly<Record<string, string | readonly string[] | undefined>>;

export interface WebhookMessage {
  /** As it was given to the webhook: `whsec_…`. Several while it is changed. */
  readonly secret: string | readonly string[];
  readonly headers: WebhookHeaders;
  /** As it came, before it is parsed. */
  readonly body: string | Uint8Array;
  /** How old a message may be, and how far clocks may differ. Default 300. */
  readonly toleranceSeconds?: number;
  /** Milliseconds since the epoch. Default: now. */
  readonly nowMs?: number;
}

/** The message is not of who knows the secret, or not of now. */
export class WebhookVerificationError extends Error {
  override readonly name = 'WebhookVerificationError';
}

const PREFIX = 'whsec_';
const encoder = new TextEncoder();

/**
 * The event, if it was signed with the secret (Standard Webhooks) not long ago. For Node and browsers.
 * @throws WebhookVerificationError
 */
export async function verifyWebhook<Row = Readonly<Record<string, unknown>>>(message: WebhookMessage): Promise<WebhookEvent<Row>> {
  const { headers, body, toleranceSeconds = 300, nowMs = Date.now() } = message;
  const id = headerOf(headers, 'webhook-id');
  const timestamp = headerOf(headers, 'webhook-timestamp');
  const signatures = headerOf(headers, 'webhook-signature')
    .split(' ')
    .flatMap((text) => (text.startsWith('v1,') ? [bytesOf(text.slice(3))] : []));
  if (!/^\d{1,12}$/.test(timestamp)) throw new WebhookVerificationError('The timestamp is no number.');
  if (Math.abs(nowMs / 1000 - Number(timestamp)) > toleranceSeconds)
    throw new WebhookVerificationError('The message is too old, or of the future.');
  const text = typeof body === 'string' ? body : new TextDecoder().decode(body);
  const signed = encoder.encode(`${id}.${timestamp}.${text}`);
  const secrets = typeof message.secret === 'string' ? [message.secret] : message.secret;
  for (const secret of secrets) if (await isSigned(secret, signed, signatures)) return parsed(text);
  throw new WebhookVerificationError('The signature is not one of this secret.');
}

/** A new secret for a webhook. */
export function createWebhookSecret(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return PREFIX + btoa(String.fromCharCode(...bytes));
}

async function isSigned(secret: string, signed: Uint8Array<ArrayBuffer>, signatures: readonly Uint8Array<ArrayBuffer>[]): Promise<boolean> {
  const raw = bytesOf(secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : secret);
  if (raw.length === 0) throw new WebhookVerificationError('A secret is whsec_ and base64.');
  const key = await crypto.subtle.importKey('raw', raw, { name: 'HMAC', hash: 'SHA-256' }, false, ['verify']);
  for (const signature of signatures) if (await crypto.subtle.verify('HMAC', key, signature, signed)) return true;
  return false;
}

function parsed<Row>(text: string): WebhookEvent<Row> {
  try {
    return JSON.parse(text) as WebhookEvent<Row>;
  } catch (cause) {
    throw new WebhookVerificationError('The body is no JSON.', { cause });
  }
}

function headerOf(headers: WebhookHeaders, name: string): string {
  const value = typeof headers.get === 'function' ? headers.get(name) : (headers as Readonly<Record<string, unknown>>)[name];
  const text = Array.isArray(value) ? value[0] : value;
  if (typeof text !== 'string' || text === '') throw new WebhookVerificationError(`The header ${name} is missing.`);
  return text;
}

/** No bytes for what is no base64. */
function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch {
    return new Uint8Array();
  }
}
