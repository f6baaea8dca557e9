import { expect } from 'chai';
import fc from 'fast-check';
import { instance, nic, volume } from '../../../src/cloud/index.ts';
import { ERROR_CODES, operation } from '../../../src/kernel/index.ts';
import { codeOf, GIB } from '../little-cloud.ts';
import { MachineStage, SSH_KEY } from './machine-stage.ts';

const NOBODY = '00000000-0000-7000-8000-00000000dead';

describe('the creation of a machine', () => {
  it('makes it with its root disk and starts it', async () => {
    const stage = await MachineStage.with();
    const id = await stage.machine({ nics: [{ networkId: stage.networkId }], sshKeys: [`${SSH_KEY} me\n`] });
    const row = await stage.instance(id);
    expect(row).to.include({ state: 'running', desiredPower: 'running', hostname: row.name, vcpus: 1, memoryBytes: GIB, vcpusMax: 4 });
    const { spec, power } = stage.real(id);
    expect(power).to.equal('running');
    expect(spec.disks.map((disk) => disk.slot)).to.deep.equal([0]);
    expect(row.sshKeys).to.deep.equal([`${SSH_KEY} me`]);
    expect(spec.seed).to.include({ type: 'file' });
    const [root] = await stage.disks(id);
    expect(root).to.include({ state: 'attached', sizeBytes: 4096, deleteWithInstance: true, imageId: stage.imageId, slot: 0 });
    const [port] = await stage.nics(id);
    expect(port).to.include({ state: 'attached', address: '10.0.0.2' });
    expect(spec.nics[0]).to.include({ mac: port?.mac, nicId: port?.id });
  });

  it('takes more disks, disks that are there, addresses of choice, limits, and leaves it stopped', async () => {
    const stage = await MachineStage.with();
    const spare = await stage.volume(8192, { name: 'spare' });
    const id = await stage.machine({
      start: false,
      hostname: 'web',
      rootVolume: { name: 'root', sizeBytes: 16_384, deleteWithInstance: false, limits: { iopsPerSecond: 100 } },
      volumes: [{ name: 'data', sizeBytes: 8192, deleteWithInstance: true }],
      attachVolumeIds: [spare],
      nics: [{ networkId: stage.networkId, address: '10.0.0.77', limits: { inboundBytesPerSecond: 5000 } }, { networkId: stage.networkId }],
    });
    expect(await stage.instance(id)).to.include({ state: 'stopped', desiredPower: 'stopped', hostname: 'web' });
    const { spec, power } = stage.real(id);
    expect(power).to.equal('stopped');
    expect((await stage.disks(id)).map(({ name, slot, sizeBytes }) => [name, slot, sizeBytes])).to.deep.equal([
      ['root', 0, 16_384],
      ['data', 1, 8192],
      ['spare', 2, 8192],
    ]);
    expect(spec.disks.map(({ slot, limits }) => [slot, limits?.iopsPerSecond])).to.deep.equal([
      [0, 100],
      [1, undefined],
      [2, undefined],
    ]);
    expect((await stage.nics(id)).map(({ address, slot }) => [address, slot])).to.deep.equal([
      ['10.0.0.77', 0],
      ['10.0.0.2', 1],
    ]);
    expect(spec.nics[0]?.limits).to.deep.equal({ inboundBytesPerSecond: 5000 });
    await stage.sim.done('instance.delete', {}, id);
    const left = (await stage.rows(volume)).map(({ name, state, slot }) => [name, state, slot]);
    expect(left).to.have.deep.members([
      ['root', 'available', undefined],
      ['spare', 'available', undefined],
    ]);
  });

  it('tells by their names which of its parts are on different hosts', async () => {
    const stage = await MachineStage.with({ hosts: 2 });
    const there = await stage.volume(8192, { poolId: stage.poolIds[1] });
    const spec = { attachVolumeIds: [there], nics: [{ networkId: stage.networkId }] };
    expect((await stage.refusal('instance.create', stage.input(spec))).message).to.equal(
      `Each of these is on a host of its own, and a machine is on one: network ${stage.sim.row('network', stage.networkId)?.name}, a disk in pool ${stage.sim.row('pool', stage.poolIds[1] ?? '')?.name}.`,
    );
  });

  it('is refused with the field at fault, and changes nothing', async () => {
    const stage = await MachineStage.with({ hosts: 2 });
    const here = await stage.volume(8192, { poolId: stage.poolIds[0] });
    const there = await stage.volume(8192, { poolId: stage.poolIds[1] });
    const user = await stage.machine({
      name: 'taken',
      attachVolumeIds: [await stage.volume(8192, { name: 'used', poolId: stage.poolIds[0] })],
    });
    const used = (await stage.disks(user))[1]?.id;
    await stage.machine({ nics: [{ networkId: stage.networkId, address: '10.0.0.9' }] });
    const empty = await stage.sim.done('image.create', { name: 'empty' });
    const net = { networkId: stage.networkId };
    const table: readonly (readonly [object, string, string | undefined])[] = [
      [{ instanceType: 'none' }, 'not_found', '/instanceType'],
      [{ imageId: NOBODY }, 'not_found', '/imageId'],
      [{ imageId: 'x' }, 'invalid_input', '/imageId'],
      [{ imageId: empty }, 'conflict', '/imageId'],
      [{ name: 'taken' }, 'name_taken', '/name'],
      [{ name: 'Not a name' }, 'invalid_input', '/name'],
      [{ hostname: '-' }, 'invalid_input', '/hostname'],
      [{ hostId: NOBODY }, 'not_found', '/hostId'],
      [{ rootVolume: { sizeBytes: 100 } }, 'invalid_input', '/rootVolume/sizeBytes'],
      [{ volumes: [{ sizeBytes: 0 }] }, 'invalid_input', '/volumes/0/sizeBytes'],
      [{ volumes: [{ sizeBytes: 513 }] }, 'invalid_input', '/volumes/0/sizeBytes'],
      [{ rootVolume: { sizeBytes: 8193 } }, 'invalid_input', '/rootVolume/sizeBytes'],
      [{ volumes: [{ sizeBytes: 2 ** 53 }] }, 'invalid_input', '/volumes/0/sizeBytes'],
      [{ volumes: [{ sizeBytes: 8192, storageClass: 'gold' }] }, 'no_capacity', '/volumes/0/storageClass'],
      [{ volumes: [{ sizeBytes: 2 ** 50 }] }, 'no_capacity', undefined],
      [{ attachVolumeIds: [here, NOBODY] }, 'not_found', '/attachVolumeIds/1'],
      [{ attachVolumeIds: [used] }, 'conflict', '/attachVolumeIds/0'],
      [{ attachVolumeIds: [here, there] }, 'conflict', undefined],
      [{ attachVolumeIds: [there], nics: [net] }, 'conflict', undefined],
      [{ attachVolumeIds: [here], volumes: Array(16).fill({ sizeBytes: 512 }) }, 'invalid_input', '/attachVolumeIds'],
      [{ nics: [{}] }, 'invalid_input', '/nics/0'],
      [{ nics: [net, { networkId: NOBODY }] }, 'not_found', '/nics/1/networkId'],
      [{ nics: [{ subnetId: NOBODY }] }, 'not_found', '/nics/0/subnetId'],
      [{ nics: [{ ...net, address: '10.0.1.1' }] }, 'invalid_input', '/nics/0/address'],
      [{ nics: [{ ...net, address: '10.0.0.1' }] }, 'invalid_input', '/nics/0/address'],
      [{ nics: [{ ...net, address: 'fd00::1' }] }, 'invalid_input', '/nics/0/address'],
      [{ nics: [{ ...net, address: '10.0.0.9' }] }, 'name_taken', '/nics/0/address'],
      [
        {
          nics: [
            { ...net, address: '10.0.0.5' },
            { ...net, address: '10.0.0.5' },
          ],
        },
        'invalid_input',
        '/nics/1/address',
      ],
      [{ nics: Array(9).fill(net) }, 'invalid_input', '/nics'],
      [{ start: 'yes' }, 'invalid_input', '/start'],
      [{ sshKeys: [SSH_KEY, 'zzz'] }, 'invalid_input', '/sshKeys/1'],
      [{ colour: 'red' }, 'invalid_input', '/colour'],
    ];
    for (const [more, code, pointer] of table) {
      const error = await stage.refusal('instance.create', stage.input(more));
      expect([error.code, error.pointer], JSON.stringify(more)).to.deep.equal([code, pointer]);
    }
  });

  it('answers every malformed input with a typed error and changes nothing', async () => {
    const stage = await MachineStage.with();
    const good = stage.input({
      rootVolume: { sizeBytes: 8192 },
      volumes: [{ sizeBytes: 512, deleteWithInstance: true }],
      nics: [{ networkId: stage.networkId }],
    }) as Record<string, unknown>;
    const fields = [...Object.keys(good), 'hostname', 'hostId', 'sshKeys', 'userData', 'attachVolumeIds', 'start', 'description'];
    const broken = fc
      .tuple(
        fc.constantFrom(...fields),
        fc.oneof(fc.jsonValue(), fc.constantFrom(Number.NaN, 1e300, -1, 2 ** 53, '', '\0', NOBODY, [[]], [{}])),
      )
      .map(([field, value]): unknown => ({ ...good, [field]: value }));
    const inputs = fc.sample(fc.oneof({ weight: 4, arbitrary: broken }, { weight: 1, arbitrary: fc.jsonValue() }), {
      numRuns: 400,
      seed: 7,
    });
    const residue = await stage.sim.residue();
    let refused = 0;
    for (const input of inputs) {
      const revision = await stage.revision();
      const answer = await stage.sim.submit('instance.create', input).catch((error: { code: keyof typeof ERROR_CODES }) => error);
      if ('operationId' in answer) {
        await stage.sim.ended(answer.operationId);
        await stage.sim.done('instance.delete', {}, answer.resourceId);
        continue;
      }
      refused += 1;
      expect(ERROR_CODES[answer.code], JSON.stringify(input)).to.include.keys('http');
      expect(ERROR_CODES[answer.code].http, JSON.stringify(input)).to.be.within(400, 499);
      expect(await stage.revision()).to.equal(revision);
    }
    expect(refused).to.be.above(200);
    expect(await stage.sim.residue()).to.equal(residue);
  });

  it('gives one disk to one of two machines that want it', async () => {
    const stage = await MachineStage.with();
    const disk = await stage.volume(8192, { poolId: stage.poolIds[0] });
    const { kernel, principal, environment } = stage.sim;
    const ask = (name: string) =>
      kernel.submit({ action: 'instance.create', input: stage.input({ name, attachVolumeIds: [disk] }), principal });
    const both = await environment.complete(Promise.all([ask('first'), ask('second')]));
    const ended = [];
    for (const { operationId } of both) ended.push(await stage.sim.ended(operationId));
    expect(ended.map((row) => row.state).sort()).to.deep.equal(['failed', 'succeeded']);
    expect(ended.find((row) => row.state === 'failed')?.error?.code).to.equal('conflict');
    expect(stage.sim.world.violations).to.deep.equal([]);
    const [row] = await stage.rows(instance);
    expect((await stage.row(volume, disk)).instanceId).to.equal(row?.id);
    expect(await stage.rows(instance)).to.have.length(1);
  });

  it('goes where the shared pools of its disks are reached', async () => {
    const stage = await MachineStage.with({ hosts: 2, network: false });
    const zoneId = await stage.sim.done('zone.create', {});
    const clusterId = await stage.sim.done('cluster.create', { zoneId });
    stage.sim.world.addHost('far');
    const far = await stage.sim.done('host.create', { clusterId, uri: 'sim://far' });
    await stage.pool(far);
    const shared = await stage.sim.done('pool.create', { driver: 'simulated-shared', clusterId });
    const disk = () => stage.volume(8192, { poolId: shared });
    for (let count = 0; count < 3; count += 1)
      expect((await stage.instance(await stage.machine({ attachVolumeIds: [await disk()] }))).hostId).to.equal(far);
    const here = await stage.volume(8192, { poolId: stage.poolIds[0] });
    for (const more of [{ attachVolumeIds: [await disk(), here] }, { attachVolumeIds: [await disk()], hostId: stage.hostIds[0] }]) {
      const error = await stage.refusal('instance.create', stage.input(more));
      expect([error.code, error.pointer]).to.deep.equal(['conflict', '/attachVolumeIds']);
    }
    const id = await stage.machine({ hostId: stage.hostIds[0] });
    expect((await stage.refusal('instance.attachVolume', { volumeId: await disk() }, id)).code).to.equal('conflict');
  });

  it('can be cancelled at any time, and leaves nothing', async () => {
    const stage = await MachineStage.with();
    const before = await stage.sim.residue();
    const outcomes = new Set<string>();
    for (let afterMs = 0; afterMs < 60; afterMs += 3) {
      const { operationId, resourceId } = await stage.sim.submit(
        'instance.create',
        stage.input({ nics: [{ networkId: stage.networkId }] }),
      );
      await stage.sim.run(afterMs);
      await codeOf(stage.sim.environment.complete(stage.sim.kernel.operations.cancel(operationId)));
      const { state } = await stage.sim.ended(operationId);
      outcomes.add(state);
      if (state === 'succeeded') await stage.sim.done('instance.delete', {}, resourceId);
      // A call that the cancel cut off may land after its undo: the next full look finds the tombstone and removes it.
      await stage.sim.run(30_000);
      expect(await stage.sim.residue(), `cancelled after ${afterMs} ms`).to.equal(before);
    }
    expect(outcomes).to.include('cancelled');
  });

  it('tells why it was placed where it is', async () => {
    const stage = await MachineStage.with({ hosts: 2 });
    await stage.sim.done('host.disable', {}, stage.hostIds[0]);
    const { operationId } = await stage.sim.submit('instance.create', stage.input());
    await stage.sim.ended(operationId);
    const { notes } = await stage.row(operation, operationId);
    expect(notes).to.have.nested.property('placement.chosen', 'hv2');
    expect(notes).to.have.deep.nested.property('placement.refused', { hv1: 'is disabled' });
  });

  it('puts the copy of an image into a pool once, however many ask at once', async () => {
    const stage = await MachineStage.with();
    let puts = 0;
    const lines: string[] = [];
    const { faults } = stage.sim.world;
    const strike = faults.strike.bind(faults);
    faults.strike = (host, command) => {
      if (command === 'images.put') puts += 1;
      return strike(host, command);
    };
    const { kernel, principal, environment } = stage.sim;
    const accepted = await environment.complete(
      Promise.all(Array.from({ length: 20 }, () => kernel.submit({ action: 'instance.create', input: stage.input(), principal }))),
    );
    for (const { operationId } of accepted) lines.push((await stage.sim.ended(operationId)).state);
    expect(lines).to.deep.equal(Array(20).fill('succeeded'));
    expect(puts).to.equal(1);
    expect(await stage.rows(nic)).to.have.length(0);
  });

  /** Two machines of one image, the second waiting while the first fills the pool's copy of it; counts how often the second tries that again. */
  async function filling() {
    const stage = await MachineStage.with();
    const { sim } = stage;
    sim.world.faults.add({ command: 'images.put', times: 1, effect: 'delay', delayMs: 60_000 });
    const [first, second] = [await sim.submit('instance.create', stage.input()), await sim.submit('instance.create', stage.input())];
    const again = { count: 0 };
    sim.around = async (point, body) => {
      if (point.operationId === second.operationId && point.path === 'volumes[0.0]/image' && point.phase === 'do') again.count += 1;
      return body();
    };
    await sim.run(1000);
    return { stage, first: first.operationId, second: second.operationId, again };
  }

  it('lets go of one that is cancelled while another fills the copy of its image', async () => {
    const { stage, first, second } = await filling();
    await stage.sim.environment.complete(stage.sim.kernel.operations.cancel(second));
    await stage.sim.run(1000);
    expect([(await stage.row(operation, first)).state, (await stage.row(operation, second)).state]).to.deep.equal(['running', 'cancelled']);
    expect((await stage.sim.ended(first)).state).to.equal('succeeded');
  });

  it('fills the copy of an image by the next one when the one that did so is cancelled, which is no try of that', async () => {
    const { stage, first, second, again } = await filling();
    await stage.sim.environment.complete(stage.sim.kernel.operations.cancel(first));
    expect((await stage.sim.ended(first)).state).to.equal('cancelled');
    expect([(await stage.sim.ended(second)).state, again.count]).to.deep.equal(['succeeded', 0]);
  });
});
