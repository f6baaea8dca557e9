import { expect } from 'chai';
import { placementGroup } from '../../../../src/cloud/index.ts';
import { MachineStage } from '../machine-stage.ts';

const COPY_MS = 5000;

/** Hosts that share a pool, a group, and its first member on the first of them. */
async function open(policy: string, { hosts = 3, more = {} }: { readonly hosts?: number; readonly more?: object } = {}) {
  const stage = await MachineStage.with({ hosts, network: false }, { world: { transferMs: COPY_MS } });
  const { sim, hostIds } = stage;
  await sim.done('pool.create', { name: 'shared', driver: 'simulated-shared', clusterId: stage.clusterId, storageClass: 'shared' });
  const groupId = await sim.done('placementGroup.create', { name: 'group', policy, ...more });
  const request = (where: object = {}) => stage.input({ rootVolume: { storageClass: 'shared' }, placementGroupId: groupId, ...where });
  const id = await sim.done('instance.create', request({ hostId: hostIds[0] }));
  const number = async (instanceId: string) => hostIds.indexOf((await stage.instance(instanceId)).hostId ?? ('' as never)) + 1;
  /** Members by the number of the host. */
  const seats = () =>
    Object.fromEntries(
      hostIds.flatMap((hostId, index) => {
        const count = sim.counters().find(({ key }) => key === `placement/group/${groupId}/${hostId}`)?.value ?? 0;
        return count === 0 ? [] : [[index + 1, count]];
      }),
    );
  /** In the middle of the way to the second host. */
  const onItsWay = async () => {
    const { operationId } = await sim.submit('instance.migrate', { hostId: hostIds[1] }, id);
    await sim.run(COPY_MS / 2);
    return operationId;
  };
  const cancel = async (operationId: string) => {
    await sim.environment.complete(sim.kernel.operations.cancel(operationId));
    expect((await sim.ended(operationId)).state).to.equal('cancelled');
  };
  return { stage, sim, hostIds, groupId, id, request, number, seats, onItsWay, cancel };
}

describe('a member of a group that goes to another host', () => {
  it('keeps both of its places from those that stay apart, and comes back to its own', async () => {
    const { sim, request, number, seats, id, onItsWay, cancel } = await open('antiAffinity', { hosts: 4 });
    const operationId = await onItsWay();
    expect(seats()).to.deep.equal({ 1: 1, 2: 1 });
    const others = [await sim.done('instance.create', request()), await sim.done('instance.create', request())];
    expect((await Promise.all(others.map(number))).sort()).to.deep.equal([3, 4]);
    await cancel(operationId);
    expect(await number(id)).to.equal(1);
    expect(seats()).to.deep.equal({ 1: 1, 3: 1, 4: 1 });
    const second = await sim.done('instance.create', request());
    expect([await number(second), seats()]).to.deep.equal([2, { 1: 1, 2: 1, 3: 1, 4: 1 }]);
  });

  it('leaves its place to others once it has gone', async () => {
    const { sim, request, number, seats, hostIds, id, onItsWay } = await open('antiAffinity', { hosts: 2 });
    const operationId = await onItsWay();
    const early = await sim.submit('instance.create', request()).then(
      () => 'accepted',
      ({ code }: { code: string }) => code,
    );
    expect(early).to.equal('no_capacity');
    expect((await sim.ended(operationId)).state).to.equal('succeeded');
    expect([await number(id), seats()]).to.deep.equal([2, { 2: 1 }]);
    const next = await sim.done('instance.create', request({ hostId: hostIds[0] }));
    expect([await number(next), seats()]).to.deep.equal([1, { 1: 1, 2: 1 }]);
  });

  it('has nobody go with it before it is there, and those that stay together after it', async () => {
    const { stage, sim, groupId, request, number, seats, hostIds, id, onItsWay, cancel } = await open('affinity');
    for (const hostId of [undefined, ...hostIds]) {
      const operationId = await onItsWay();
      expect(seats()).to.deep.equal({ 1: 1, 2: 1 });
      const refused = await stage.refusal('instance.create', request(hostId === undefined ? {} : { hostId }));
      expect(refused.code).to.equal('no_capacity');
      expect(JSON.stringify(refused.params)).to.contain('has to wait: the member of its group is on its way to another host');
      await cancel(operationId);
      expect([seats(), (await stage.row(placementGroup, groupId)).domain]).to.deep.equal([{ 1: 1 }, hostIds[0]]);
    }
    await sim.done('instance.migrate', { hostId: hostIds[1] }, id);
    expect([seats(), (await stage.row(placementGroup, groupId)).domain]).to.deep.equal([{ 2: 1 }, hostIds[1]]);
    const next = await sim.done('instance.create', request());
    expect([await number(next), seats()]).to.deep.equal([2, { 2: 2 }]);
    expect((await stage.refusal('instance.migrate', { hostId: hostIds[2] }, id)).code).to.equal('no_capacity');
    expect(seats()).to.deep.equal({ 2: 2 });
  });

  it('has one place all the time where it stays in its failure domain', async () => {
    const { stage, sim, request, hostIds, id, onItsWay, cancel } = await open('antiAffinity', { more: { over: 'cluster' } });
    const members = () => sim.counters().flatMap(({ key, value }) => (key.startsWith('placement/group/') ? [value] : []));
    const operationId = await onItsWay();
    expect(members()).to.deep.equal([1]);
    await cancel(operationId);
    expect(members()).to.deep.equal([1]);
    await sim.done('instance.migrate', { hostId: hostIds[1] }, id);
    expect(members()).to.deep.equal([1]);
    expect((await stage.refusal('instance.create', request())).code).to.equal('no_capacity');
    await sim.done('instance.delete', { permanent: true }, id);
    expect(members().filter((value) => value !== 0)).to.deep.equal([]);
  });
});
