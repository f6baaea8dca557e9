import type { SimRandom } from '@pileus/core/testing';
import type { Request, SiteTrouble } from './plan.ts';
import { OPERATOR } from './wishes.ts';

export type Draft = Omit<Request, 'id'>;

/** Machines of one host that he asks for by name. */
const MACHINES = 4;
/** A shorter trouble is over before anybody looks. */
const LOST_MS_MIN = 10_000;
const MAINTAIN_EVERY_MS = 25_000;

export const asks = (atMs: number, action: string, on: string, input: Draft['input'] = {}): Draft => ({
  ...{ type: 'ask', atMs: Math.round(atMs), who: OPERATOR, action, on, input },
  ...{ repeats: false, rehearses: false },
});

/** What whoever runs the cloud asks for: machines of lost hosts are evacuated, others leave a host that is worked on for a while. */
export function drawOperator(
  random: SimRandom,
  hosts: readonly [string, ...string[]],
  troubles: readonly SiteTrouble[],
  rageMs: number,
): readonly Draft[] {
  const drafts: Draft[] = [];
  for (const { site, atMs, forMs } of troubles) {
    if (!hosts.includes(site) || forMs < LOST_MS_MIN || random.chance(0.3)) continue;
    for (let place = 0; place < MACHINES; place += 1)
      drafts.push(asks(atMs + random.between(2000, forMs), 'instance.evacuate', `@on/${site}/${place}`));
  }
  for (let atMs = random.between(0, 2 * MAINTAIN_EVERY_MS); atMs < rageMs; atMs += random.between(0, 2 * MAINTAIN_EVERY_MS)) {
    const host = random.pick<string>(hosts);
    for (let place = 0; place < MACHINES; place += 1)
      drafts.push(
        asks(
          atMs + random.between(0, 10_000),
          'instance.migrate',
          `@on/${host}/${place}`,
          random.chance(0.2) ? { timeoutSeconds: 10 } : {},
        ),
      );
    // What could not go is switched off.
    for (let place = 0; place < MACHINES; place += 1)
      if (random.chance(0.6))
        drafts.push(asks(atMs + random.between(8000, 12_000), 'instance.stop', `@on/${host}/${place}`, { force: true }));
    const beginsMs = atMs + random.between(12_000, 20_000);
    drafts.push(
      asks(beginsMs, random.pick(['host.maintain', 'host.maintain', 'host.disable', 'host.drain']), `@named/host/${host}`),
      asks(beginsMs + random.between(1000, 20_000), 'host.enable', `@named/host/${host}`),
    );
    if (random.chance(0.5)) drafts.push(asks(atMs, 'host.reconnect', `@named/host/${random.pick<string>(hosts)}`));
    if (random.chance(0.7)) continue;
    const pool = `@named/pool/pool-${random.pick<string>(hosts)}`;
    drafts.push(asks(beginsMs, 'pool.disable', pool), asks(beginsMs + random.between(1000, 20_000), 'pool.enable', pool));
  }
  return drafts;
}
