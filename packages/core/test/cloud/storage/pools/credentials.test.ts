import { expect } from 'chai';
import { pool, stray, volume } from '../../../../src/cloud/index.ts';
import { GIB, HEARTBEAT_MS, LittleCloud } from '../../little-cloud.ts';

const FIRST = { settings: { user: 'vm' }, secrets: { key: 'first' } };
const SECOND = { settings: { user: 'vm-2' }, secrets: { key: 'second' } };
const BOTH = new Map([
  ['vm', 'first'],
  ['vm-2', 'second'],
]);

async function open() {
  const cloud = await LittleCloud.open();
  const { sim, clusterId } = cloud;
  await cloud.host('hv1');
  const id = await sim.done('pool.create', { name: 'ceph', driver: 'simulated-shared', clusterId, ...FIRST });
  const there = sim.world.pools.get(id);
  if (there === undefined) throw new Error('the pool is not there');
  there.users = BOTH;
  const change = (input: object) => cloud.outcome('pool.changeCredentials', input, id);
  /** Why it was not accepted. */
  const refusal = (input: object): Promise<string> =>
    sim.submit('pool.changeCredentials', input, id).then(
      () => 'accepted',
      ({ code, pointer, publicMessage }) => `${code} ${pointer} ${publicMessage}`,
    );
  return { cloud, sim, id, there, change, refusal };
}

