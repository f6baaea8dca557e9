import { expect } from 'chai';
import type { CloudError } from '../../../src/kernel/index.ts';
import { machine, type SmallCloud, smallCloud } from '../small-cloud.ts';

const HOUR_MS = 3600_000;

/** A machine with a root disk of its own, one that goes with it, one that does not, and a NIC. */
async function deletedMachine(trashMs = 24 * HOUR_MS, onTrace: (line: string) => void = () => undefined) {
  const at = await smallCloud({ presets: { 'trash.retentionSeconds': trashMs / 1000 }, onTrace });
  const { sim } = at;
  const id = await sim.done('instance.create', machine(at));
  const lasting = await sim.done('volume.create', { name: 'lasting', sizeBytes: 8192, poolId: at.poolId });
  await sim.done('instance.attachVolume', { volumeId: lasting }, id);
  const counters = sim.counters();
  await sim.done('instance.delete', {}, id);
  return { ...at, id, lasting, counters };
}

const states = ({ sim }: SmallCloud) =>
  ['instance', 'nic', 'volume'].flatMap((kind) => sim.rows(kind).map((row) => `${kind} ${String(row.state)}`)).sort();
const refusal = (asked: Promise<unknown>) =>
  asked.then(
    () => undefined,
    (error: CloudError) => error,
  );

