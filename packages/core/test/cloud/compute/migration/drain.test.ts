import { expect } from 'chai';
import { host, instance } from '../../../../src/cloud/index.ts';
import { isFinished, operation } from '../../../../src/kernel/index.ts';
import { LOST_MS, MachineStage } from '../machine-stage.ts';

const COPY_MS = 5000;
const LOOK_MS = 500;

/** Hosts that share a pool of class `shared` and a network, and machines on the first of them. */
async function open(machines: number, setting: object = { hosts: 3, cpus: 64 }) {
  const stage = await MachineStage.with({ network: false, ...setting }, { world: { transferMs: COPY_MS } });
  const { sim, hostIds, clusterId } = stage;
  await sim.done('pool.create', { name: 'shared', driver: 'simulated-shared', clusterId, storageClass: 'shared' });
  const networkId = await sim.done('network.create', { name: 'wide', driver: 'simulated-shared', subnets: [{ cidr: '10.9.0.0/24' }] });
  const machine = () => stage.machine({ hostId: hostIds[0], rootVolume: { storageClass: 'shared' }, nics: [{ networkId }] });
  const ids: string[] = [];
  for (let index = 0; index < machines; index += 1) ids.push(await machine());
  const [first = ''] = hostIds;
  const states = async () => (await stage.rows(instance)).map(({ hostId, state }) => `${hostId === first ? 'here' : 'elsewhere'} ${state}`);
  const countOf = async (state: string) => (await states()).filter((each) => each === state).length;
  const stateOfHost = async () => (await stage.row(host, first)).state;
  /** All of a drain, with the most machines that were on their way at once. */
  const drained = async (operationId: string) => {
    let most = 0;
    while (!isFinished(await stage.row(operation, operationId))) {
      await sim.run(LOOK_MS);
      const rows = await stage.rows(instance);
      most = Math.max(most, rows.filter(({ migratingToHostId }) => migratingToHostId !== undefined).length);
    }
    return { most, ...(await stage.row(operation, operationId)) };
  };
  /** A machine whose turn has not come. */
  const waiting = async () => {
    const row = (await stage.rows(instance)).find(
      (each) => each.hostId === first && each.state === 'running' && each.migratingToHostId === undefined,
    );
    return row?.id ?? '';
  };
  const oneCopyEach = () => expect([ids.map((id) => stage.copies(id)), sim.world.violations]).to.deep.equal([ids.map(() => 1), []]);
  return { stage, sim, first, ids, machine, countOf, stateOfHost, drained, waiting, oneCopyEach };
}