describe('the credentials of a pool', () => {
  it('are changed while machines run, which are given the new ones when they next open a disk', async () => {
    const { cloud, sim, id, there, change } = await open();
    await sim.done('instanceType.create', { name: 'small', vcpus: 1, memoryBytes: GIB });
    const machine = await sim.done('instance.create', { instanceType: 'small', imageId: await cloud.image(GIB / 1024) });
    const data = await cloud.volume(GIB);
    const { secrets } = sim.world.host('hv1');
    expect([...secrets.values()]).to.deep.equal(['first']);

    expect((await change(SECOND)).state).to.equal('succeeded');
    expect((await cloud.row(pool, id)).settings).to.deep.equal({ user: 'vm-2' });
    expect(sim.rows('sealed')).to.have.length(1);
    expect([...there.things.keys()].filter((key) => key.endsWith(id))).to.deep.equal([]);
    there.users = new Map([['vm-2', 'second']]);
    expect(sim.world.host('hv1').machine(machine).live).to.not.equal(undefined);

    await sim.done('instance.attachVolume', { volumeId: data }, machine);
    expect([...secrets.values()]).to.deep.equal(['second']);
    await sim.done('instance.stop', { force: true }, machine);
    await sim.done('instance.start', {}, machine);
    await cloud.volume(GIB);
    await sim.run(20 * HEARTBEAT_MS);
    expect((await cloud.row(pool, id)).status).to.equal('connected');

    // Also in the next life of the server.
    sim.crash();
    await sim.start();
    await cloud.volume(GIB);
    expect(sim.world.violations).to.deep.equal([]);
  });

  it('are given anew where no key opens those of before', async () => {
    const { cloud, sim, id, change } = await open();
    for (const { id: key } of sim.rows('sealed'))
      await sim.environment.complete(
        sim.kernel.observe([{ op: 'update', table: 'sealed', key: String(key), set: { sealed: 'bG9zdA==' } }]),
      );
    sim.crash();
    await sim.start();
    expect((await change(SECOND)).state).to.equal('succeeded');
    await cloud.volume(GIB);
    await sim.run(20 * HEARTBEAT_MS);
    expect((await cloud.row(pool, id)).status).to.equal('connected');
  });

  it('may be the key alone', async () => {
    const { cloud, id, there, change } = await open();
    there.users = undefined;
    expect((await change({ secrets: { key: 'third' } })).state).to.equal('succeeded');
    there.users = new Map([['vm', 'third']]);
    await cloud.volume(GIB);
    expect((await cloud.row(pool, id)).settings).to.deep.equal({ user: 'vm' });
  });

  for (const [what, input] of [
    ['a wrong key', { secrets: { key: 'wrong' } }],
    ['the key of another user', { secrets: { key: 'second' } }],
    ['a user that the cluster does not know', { settings: { user: 'nobody' }, secrets: { key: 'first' } }],
  ] as const)
    it(`stay as they are with ${what}, which is told before anything is changed`, async () => {
      const { cloud, sim, id, change } = await open();
      const before = await cloud.row(pool, id);
      const { state, error } = await change(input);
      expect([state, error?.code, error?.pointer]).to.deep.equal(['failed', 'conflict', '/secrets']);
      expect(error?.message).to.match(/does not know user/);
      const after = await cloud.row(pool, id);
      expect([after.settings, after.secrets]).to.deep.equal([before.settings, before.secrets]);
      expect(sim.rows('sealed')).to.have.length(1);
      await cloud.volume(GIB);
    });

  it('are of the same place: what is there must be seen with them', async () => {
    const { cloud, sim, change, there } = await open();
    const id = await cloud.volume(GIB);
    const { name } = await cloud.row(volume, id);
    const kept = there.things.get(`volume/${id}`);
    // Another tenant of the same cluster, say, with a place of the same name.
    const admit = there.admit.bind(there);
    there.admit = (user, key) => {
      admit(user, key);
      if (user === 'vm-2') there.things.delete(`volume/${id}`);
      else if (kept !== undefined) there.things.set(`volume/${id}`, kept);
    };
    const { error } = await change(SECOND);
    expect([error?.code, error?.pointer, error?.message]).to.deep.equal([
      'conflict',
      '/secrets',
      `With these credentials volume ${name} is not to be seen.`,
    ]);
    expect(sim.rows('sealed')).to.have.length(1);
  });

  for (const [what, input, told] of [
    ['nothing', {}, /^invalid_input {2}Nothing to change/],
    ['where it is', { settings: { path: 'elsewhere' } }, /^invalid_input \/settings\/path path says where simulated-shared keeps things/],
    ['what the driver does not have', { secrets: { colour: 'red' } }, /^invalid_input \/secrets\/colour /],
    ['a key among what is shown', { settings: { key: 'k' } }, /^invalid_input \/settings\/key key belongs to secrets/],
    ['a user that the driver cannot use', { settings: { user: 'v m' } }, /^invalid_input \/settings\/user /],
  ] as const)
    it(`are refused with ${what}`, async () => {
      const { refusal } = await open();
      expect(await refusal(input)).to.match(told);
    });

  it('of a pool that has none cannot be changed', async () => {
    const { cloud, sim } = await open();
    const plain = await cloud.pool(await cloud.host('hv2'));
    const error = await sim.submit('pool.changeCredentials', { secrets: { key: 'k' } }, plain).catch((cause) => cause);
    expect(error.pointer).to.equal('/secrets/key');
  });

  it('go with each call: what is under way ends with those that it began with', async () => {
    const { cloud, sim, id, there } = await open();
    const slow = sim.world.faults.add({ command: 'volumes.create', effect: 'delay', delayMs: 5 * HEARTBEAT_MS });
    const { operationId } = await sim.submit('volume.create', { sizeBytes: GIB });
    await sim.run(HEARTBEAT_MS);
    slow();
    const opened = await sim.done('pool.changeCredentials', SECOND, id);
    expect(opened).to.equal(id);
    expect((await sim.ended(operationId)).state).to.equal('succeeded');
    expect([...there.things.keys()]).to.have.length(1);
    await cloud.volume(GIB);
  });

  it('leave nothing of the trial, also when its answer was lost and it lands late', async () => {
    const { cloud, sim, id, there, change } = await open();
    sim.world.faults.add({ command: 'seeds.put', effect: 'late', delayMs: 30 * HEARTBEAT_MS, times: 1 });
    await change(SECOND);
    const landed = () => there.things.has(`seed/${id}`);
    for (let looks = 0; looks < 100 && !landed(); looks += 1) await sim.run(HEARTBEAT_MS);
    expect(landed()).to.equal(true);
    await sim.run(20 * HEARTBEAT_MS);
    expect(landed()).to.equal(false);
    expect(await cloud.rows(stray)).to.deep.equal([]);
  });

  it('that were asked for twice at once are those of one of the two', async () => {
    const { cloud, sim, id } = await open();
    const first = await sim.submit('pool.changeCredentials', SECOND, id);
    const second = await sim.submit('pool.changeCredentials', FIRST, id);
    expect((await sim.ended(first.operationId)).state).to.equal('succeeded');
    const { state, error } = await sim.ended(second.operationId);
    expect([state, error?.code]).to.deep.equal(['failed', 'conflict']);
    expect((await cloud.row(pool, id)).settings).to.deep.equal({ user: 'vm-2' });
    expect(sim.rows('sealed')).to.have.length(1);
  });
});
