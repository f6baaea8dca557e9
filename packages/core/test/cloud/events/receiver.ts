import { createHmac } from 'node:crypto';
import type { Post, PostUrl } from '../../../src/cloud/index.ts';
import { SimCloud, type SimCloudOptions } from '../../../testing/index.ts';

export const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
export const URL = 'https://hooks.example.org/in';

export interface Received extends Post {
  readonly atMs: number;
  readonly id: string;
  /** What it answered. */
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into events of any kind.
  readonly event: any;
}

/** What is outside, and survives crashes. */
export class Receiver {
  readonly received: Received[] = [];
  /** The status that it answers; undefined = nothing is heard of it. */
  answer: (post: Post & { readonly event: Received['event'] }) => number | undefined = () => 204;
  sim!: SimCloud;

  readonly post: PostUrl = async (post) => {
    const event = JSON.parse(post.body);
    const { clock, timers, random } = this.sim.environment;
    await new Promise<void>((done) => timers.after(1 + random.next() * 20, done));
    const status = this.answer({ ...post, event });
    this.received.push({ ...post, event, id: String(post.headers['webhook-id']), atMs: clock.nowMs(), status: status ?? 0 });
    if (status === undefined) return new Promise((_, reject) => post.signal.addEventListener('abort', () => reject(new Error('aborted'))));
    return { status };
  };

  get taken(): readonly Received[] {
    return this.received.filter(({ status }) => status < 300 && status > 0);
  }

  /** Descriptions of the changed webhooks that it took, by their names; those that came again once. */
  get told(): Readonly<Record<string, readonly string[]>> {
    const told: Record<string, string[]> = {};
    const seen = new Set<string>();
    for (const { event, id } of this.taken) {
      if (seen.has(id) || event.type !== 'pileus.webhook.updated') continue;
      seen.add(id);
      const { name, description } = event.data.row;
      told[name] = [...(told[name] ?? []), description];
    }
    return told;
  }
}

export const isSigned = ({ headers, body }: Post, secret = SECRET): boolean => {
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  const wanted = createHmac('sha256', key).update(`${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`).digest('base64');
  return headers['webhook-signature'] === `v1,${wanted}`;
};

/** A cloud with two webhooks that are disabled, to have something that changes. */
export async function opened(options: Partial<SimCloudOptions> = {}) {
  const receiver = new Receiver();
  const sim = new SimCloud({ seed: 'events', postUrl: receiver.post, ...options });
  receiver.sim = sim;
  await sim.start();
  const make = (name: string, more: object = {}) =>
    sim.done('webhook.create', { name, url: URL, kinds: ['webhook'], types: ['updated'], secret: SECRET, ...more });
  const ids: string[] = [];
  for (const name of ['b', 'c']) {
    ids.push(await make(name, { kinds: ['nic'] }));
  }
  const say = (id: string, description: string) => sim.done('webhook.update', { description }, id);
  return { sim, receiver, make, say, b: String(ids[0]), c: String(ids[1]) };
}
