/**
 * Very many clients in a process of their own: `crowd-child.ts URL KEY COUNT PATH`. Each has a connection, made beforehand; told to, all ask at once. Tells when
 * it is connected, and how all were answered.
 */
import { Client } from './client.ts';
import { inFlight } from './harness.ts';

/** A listening socket queues no more than this. */
const CONNECTING = 200;

/** What comes back to the parent. */
export interface Crowd {
  readonly tookMs: readonly number[];
  /** Requests that ended without an answer. */
  readonly lost: number;
  /** Answers by their status. */
  readonly statuses: Readonly<Record<string, number>>;
}

const [url = '', key = '', counted = '', path = ''] = process.argv.slice(2);
const count = Number(counted);
const clients = Array.from({ length: count }, () => new Client(url, key));

await inFlight(CONNECTING, 0, count, async (index) => {
  await clients[index]?.ask('HEAD', path.replace(/[&?]waitSeconds=\d+/, ''));
});

process.on('message', async (): Promise<void> => {
  const statuses: Record<string, number> = {};
  let lost = 0;
  const tookMs: number[] = [];
  await Promise.all(
    clients.map(async (client) => {
      const beganMs = performance.now();
      try {
        const { status } = await client.ask('GET', path);
        statuses[status] = (statuses[status] ?? 0) + 1;
        tookMs.push(performance.now() - beganMs);
      } catch {
        lost += 1;
      }
    }),
  );
  process.send?.({ tookMs, lost, statuses } satisfies Crowd);
});
process.send?.('connected');
