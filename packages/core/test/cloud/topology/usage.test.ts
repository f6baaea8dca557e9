import { expect } from 'chai';
import { Hosts } from '../../../src/cloud/topology/hosts.ts';
import { Usages } from '../../../src/cloud/topology/usage.ts';
import { MachineStage } from '../compute/machine-stage.ts';
import { codeOf, GIB } from '../little-cloud.ts';

const SECOND_MS = 1000;
const HOST = '/hosts/{id}/usage';
const INSTANCE = '/instances/{id}/usage';

interface Shown {
  readonly usedMemoryBytes: number;
  readonly cpuRatio?: number;
  readonly observedAt: string;
}

/** A machine on a host, and how to ask for what they use. */
async function used(options: Parameters<typeof MachineStage.with>[1] = {}) {
  const stage = await MachineStage.with({}, options);
  const id = await stage.machine();
  const [hostId = ''] = stage.hostIds;
  const ask = (path: string, of: string) => stage.ask('GET', path, { params: { id: of } }) as Promise<Shown>;
  return { stage, id, hostId, ask };
}

describe('What hosts and machines use', () => {
  it('is asked of the host when somebody wants to know, and no row is written for it', async () => {
    const { stage, id, hostId, ask } = await used();
    await stage.sim.run(20 * SECOND_MS);
    const before = await stage.revision();
    const first = await ask(HOST, hostId);
    expect(first).to.have.all.keys('usedMemoryBytes', 'observedAt');
    await stage.sim.run(2 * SECOND_MS);
    const [ofHost, ofMachine] = [await ask(HOST, hostId), await ask(INSTANCE, id)];
    expect([ofHost.usedMemoryBytes, ofMachine.usedMemoryBytes]).to.deep.equal([2 * GIB, GIB]);
    for (const { cpuRatio } of [ofHost, ofMachine]) expect(cpuRatio).to.be.closeTo(0.25, 0.05);
    expect(ofMachine.observedAt > first.observedAt).to.equal(true);
    expect(await stage.revision()).to.equal(before);
  });

  it('is nothing of a machine that is off, and knows no ratio of one that has just begun', async () => {
    const { stage, id, hostId, ask } = await used();
    await ask(HOST, hostId);
    await stage.sim.done('instance.stop', { force: true }, id);
    expect(await ask(INSTANCE, id)).to.include({ usedMemoryBytes: 0, cpuRatio: 0 });
    await stage.sim.run(2 * SECOND_MS);
    await ask(HOST, hostId);
    await stage.sim.done('instance.start', {}, id);
    await stage.sim.run(2 * SECOND_MS);
    expect(await ask(INSTANCE, id)).to.have.all.keys('usedMemoryBytes', 'observedAt');
  });

  it('is refused by its name where the host cannot tell, or does not answer', async () => {
    const { id, hostId, ask } = await used({ without: ['usage'] });
    expect([await codeOf(ask(HOST, hostId)), await codeOf(ask(INSTANCE, id))]).to.deep.equal(['unsupported', 'unsupported']);
    const other = await used();
    other.stage.sim.world.hosts.get('hv1')?.site.crash();
    expect(await codeOf(other.ask(INSTANCE, other.id))).to.be.oneOf(['unavailable', 'timeout']);
  });

  it('is told of all hosts every ten seconds where somebody listens', async () => {
    const { stage } = await used();
    const { services } = stage.sim.kernel;
    const told: (number | undefined)[][] = [];
    const hosts = new Hosts(services, () => undefined);
    const usages = new Usages({ ...services, hosts }, (all) => void told.push(all.map(({ usage }) => usage.cpuRatio)));
    const stop = usages.start();
    await stage.sim.run(25 * SECOND_MS);
    await stage.sim.environment.complete(stop());
    expect(told).to.have.length(3);
    const [[first], [second], [third]] = told as [number[], number[], number[]];
    expect(first).to.equal(undefined);
    for (const ratio of [second, third]) expect(ratio).to.be.closeTo(0.25, 0.05);
  });
});
