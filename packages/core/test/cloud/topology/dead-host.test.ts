import { expect } from 'chai';
import { debt, type Operation } from '../../../src/kernel/index.ts';
import { machine, smallCloud } from '../small-cloud.ts';

describe('a forced deletion of all that is on a dead host', () => {
  it('ends, leaves debts that the host is owed, and these go with the host or when it is back', async () => {
    for (const back of [true, false]) {
      const at = await smallCloud();
      const { sim, hostId } = at;
      const before = sim.counters().filter(({ value }) => value !== 0);
      const ids = await Promise.all([1, 2, 3].map((number) => `vm-${number}`));
      for (const name of ids) await sim.done('instance.create', machine(at, { name }));
      sim.world.crash('hv1');
      await sim.run(120_000);
      const refused: Operation = await sim.ended((await sim.submit('host.delete', { recursive: true }, hostId)).operationId);
      expect(refused.error?.code).to.equal('unavailable');
      expect(sim.rows('instance')).to.have.length(3);
      if (back) {
        for (const row of sim.rows('instance')) await sim.done('instance.delete', { force: true }, String(row.id));
        const owed = sim.rows(debt.name);
        expect(owed.every(({ place, state }) => place === hostId && state === 'owed')).to.equal(true);
        // Of each machine: itself, its disk, its seed, its port.
        expect(owed.map(({ task }) => task).sort()).to.deep.equal(
          ['machine.remove', 'port.delete', 'seed.delete', 'volume.delete'].flatMap((task) => [task, task, task]).sort(),
        );
        sim.world.boot('hv1');
        await sim.run(120_000);
      } else await sim.done('host.delete', { recursive: true, force: true }, hostId);
      expect(sim.rows(debt.name)).to.deep.equal([]);
      expect(sim.rows('instance')).to.deep.equal([]);
      expect(sim.rows('host')).to.have.length(back ? 1 : 0);
      if (!back) continue;
      expect(sim.counters().filter(({ value }) => value !== 0)).to.deep.equal(before);
      const { machines, stored } = JSON.parse(sim.world.snapshot()) as { machines: object[]; stored: { kind: string }[] };
      expect([machines, stored.filter(({ kind }) => kind !== 'image')]).to.deep.equal([[], []]);
    }
  });
});
