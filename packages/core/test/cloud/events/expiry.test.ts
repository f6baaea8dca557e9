import { expect } from 'chai';
import { opened } from './receiver.ts';

const DAY_MS = 24 * 3600_000;
const CALLBACK = 'http://10.0.0.7/done';

describe('events that were given up', () => {
  it('go after the time of operations, with what is sealed of them, and no earlier', async () => {
    const presets = { 'hosts.heartbeatSeconds': 600, 'retention.operationDays': 2, 'retention.deletedDays': 2 };
    const { sim, receiver, b } = await opened({ seed: 'expiry', presets, config: { webhookUrls: [CALLBACK] } });
    const sealed = sim.rows('sealed').length;
    receiver.answer = () => 410;
    const giveUp = async (description: string) => {
      const more = { input: { description }, resourceId: b, principal: sim.principal, callbackUrl: `${CALLBACK}?token=${description}` };
      await sim.environment.complete(sim.kernel.submit({ action: 'webhook.update', ...more }));
      await sim.run(5000);
    };
    const dead = () => sim.rows('delivery').map(({ event }) => (event as { data: { row: { id: string } } }).data.row.id);
    // More than are looked at together.
    for (let index = 0; index < 120; index += 1) await giveUp(`${index}`);
    await sim.run(DAY_MS);
    await giveUp('last');
    const [last] = dead().slice(-1);
    await sim.run(0.9 * DAY_MS);
    expect(dead()).to.have.length(121);
    await sim.run(0.3 * DAY_MS);
    expect(dead()).to.deep.equal([last]);
    expect(sim.rows('sealed')).to.have.length(sealed + 1);
    // It can still be replayed.
    receiver.answer = () => 204;
    await sim.done('delivery.replay', {}, String(sim.rows('delivery')[0]?.id));
    await sim.run(1000);
    expect(receiver.taken.map(({ url }) => url)).to.deep.equal([`${CALLBACK}?token=last`]);
    expect(sim.rows('sealed')).to.have.length(sealed);
    expect(sim.row('webhook', b)).to.include({ state: 'available' });
  });
});
