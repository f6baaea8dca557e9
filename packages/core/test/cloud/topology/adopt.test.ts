import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crashMatrix } from '@pileus/core/testing';
import { expect } from 'chai';
import { attachment, instance, instanceType, nic, securityGroupMember, stray, volume, vpc } from '../../../src/cloud/index.ts';
import type { AnyKind, Operation, RowOf } from '../../../src/kernel/index.ts';
import { SSH_KEY } from '../compute/machine-stage.ts';
import { machine, type SmallCloud, smallCloud } from '../small-cloud.ts';

const A_LOOK_MS = 60_000;
/** What a row says of the thing itself; the rest is the store's own bookkeeping. */
const facts = (row: object | undefined) => {
  const { generation, observedGeneration, revision, createdAt, updatedAt, stateReason, ...rest } = (row ?? {}) as Record<string, unknown>;
  return rest;
};
const byId = (a: { readonly id: string }, b: { readonly id: string }) => (a.id < b.id ? -1 : 1);

/** A small cloud that goes back to its backup, while the world goes on. */
class Yesterday {
  readonly at: SmallCloud;
  readonly #directory: string;

  constructor(at: SmallCloud, directory: string) {
    this.at = at;
    this.#directory = directory;
  }

  static async open(): Promise<Yesterday> {
    return new Yesterday(await smallCloud(), mkdtempSync(join(tmpdir(), 'pileus-adopt-')));
  }

