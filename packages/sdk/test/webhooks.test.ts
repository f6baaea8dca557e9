import { createHmac } from 'node:crypto';
import { expect } from 'chai';
import { createWebhookSecret, verifyWebhook, WebhookVerificationError } from '../src/runtime.ts';

/** The example of the Standard Webhooks specification. */
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const BODY = '{"test": 2432232314}';
const HEADERS = {
  'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
  'webhook-timestamp': '1614265330',
  'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
};
const nowMs = 1_614_265_330_000;
const message = { secret: SECRET, headers: HEADERS, body: BODY, nowMs };

const refusal = (work: Promise<unknown>) =>
  work.then(
    () => 'taken',
    (error: unknown) => (error instanceof WebhookVerificationError ? error.message : String(error)),
  );

describe('sdk: verifyWebhook', () => {
  it('takes what was signed with the secret, however headers and body come', async () => {
    expect(await verifyWebhook(message)).to.deep.equal({ test: 2432232314 });
    expect(await verifyWebhook({ ...message, headers: new Headers(HEADERS) })).to.deep.equal({ test: 2432232314 });
    expect(await verifyWebhook({ ...message, body: new TextEncoder().encode(BODY) })).to.deep.equal({ test: 2432232314 });
    const several = { ...HEADERS, 'webhook-signature': `v1a,xyz v1,AAAA ${HEADERS['webhook-signature']}` };
    expect(await verifyWebhook({ ...message, headers: several })).to.deep.equal({ test: 2432232314 });
    expect(await verifyWebhook({ ...message, secret: [createWebhookSecret(), SECRET] })).to.deep.equal({ test: 2432232314 });
  });

  it('refuses anything else', async () => {
    const wrong = 'The signature is not one of this secret.';
    expect(await refusal(verifyWebhook({ ...message, body: BODY.replace('2', '3') }))).to.equal(wrong);
    expect(await refusal(verifyWebhook({ ...message, secret: createWebhookSecret() }))).to.equal(wrong);
    expect(await refusal(verifyWebhook({ ...message, headers: { ...HEADERS, 'webhook-id': 'msg_other' } }))).to.equal(wrong);
    expect(await refusal(verifyWebhook({ ...message, headers: { ...HEADERS, 'webhook-signature': 'v1,!!' } }))).to.equal(wrong);
    expect(await refusal(verifyWebhook({ ...message, headers: { ...HEADERS, 'webhook-signature': 'v2,x' } }))).to.equal(wrong);
    expect(await refusal(verifyWebhook({ ...message, headers: {} }))).to.equal('The header webhook-id is missing.');
    for (const offMs of [-301_000, 301_000])
      expect(await refusal(verifyWebhook({ ...message, nowMs: nowMs + offMs }))).to.match(/too old, or of the future/);
    expect(await refusal(verifyWebhook({ ...message, nowMs: nowMs + 301_000, toleranceSeconds: 400 }))).to.equal('taken');
    expect(await refusal(verifyWebhook({ ...message, secret: 'whsec_' }))).to.equal('A secret is whsec_ and base64.');
  });

  it('makes secrets of 32 random bytes, and verifies with them', async () => {
    const secret = createWebhookSecret();
    expect(secret)
      .to.match(/^whsec_[A-Za-z0-9+/]{43}=$/)
      .and.not.equal(createWebhookSecret());
    const key = Buffer.from(secret.slice(6), 'base64');
    const signature = createHmac('sha256', key).update('e1.1614265330.{"ä":1}').digest('base64');
    const headers = { 'webhook-id': 'e1', 'webhook-timestamp': '1614265330', 'webhook-signature': `v1,${signature}` };
    expect(await verifyWebhook({ secret, headers, body: '{"ä":1}', nowMs })).to.deep.equal({ ä: 1 });
  });
});