describe('the trash', () => {
  it('takes a machine with all it owns off its host, and keeps its name, its place and its quota', async () => {
    const at = await deletedMachine();
    const { sim, id, counters } = at;
    expect(states(at)).to.deep.equal(['instance trashed', 'nic trashed', 'volume available', 'volume trashed']);
    expect(sim.row('instance', id)?.trash).to.deep.include({ rootId: id, from: 'running' });
    expect(sim.counters()).to.deep.equal(counters);
    const { machines, stored } = JSON.parse(sim.world.snapshot()) as { machines: object[]; stored: { kind: string }[] };
    expect(machines).to.deep.equal([]);
    expect(stored.filter(({ kind }) => kind === 'volume')).to.have.length(2);
    const refused = { pointer: '/name', params: { field: 'name', kind: 'instance', state: 'trashed' } };
    expect(await refusal(sim.submit('instance.create', machine(at)))).to.deep.include({ code: 'name_taken', ...refused });
    const other = await sim.done('instance.create', { ...machine(at), name: 'other' });
    const { name } = sim.row('instance', id) as { name: string };
    expect(await refusal(sim.submit('instance.update', { name }, other))).to.deep.include({ code: 'name_taken', ...refused });
    await sim.done('instance.delete', { force: true }, other);
    await sim.run(2 * HOUR_MS);
    expect(states(at), 'looks leave it alone').to.deep.equal(['instance trashed', 'nic trashed', 'volume available', 'volume trashed']);
  });

  it('gives the whole set back, off and ready to start', async () => {
    const at = await deletedMachine();
    const { sim, id, counters } = at;
    const before = sim.rows('nic').map(({ address, mac }) => ({ address, mac }));
    await sim.done('instance.recover', {}, id);
    expect(states(at)).to.deep.equal(['instance stopped', 'nic attached', 'volume attached', 'volume available']);
    expect(sim.row('instance', id)).to.include({ desiredPower: 'stopped' }).and.not.to.have.property('trash');
    expect(sim.rows('nic').map(({ address, mac }) => ({ address, mac }))).to.deep.equal(before);
    expect(sim.counters()).to.deep.equal(counters);
    await sim.run(60_000);
    await sim.done('instance.start', {}, id);
    await sim.run(60_000);
    expect(sim.row('instance', id)).to.include({ state: 'running' });
    await sim.done('instance.recover', {}, id);
  });

  it('keeps nothing for an hour that gets there when there is no trash any more', async () => {
    const at = await smallCloud({ presets: { 'trash.retentionSeconds': 86_400 } });
    const { sim } = at;
    const id = await sim.done('instance.create', machine(at));
    sim.world.faults.add({ command: 'machines.remove', times: 1, effect: 'delay', delayMs: 20_000 });
    const { operationId } = await sim.submit('instance.delete', {}, id);
    await sim.run(5000);
    await sim.done('settingValue.set', { key: 'trash.retentionSeconds', value: 0 });
    expect(sim.row('instance', id)).to.include({ state: 'deleting' });
    expect((await sim.ended(operationId)).state).to.equal('succeeded');
    expect(states(at)).to.deep.equal(['instance trashed', 'nic trashed', 'volume trashed']);
    await sim.run(120_000);
    expect(states(at)).to.deep.equal([]);
  });

  it('gives nothing back while the host is away, and says why', async () => {
    const at = await deletedMachine();
    at.sim.world.crash('hv1');
    await at.sim.run(60_000);
    const { operationId } = await at.sim.submit('instance.recover', {}, at.id);
    const { state, error } = await at.sim.ended(operationId);
    expect([state, error?.code, error?.message]).to.deep.equal([
      'failed',
      'unavailable',
      'Its host is out of reach; it can be recovered when the host is back.',
    ]);
    expect(states(at)).to.deep.equal(['instance trashed', 'nic trashed', 'volume available', 'volume trashed']);
  });

  it('lets nothing of a set go alone', async () => {
    const { sim, id } = await deletedMachine();
    const root = String(sim.rows('volume').find(({ state }) => state === 'trashed')?.id);
    for (const verb of ['recover', 'expunge']) {
      const error = await refusal(sim.submit(`volume.${verb}`, {}, root));
      expect(error).to.include({ code: 'conflict', publicMessage: 'It was deleted with instance vm-1; recover or expunge that.' });
      expect(error?.params).to.deep.equal({ kind: 'instance', id, name: 'vm-1' });
    }
  });

  it('is passed by when asked to, by force, and where there is none', async () => {
    for (const [trashMs, input] of [
      [HOUR_MS, { permanent: true }],
      [HOUR_MS, { force: true }],
      [0, {}],
    ] as const) {
      const at = await smallCloud({ presets: { 'trash.retentionSeconds': trashMs / 1000 } });
      const id = await at.sim.done('instance.create', machine(at));
      await at.sim.done('instance.delete', input, id);
      expect(states(at)).to.deep.equal([]);
    }
  });

  it('holds what is deleted twice once, and deletes it for good when asked to', async () => {
    const at = await deletedMachine();
    await at.sim.done('instance.delete', {}, at.id);
    expect(states(at)).to.include('instance trashed');
    await at.sim.done('instance.delete', { permanent: true }, at.id);
    expect(states(at)).to.deep.equal(['volume available']);
  });

  it('is emptied when the time is over, and what is recovered before stays', async () => {
    const at = await deletedMachine(HOUR_MS);
    await at.sim.run(HOUR_MS / 2);
    await at.sim.done('instance.recover', {}, at.id);
    await at.sim.run(HOUR_MS);
    expect(states(at)).to.include('instance stopped');
    await at.sim.done('instance.delete', {}, at.id);
    await at.sim.run(HOUR_MS / 2);
    expect(states(at)).to.include('instance trashed');
    await at.sim.run(HOUR_MS);
    expect(states(at)).to.deep.equal(['volume available']);
    expect(at.sim.row('instance', at.id)).to.include({ state: 'deleted' });
  });

  it('asks for nothing while it waits: what is under way takes it along', async () => {
    const at = await deletedMachine(HOUR_MS);
    const { sim } = at;
    const heal = sim.world.faults.add({ command: 'volumes.delete', effect: 'fail', fault: 'unavailable' });
    await sim.submit('volume.delete', { permanent: true }, at.lasting);
    const { operationId } = await sim.submit('host.delete', { recursive: true }, at.hostId);
    await sim.run(5 * HOUR_MS);
    expect(sim.rows('operation').filter(({ action }) => action === 'instance.expunge')).to.deep.equal([]);
    heal();
    expect((await sim.ended(operationId)).state).to.equal('succeeded');
    expect(states(at)).to.deep.equal([]);
  });

  it('keeps what its things stand on', async () => {
    const at = await deletedMachine();
    const error = await refusal(at.sim.submit('network.delete', {}, at.networkId));
    expect(error?.code).to.equal('in_use');
    await at.sim.done('instance.expunge', {}, at.id);
    await at.sim.done('network.delete', {}, at.networkId);
  });

  it('takes a machine that is defined late off its host again', async () => {
    const trace: string[] = [];
    const at = await deletedMachine(24 * HOUR_MS, (line) => trace.push(line));
    const { sim, id } = at;
    const machines = () => (JSON.parse(sim.world.snapshot()) as { machines: object[] }).machines;
    sim.world.faults.add({ command: 'machines.define', times: 1, effect: 'late', delayMs: 60_000 });
    await sim.done('instance.recover', {}, id);
    await sim.done('instance.delete', {}, id);
    expect(machines()).to.deep.equal([]);
    expect(trace.filter((line) => line.endsWith('machines.define lands'))).to.have.length(2);
    await sim.run(180_000);
    expect(trace.filter((line) => line.endsWith('machines.define lands'))).to.have.length(3);
    expect(machines()).to.deep.equal([]);
    expect(states(at)).to.include('instance trashed');
  });
});