  backup(): void {
    this.at.sim.backup(join(this.#directory, 'store.db'));
  }

  /** Until everything on the hosts and in the pools has been looked at. */
  async restore(): Promise<void> {
    await this.at.sim.restore(join(this.#directory, 'store.db'));
    await this.at.sim.run(A_LOOK_MS);
  }

  end(): void {
    this.at.sim.dispose();
    rmSync(this.#directory, { recursive: true });
  }

  done(action: string, input: unknown, id?: string): Promise<string> {
    return this.at.sim.done(action, input, id);
  }

  async outcome(action: string, input: unknown, id?: string): Promise<Operation> {
    return this.at.sim.ended((await this.at.sim.submit(action, input, id)).operationId);
  }

  async rows<K extends AnyKind>(kind: K): Promise<readonly RowOf<K>[]> {
    return [...(await this.at.sim.environment.complete(this.at.sim.kernel.reader.list(kind)))].sort(byId);
  }

  /** A counter at 0 without a limit is as if it had never been. */
  async counters() {
    const all = await this.at.sim.environment.complete(this.at.sim.kernel.reader.counters(''));
    return all.filter(({ value, limit }) => value !== 0 || limit !== null);
  }

  async stray(objectId: string): Promise<RowOf<typeof stray>> {
    const row = (await this.rows(stray)).find((entry) => entry.objectId === objectId);
    if (row === undefined) throw new Error(`${objectId} is no stray`);
    return row;
  }

  async adopt(objectId: string, input: object = {}): Promise<Operation> {
    return this.outcome('stray.adopt', input, (await this.stray(objectId)).id);
  }

  /** What is there of machines: rows, counters, and what the host shows. */
  async whole() {
    const { sim } = this.at;
    return {
      instances: (await this.rows(instance)).map(facts),
      volumes: (await this.rows(volume)).map(facts),
      nics: (await this.rows(nic)).map(facts),
      counters: (await this.counters()).filter((counter) => counter.value !== 0),
      world: JSON.parse(sim.world.snapshot()) as { readonly machines: readonly { readonly id: string }[] },
    };
  }
}

describe('adoption', () => {
  let cloud: Yesterday;
  beforeEach(async () => {
    cloud = await Yesterday.open();
  });
  afterEach(() => cloud.end());

  it('puts a NIC within a VPC into the default group: which others it was in nobody knows any more', async () => {
    const vpcId = await cloud.done('vpc.create', { name: 'vpc-1' });
    const networkId = await cloud.done('network.create', { name: 'net-2', vpcId, subnets: [{ cidr: '10.8.0.0/24' }] });
    cloud.backup();
    const id = await cloud.done('instance.create', machine(cloud.at, { nics: [{ networkId, securityGroupIds: [] }] }));
    await cloud.restore();
    expect((await cloud.adopt(id)).state).to.equal('succeeded');
    const [row] = await cloud.rows(vpc);
    expect(
      (await cloud.rows(securityGroupMember)).map(({ state, securityGroupId, instanceId }) => [state, securityGroupId, instanceId]),
    ).to.deep.equal([['available', row?.defaultSecurityGroupId, id]]);
  });

  /** A machine with a disk of its own, a lasting one that was attached live, and limits. */
  const furnished = async () => {
    const id = await cloud.done(
      'instance.create',
      machine(cloud.at, {
        description: 'ours – for ever',
        sshKeys: [`${SSH_KEY} "me"`],
        volumes: [{ name: 'scratch', sizeBytes: 8192 }],
      }),
    );
    const volumeId = await cloud.done('volume.create', { name: 'volume-later', sizeBytes: 16_384, poolId: cloud.at.poolId });
    await cloud.done('instance.attachVolume', { volumeId }, id);
    return { id, volumeId };
  };

  it('takes a machine back whole and untouched, with the ids it had, while automatic removal is off', async () => {
    const { at } = cloud;
    cloud.backup();
    const { id, volumeId } = await furnished();
    const before = await cloud.whole();
    let stopped = false;
    const unwatch = at.sim.world.host('hv1').watch(() => {
      stopped ||= at.sim.world.host('hv1').machine(id).power !== 'running';
    });
    await cloud.restore();
    expect((await cloud.rows(instance)).length).to.equal(0);
    expect((await cloud.rows(stray)).map((row) => row.objectKind).sort()).to.deep.equal(['machine', 'volume', 'volume', 'volume']);
    expect((await cloud.adopt(id)).state).to.equal('succeeded');
    unwatch();
    const after = await cloud.whole();
    expect(stopped).to.equal(false);
    expect(after.world).to.deep.equal(before.world);
    expect(after.instances).to.deep.equal(before.instances);
    expect(after.nics).to.deep.equal(before.nics);
    expect(after.counters).to.deep.equal(before.counters);
    // The record was written before the last disk came: its name is all that is lost.
    const nameless = (rows: readonly Record<string, unknown>[]) =>
      rows.map((row) => (row.id === volumeId ? { ...row, name: undefined } : row));
    expect(nameless(after.volumes)).to.deep.equal(nameless(before.volumes));
    expect(await cloud.rows(stray)).to.deep.equal([]);
    await at.sim.run(A_LOOK_MS);
    expect(await cloud.rows(stray)).to.deep.equal([]);
  });

  it('makes it a machine like every other: it stops, starts and goes without residue', async () => {
    const empty = JSON.parse(cloud.at.sim.world.snapshot()) as object;
    const counters = await cloud.counters();
    cloud.backup();
    const { id, volumeId } = await furnished();
    await cloud.restore();
    await cloud.adopt(id);
    await cloud.done('instance.stop', {}, id);
    await cloud.done('instance.start', {}, id);
    await cloud.done('instance.detachVolume', { volumeId }, id);
    await cloud.done('instance.attachVolume', { volumeId }, id);
    await cloud.done('instance.delete', {}, id);
    for (const row of await cloud.rows(volume)) await cloud.done('volume.delete', {}, row.id);
    await cloud.done('image.delete', {}, cloud.at.imageId);
    const left = JSON.parse(cloud.at.sim.world.snapshot()) as object;
    expect(left).to.deep.equal(empty);
    expect(cloud.at.sim.world.violations).to.deep.equal([]);
    const used = (list: Awaited<ReturnType<Yesterday['counters']>>) =>
      list.filter(({ key, value }) => value !== 0 && !key.includes('images'));
    expect(used(await cloud.counters())).to.deep.equal(used(counters));
  });

  it('of a disk that was free in the backup attaches its row', async () => {
    const volumeId = await cloud.done('volume.create', { name: 'data-1', sizeBytes: 8192, poolId: cloud.at.poolId });
    cloud.backup();
    const id = await cloud.done('instance.create', machine(cloud.at));
    await cloud.done('instance.attachVolume', { volumeId }, id);
    const before = await cloud.whole();
    await cloud.restore();
    expect((await cloud.adopt(id)).state).to.equal('succeeded');
    const after = await cloud.whole();
    expect(after.volumes).to.deep.equal(before.volumes);
    expect(after.counters).to.deep.equal(before.counters);
  });

  it('takes state and size as the host shows them', async () => {
    cloud.backup();
    const id = await cloud.done('instance.create', machine(cloud.at));
    await cloud.done('instance.resize', { vcpus: 3 }, id);
    await cloud.done('instance.suspend', {}, id);
    const before = await cloud.whole();
    await cloud.restore();
    await cloud.adopt(id);
    const after = await cloud.whole();
    expect(after.instances).to.deep.equal(before.instances);
    expect(after.counters).to.deep.equal(before.counters);
  });

  it('leaves out a NIC that was unplugged since, and wants to be told of one that came since', async () => {
    cloud.backup();
    const id = await cloud.done('instance.create', machine(cloud.at));
    const [first] = await cloud.rows(nic);
    await cloud.done('instance.attachNic', { networkId: cloud.at.networkId }, id);
    await cloud.done('instance.detachNic', { nicId: first?.id }, id);
    const [second] = await cloud.rows(nic);
    await cloud.restore();
    const { error } = await refused(cloud.adopt(id));
    expect(error).to.include({ code: 'conflict', pointer: '/withoutNics' });
    expect(error?.params).to.deep.equal({ nicId: second?.id });
    await cloud.adopt(id, { withoutNics: [second?.id] });
    expect(await cloud.rows(nic)).to.deep.equal([]);
    expect((await cloud.rows(instance)).map((row) => row.id)).to.deep.equal([id]);
  });

  it('gives a name that is taken by now an end of its own', async () => {
    cloud.backup();
    const id = await cloud.done('instance.create', machine(cloud.at));
    await cloud.restore();
    await cloud.done('instance.create', machine(cloud.at, { nics: [] }));
    expect((await cloud.adopt(id)).notes).to.include({ instanceId: id, name: `vm-1-${id.slice(-8)}` });
    expect((await cloud.rows(instance)).map((row) => row.name).sort()).to.deep.equal(['vm-1', `vm-1-${id.slice(-8)}`]);
  });

  it('names the NIC that has its address by now', async () => {
    cloud.backup();
    const id = await cloud.done('instance.create', machine(cloud.at));
    const [mine] = await cloud.rows(nic);
    await cloud.restore();
    // As long as the port is there the host refuses another with its address.
    cloud.at.sim.world
      .host('hv1')
      .networks.get(cloud.at.networkId)
      ?.ports.delete(mine?.id ?? '');
    await cloud.done('instance.create', machine(cloud.at, { nics: [{ networkId: cloud.at.networkId, address: mine?.address }] }));
    const [other] = await cloud.rows(nic);
    const { error } = await refused(cloud.adopt(id));
    expect(error).to.deep.include({ code: 'conflict', params: { nicId: mine?.id, address: mine?.address, takenBy: other?.id } });
    expect((await cloud.adopt(id, { withoutNics: [mine?.id] })).state).to.equal('succeeded');
    expect((await cloud.rows(nic)).map((row) => row.id)).to.deep.equal([other?.id]);
  });

  it('wants an instance type where its own is unknown', async () => {
    cloud.backup();
    await cloud.done('instanceType.create', { name: 'fresh', vcpus: 2, memoryBytes: 2 ** 30 });
    const id = await cloud.done('instance.create', machine(cloud.at, { instanceType: 'fresh' }));
    await cloud.restore();
    const { error } = await refused(cloud.adopt(id));
    expect(error).to.include({ code: 'invalid_input', pointer: '/instanceType' });
    await cloud.adopt(id, { instanceType: 'small' });
    const [row] = await cloud.rows(instance);
    const [small] = await cloud.rows(instanceType);
    expect(row).to.include({ id, instanceTypeId: small?.id, vcpus: 2 });
  });

  it('of a lone volume makes it available', async () => {
    cloud.backup();
    const id = await cloud.done('volume.create', { name: 'data-1', sizeBytes: 8192, poolId: cloud.at.poolId });
    const before = await cloud.whole();
    await cloud.restore();
    await cloud.adopt(id, { name: 'data-1' });
    const after = await cloud.whole();
    expect(after.volumes).to.deep.equal(before.volumes);
    expect(after.counters).to.deep.equal(before.counters);
    await cloud.done('volume.delete', {}, id);
  });

  it('of a volume that a known machine has plugged in attaches it there, and of one of an unknown machine is refused', async () => {
    const known = await cloud.done('instance.create', machine(cloud.at));
    cloud.backup();
    const volumeId = await cloud.done('volume.create', { name: 'volume-later', sizeBytes: 8192, poolId: cloud.at.poolId });
    await cloud.done('instance.attachVolume', { volumeId }, known);
    const other = await cloud.done('instance.create', machine(cloud.at, { name: 'vm-2', nics: [] }));
    const root = (await cloud.rows(volume)).find((row) => row.instanceId === other);
    await cloud.restore();
    await cloud.adopt(volumeId, { name: 'volume-later' });
    expect((await cloud.rows(volume)).find((row) => row.id === volumeId)).to.include({ state: 'attached', instanceId: known, slot: 1 });
    const ended = await cloud.adopt(root?.id ?? '');
    expect(ended.error).to.deep.include({ code: 'conflict', params: { objectId: other } });
    expect(await cloud.stray(root?.id ?? '')).to.include({ state: 'quarantined' });
  });

  it('of a machine that has a volume of several brings that along, and others that had it can have it again', async () => {
    const known: string[] = [];
    for (const name of ['vm-1', 'vm-2']) known.push(await cloud.done('instance.create', machine(cloud.at, { name, nics: [] })));
    cloud.backup();
    const volumeId = await cloud.done('volume.create', { name: 'quorum', sizeBytes: 8192, poolId: cloud.at.poolId, shareable: true });
    for (const id of known) await cloud.done('instance.attachVolume', { volumeId }, id);
    const later = await cloud.done('instance.create', machine(cloud.at, { name: 'vm-3', nics: [], attachVolumeIds: [volumeId] }));
    const before = (await cloud.rows(attachment)).map(({ instanceId, slot }) => [instanceId, slot]);
    await cloud.restore();
    expect((await cloud.adopt(volumeId, { name: 'quorum' })).error?.params).to.deep.equal({ objectId: later });
    expect((await cloud.adopt(later)).state).to.equal('succeeded');
    await cloud.at.sim.run(A_LOOK_MS);
    const [row] = (await cloud.rows(volume)).filter(({ id }) => id === volumeId);
    expect(row).to.include({ state: 'available', shareable: true, name: 'quorum' });
    expect((await cloud.rows(attachment)).map(({ instanceId, slot }) => [instanceId, slot])).to.deep.equal(before.slice(2));
    for (const id of known) await cloud.done('instance.attachVolume', { volumeId }, id);
    expect(cloud.at.sim.world.violations).to.deep.equal([]);
  });

  it('of a volume that two known machines have plugged in attaches it to both', async () => {
    const known: string[] = [];
    for (const name of ['vm-1', 'vm-2']) known.push(await cloud.done('instance.create', machine(cloud.at, { name, nics: [] })));
    cloud.backup();
    const volumeId = await cloud.done('volume.create', { name: 'quorum', sizeBytes: 8192, poolId: cloud.at.poolId, shareable: true });
    for (const id of known) await cloud.done('instance.attachVolume', { volumeId }, id);
    await cloud.restore();
    expect((await cloud.adopt(volumeId, { name: 'quorum' })).state).to.equal('succeeded');
    expect((await cloud.rows(volume)).find(({ id }) => id === volumeId)).to.include({ state: 'available', shareable: true });
    expect((await cloud.rows(attachment)).map(({ instanceId, slot }) => [instanceId, slot]).sort()).to.deep.equal(
      known.map((id) => [id, 1]).sort(),
    );
    await cloud.at.sim.run(A_LOOK_MS);
    for (const id of known) await cloud.done('instance.detachVolume', { volumeId }, id);
    await cloud.done('volume.delete', {}, volumeId);
    expect(cloud.at.sim.world.violations).to.deep.equal([]);
  });

  it('does nothing when the machine has changed since it was found', async () => {
    cloud.backup();
    const { id } = await furnished();
    await cloud.restore();
    const counters = await cloud.counters();
    const real = cloud.at.sim.world.host('hv1').machine(id);
    real.spec = { ...real.spec, disks: real.spec.disks.slice(0, 2) };
    expect((await cloud.adopt(id)).error?.code).to.equal('conflict');
    expect(await cloud.counters()).to.deep.equal(counters);
    expect(await cloud.rows(instance)).to.deep.equal([]);
    await cloud.at.sim.run(A_LOOK_MS);
    expect((await cloud.adopt(id)).state).to.equal('succeeded');
    expect((await cloud.rows(volume)).map((row) => row.slot)).to.deep.equal([0, 1]);
  });

  it('refuses a machine that is deleted here', async () => {
    const id = await cloud.done('instance.create', machine(cloud.at));
    const { spec } = cloud.at.sim.world.host('hv1').machine(id);
    await cloud.done('instance.delete', {}, id);
    cloud.backup();
    cloud.at.sim.world.host('hv1').define(spec);
    await cloud.restore();
    expect((await refused(cloud.adopt(id))).error?.code).to.equal('conflict');
  });

  it('refuses a machine without a record', async () => {
    cloud.backup();
    const id = await cloud.done('instance.create', machine(cloud.at));
    const real = cloud.at.sim.world.host('hv1').machine(id);
    const { record: _, ...spec } = real.spec;
    real.spec = spec;
    await cloud.restore();
    expect((await refused(cloud.adopt(id))).error?.code).to.equal('unsupported');
  });

  it('ends whole or not at all', async function () {
    this.timeout(300_000);
    const opened: Yesterday[] = [];
    // Of the history that is played: one after the other.
    let strayId = '';
    const played = await crashMatrix({
      name: 'stray.adopt',
      prepare: async () => {
        opened.pop()?.end();
        const own = await Yesterday.open();
        opened.push(own);
        own.backup();
        const id = await own.done('instance.create', machine(own.at));
        const volumeId = await own.done('volume.create', { sizeBytes: 8192, poolId: own.at.poolId });
        await own.done('instance.attachVolume', { volumeId }, id);
        await own.restore();
        strayId = (await own.stray(id)).id;
        return own.at.sim;
      },
      act: async (sim) => (await sim.submit('stray.adopt', {}, strayId)).operationId,
    });
    opened.pop()?.end();
    expect(played).to.be.greaterThan(8);
  });
});

/** The error of a request that is refused before anything begins, in the place of an operation's. */
async function refused(
  work: Promise<Operation>,
): Promise<{ readonly error: { readonly code: string; readonly params?: object } | undefined }> {
  return work.then(
    (operation) => ({ error: operation.error as never }),
    (error: { code: string; pointer?: string; params?: object }) => ({ error }),
  );
}