describe('a host that is drained', () => {
  it('lets fifty machines go, a few at once, keeps what is stopped, and is in maintenance then', async () => {
    const { stage, sim, first, ids, countOf, stateOfHost, drained, oneCopyEach } = await open(50);
    const [stopped = ''] = ids;
    await stage.into('stopped', stopped);
    const plan = await sim.environment.complete(
      sim.kernel.rehearse({ action: 'host.drain', input: {}, principal: sim.principal, resourceId: first }),
    );
    expect([
      plan.accepted,
      (plan.notes as unknown as { readonly plan: { readonly machines: readonly string[] } }).plan.machines.length,
    ]).to.deep.equal([true, 49]);
    const { operationId } = await sim.submit('host.drain', {}, first);
    const { state, most } = await drained(operationId);
    expect({ state, most }).to.deep.equal({ state: 'succeeded', most: 4 });
    expect([await stateOfHost(), await countOf('elsewhere running'), await countOf('here stopped')]).to.deep.equal(['maintenance', 49, 1]);
    expect(await stage.taken(first)).to.deep.equal([1, 2 ** 30]);
    oneCopyEach();
    const parts = (await stage.rows(operation)).filter(({ causeId }) => causeId === operationId);
    expect(parts.map(({ action, state: end }) => `${action} ${end}`)).to.deep.equal(Array(49).fill('instance.migrate succeeded'));
    const { operationId: again } = await sim.submit('host.drain', {}, first);
    expect((await sim.ended(again)).state).to.equal('succeeded');
    await sim.done('host.enable', {}, first);
    await sim.done('instance.migrate', { hostId: first }, ids[1]);
  });

  it('is as it was when that is cancelled, and what has gone over stays there', async () => {
    const { stage, sim, first, countOf, stateOfHost, drained, oneCopyEach } = await open(12);
    const { operationId } = await sim.submit('host.drain', {}, first);
    while ((await countOf('elsewhere running')) < 4) await sim.run(LOOK_MS);
    expect(await stateOfHost()).to.equal('disabled');
    await sim.environment.complete(sim.kernel.operations.cancel(operationId));
    expect((await drained(operationId)).state).to.equal('cancelled');
    const gone = await countOf('elsewhere running');
    expect([await stateOfHost(), await countOf('here running'), gone < 12]).to.deep.equal(['enabled', 12 - gone, true]);
    expect((await stage.rows(instance)).filter(({ migratingToHostId }) => migratingToHostId !== undefined)).to.deep.equal([]);
    expect((await stage.rows(operation)).filter((row) => !isFinished(row))).to.deep.equal([]);
    oneCopyEach();
    await sim.done('host.drain', {}, first);
    expect([await stateOfHost(), await countOf('elsewhere running')]).to.deep.equal(['maintenance', 12]);
    oneCopyEach();
  });

  it('stays in use when the others have no room for all, and names the machine that finds none', async () => {
    const { stage, sim, first, countOf, stateOfHost, drained, oneCopyEach } = await open(3, {
      hosts: 2,
      cpus: 4,
      cluster: { vcpuOvercommit: 1 },
    });
    for (let more = 0; more < 3; more += 1) await stage.machine({ hostId: stage.hostIds[1], rootVolume: { storageClass: 'shared' } });
    const { operationId } = await sim.submit('host.drain', {}, first);
    const { state, error } = await drained(operationId);
    expect([state, error?.code]).to.deep.equal(['failed', 'no_capacity']);
    expect(error?.message).to.match(/^Instance vm-\d did not leave the host: /);
    expect(await stateOfHost()).to.equal('enabled');
    expect(await countOf('here running')).to.equal(2);
    oneCopyEach();
  });

  it('waits for a machine that is being made there, and goes on without one that was stopped or deleted meanwhile', async () => {
    const { stage, sim, first, ids, countOf, stateOfHost } = await open(8);
    const { operationId: making } = await sim.submit('instance.create', {
      ...{ name: 'late', imageId: stage.imageId, instanceType: 'small', hostId: first, rootVolume: { storageClass: 'shared' } },
    });
    const { operationId } = await sim.submit('host.drain', {}, first);
    while ((await countOf('elsewhere running')) < 1) await sim.run(LOOK_MS);
    await sim.done('instance.stop', { force: true }, ids[6]);
    await sim.done('instance.delete', {}, ids[7]);
    expect([(await sim.ended(making)).state, (await sim.ended(operationId)).state]).to.deep.equal(['succeeded', 'succeeded']);
    expect([await stateOfHost(), await countOf('here running'), await countOf('elsewhere running')]).to.deep.equal(['maintenance', 0, 7]);
  });

  it('is refused where machines cannot leave it, each with its reason', async () => {
    const { stage, first, ids, machine } = await open(2);
    await stage.into('suspended', ids[0] ?? '');
    const bound = await stage.machine({ hostId: first });
    await machine();
    const refused = await stage.refusal('host.drain', {}, first);
    expect(refused.code).to.equal('in_use');
    expect(refused.publicMessage).to.match(/^2 of 4 machines cannot leave the host\. Instance vm-\d is suspended: resume or stop it\.$/);
    const { blockers } = refused.params as { readonly blockers: readonly { readonly id: string; readonly reason: string }[] };
    expect(blockers.map(({ id }) => id)).to.have.members([ids[0], bound]);
    expect(blockers.find(({ id }) => id === bound)?.reason).to.contain('It lies in pool');
  });

  it('sends what is started there meanwhile after the others, and lets nothing come about there that could not be sent', async () => {
    const { stage, sim, first, ids, countOf, stateOfHost, waiting, oneCopyEach } = await open(8);
    const [restarted = ''] = ids;
    await stage.into('stopped', restarted);
    const bound = await stage.into('stopped', await stage.machine({ hostId: first }));
    const { operationId } = await sim.submit('host.drain', {}, first);
    while ((await countOf('elsewhere running')) < 1) await sim.run(LOOK_MS);
    await sim.done('instance.start', {}, restarted);
    const waits = await waiting();
    const refused = await stage.refusal('instance.start', {}, bound);
    expect(refused.publicMessage).to.match(/^The host of instance vm-\d is being drained, which it cannot leave: /);
    expect((refused.params as { readonly blockers: readonly unknown[] }).blockers).to.have.lengthOf(1);
    expect((await stage.refusal('instance.suspend', {}, waits)).publicMessage).to.match(
      /^The host of instance vm-\d is being drained: suspend it /,
    );
    expect((await sim.ended(operationId)).state).to.equal('succeeded');
    expect([await stateOfHost(), await countOf('elsewhere running'), await countOf('here stopped')]).to.deep.equal(['maintenance', 8, 1]);
    await sim.done('instance.suspend', {}, waits);
    oneCopyEach();
  });

  it('waits for what else is under way with a machine, and is not given up for it', async () => {
    const { stage, sim, first, countOf, stateOfHost, waiting, oneCopyEach } = await open(12);
    const { operationId } = await sim.submit('host.drain', {}, first);
    while ((await countOf('elsewhere running')) < 1) await sim.run(LOOK_MS);
    const { operationId: byHand } = await sim.submit('instance.migrate', { hostId: stage.hostIds[2] }, await waiting());
    expect([(await sim.ended(operationId)).state, (await sim.ended(byHand)).state]).to.deep.equal(['succeeded', 'succeeded']);
    expect([await stateOfHost(), await countOf('elsewhere running')]).to.deep.equal(['maintenance', 12]);
    oneCopyEach();
  });

  it('sends a machine to another host when the one that it was going to is lost, or taken out of use as well', async () => {
    const { stage, sim, first, countOf, stateOfHost, oneCopyEach } = await open(6, { hosts: 4, cpus: 64 });
    const { operationId } = await sim.submit('host.drain', {}, first);
    while ((await stage.rows(instance)).every(({ migratingToHostId }) => migratingToHostId !== stage.hostIds[1])) await sim.run(LOOK_MS);
    sim.world.crash('hv2');
    const { operationId: other } = await sim.submit('host.drain', {}, stage.hostIds[2]);
    expect([(await sim.ended(operationId)).state, (await sim.ended(other)).state]).to.deep.equal(['succeeded', 'succeeded']);
    expect([await stateOfHost(), await countOf('elsewhere running')]).to.deep.equal(['maintenance', 6]);
    expect((await stage.rows(instance)).map(({ hostId }) => hostId)).to.deep.equal(Array(6).fill(stage.hostIds[3]));
    sim.world.boot('hv2');
    await sim.run(LOST_MS);
    oneCopyEach();
  });

  it('is drained by the second who asked when the first gives up', async () => {
    const { sim, first, ids, countOf, stateOfHost, oneCopyEach } = await open(8);
    const { operationId } = await sim.submit('host.drain', {}, first);
    while ((await countOf('elsewhere running')) < 1) await sim.run(LOOK_MS);
    const { operationId: second } = await sim.submit('host.drain', {}, first);
    await sim.environment.complete(sim.kernel.operations.cancel(operationId));
    expect([(await sim.ended(operationId)).state, (await sim.ended(second)).state]).to.deep.equal(['cancelled', 'succeeded']);
    expect([await stateOfHost(), await countOf('elsewhere running')]).to.deep.equal(['maintenance', ids.length]);
    oneCopyEach();
  });

  it('is refused where the host does not answer', async () => {
    const { stage, sim, first } = await open(1);
    sim.world.crash('hv1');
    await sim.run(LOST_MS);
    expect((await stage.refusal('host.drain', {}, first)).publicMessage).to.equal(
      'Host hv1 is out of reach. If it is lost, its machines can be evacuated.',
    );
  });
});
