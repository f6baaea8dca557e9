import { expect } from 'chai';
import { instance, nic, stray, volume } from '../../../../src/cloud/index.ts';
import { debt, type Kind } from '../../../../src/kernel/index.ts';
import { LOOK_MS } from '../../compute/machine-stage.ts';
import { WholeNetwork } from './whole-network.ts';

const AWAY_MS = 3_600_000;

describe('a control plane that was away for an hour', () => {
  it('finds machines, networks and disks as it left them, and what has become of a machine by itself, and makes nothing again', async () => {
    const whole = await WholeNetwork.made();
    const { stage } = whole;
    const { sim } = stage;
    const other = await stage.machine({ nics: [{ networkId: whole.networkId }] });
    await sim.run(2 * LOOK_MS);
    const [standing] = (await stage.rows(instance)).map(({ id }) => id).filter((id) => id !== other);
    const disks = () =>
      [...sim.world.pools.values()].flatMap(({ things }) =>
        [...things.values()].map(({ kind, id, attachedTo }) => [kind, id, [...attachedTo]]),
      );
    const machines = () => [...stage.worldHost().machines.values()].map(({ spec, power }) => [spec.id, power]);
    const look = () => ({ networks: whole.picture, disks: disks(), machines: machines() });
    const ids = async (kinds: readonly Kind[] = [instance, nic, volume]) =>
      (await Promise.all(kinds.map((kind) => stage.rows(kind)))).flat().map(({ id }) => id);
    const [before, rows] = [look(), await ids()];

    sim.crash();
    await sim.run(AWAY_MS / 2);
    stage.real(other).stop('crashed');
    await sim.run(AWAY_MS / 2);
    const alone = look();
    expect(alone, 'while nobody is there').to.deep.equal({ ...before, machines: alone.machines });
    expect(alone.machines).to.not.deep.equal(before.machines);

    await sim.start();
    await sim.run(4 * LOOK_MS);
    expect(look(), 'once it is back').to.deep.equal(alone);
    expect(await ids()).to.deep.equal(rows);
    expect([(await stage.instance(String(standing))).state, (await stage.instance(other)).state]).to.deep.equal(['running', 'crashed']);
    expect([await stage.rows(stray), await stage.rows(debt), sim.world.violations]).to.deep.equal([[], [], []]);
    // It goes on from there.
    await sim.done('instance.start', {}, other);
    expect(look()).to.deep.equal(before);
  });
});
