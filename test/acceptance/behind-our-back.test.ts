import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Id, Instance, InstanceState } from '@pileus/sdk';
import { expect } from 'chai';
import { eventually, LabCloud } from './lab-cloud.ts';

/** What docs/internals/observation.md says becomes of each thing that is done with virsh and not through us. */
describe('what happens behind our back', function () {
  this.timeout(600_000);
  let lab: LabCloud;

  before(async () => {
    lab = await LabCloud.up();
  });
  after(() => lab?.down());

  const create = (name: string) => lab.cloud.instances.create(lab.instanceRequest(name)).wait();
  const untilState = (id: Id<'instance'>, state: InstanceState): Promise<Instance> =>
    eventually(`${id} is ${state}`, async () => {
      const row = await lab.cloud.instances.get(id);
      return row.state === state ? row : undefined;
    });
  const define = async (xml: string): Promise<void> => {
    const path = join(lab.lab.sharedDir, `${randomUUID()}.xml`);
    await writeFile(path, xml);
    await lab.virsh('define', path);
  };
  /** Full looks of the host: a reconnect asks for one, and its end comes after that of the one before. */
  const lookTwice = async (): Promise<void> => {
    for (let look = 0; look < 2; look += 1) await lab.cloud.hosts.reconnect(lab.hostId).wait();
    await new Promise((resume) => setTimeout(resume, 1500));
  };

  it('a guest that powers itself off is stopped, and what was asked for last is kept', async () => {
    const imageId = await lab.uploadGuestImage();
    const { id } = await lab.cloud.instances.create(lab.instanceRequest('tired', { imageId, userData: '#!/bin/sh\npoweroff\n' })).wait();
    const row = await untilState(id, 'stopped');
    expect(row).to.deep.include({ desiredPower: 'running' });
    expect(row.stateReason?.code).to.equal('powered_off');
    await lab.cloud.instances.delete(id).wait();
  });

  it('a domain that is destroyed is stopped, and starts again', async () => {
    const { id } = await create('destroyed');
    await lab.virsh('destroy', id);
    expect((await untilState(id, 'stopped')).stateReason?.code).to.equal('powered_off');
    expect(await lab.cloud.instances.start(id).wait()).to.include({ state: 'running' });
    expect((await lab.virsh('domstate', id)).trim()).to.equal('running');
  });

  it('a domain whose QEMU is killed has crashed, and starts again', async () => {
    const { id } = await create('killed');
    const pid = (await lab.host.exec(['cat', `/run/libvirt/qemu/pileus-${id}.pid`])).stdout.trim();
    await lab.host.exec(['kill', '-9', pid]);
    expect((await untilState(id, 'crashed')).stateReason?.code).to.equal('crashed');
    expect(await lab.cloud.instances.start(id).wait()).to.include({ state: 'running' });
  });

  it('a domain that is suspended or resumed shows so', async () => {
    const { id } = await create('frozen');
    await lab.virsh('suspend', id);
    expect((await untilState(id, 'suspended')).stateReason?.code).to.equal('found_paused');
    await lab.virsh('resume', id);
    expect((await untilState(id, 'running')).stateReason?.code).to.equal('found_running');
  });

  it('a domain that is undefined is missing, and start makes it anew on its disks', async () => {
    const { id } = await create('undefined');
    await lab.virsh('destroy', id);
    await lab.virsh('undefine', id);
    expect((await untilState(id, 'missing')).stateReason?.code).to.equal('absent');
    const files = await lab.poolFiles();
    expect(await lab.cloud.instances.start(id).wait()).to.include({ state: 'running' });
    expect(await lab.poolFiles()).to.have.members([...files]);
    expect(await lab.virshNames('list', '--uuid')).to.include(id);
  });

  it('a domain that is renamed is known by its id, and starts under its new name', async () => {
    const { id } = await create('named');
    await lab.cloud.instances.stop(id, { force: true }).wait();
    await lab.virsh('domrename', id, 'not-its-name');
    await lookTwice();
    expect(await lab.cloud.instances.get(id)).to.include({ state: 'stopped' });
    expect(await lab.cloud.strays.list().toArray()).to.deep.equal([]);
    expect(await lab.cloud.instances.start(id).wait()).to.include({ state: 'running' });
    expect(await lab.virshNames('list', '--name')).to.include('not-its-name');
    await lab.cloud.instances.delete(id).wait();
    expect(await lab.virshNames('list', '--all', '--uuid')).to.not.include(id);
  });

  it('a domain without our mark is left alone and not shown', async () => {
    const uuid = randomUUID();
    await define(
      `<domain type='qemu'><name>foreign</name><uuid>${uuid}</uuid><memory unit='MiB'>16</memory><os><type>hvm</type></os></domain>`,
    );
    await lookTwice();
    expect(await lab.cloud.strays.list().toArray()).to.deep.equal([]);
    expect(await lab.virshNames('list', '--all', '--uuid')).to.include(uuid);
    await lab.virsh('undefine', uuid);
  });

  it('an unknown domain with our mark is quarantined, never removed, and forgotten when it is gone', async () => {
    const { id } = await create('copied');
    const uuid = randomUUID();
    const xml = (await lab.virsh('dumpxml', '--inactive', id)).replaceAll(id, uuid);
    await define(xml);
    const stray = await eventually('the stray', async () => (await lab.cloud.strays.list().toArray())[0]);
    expect(stray).to.deep.include({ objectKind: 'machine', objectId: uuid, state: 'quarantined' });
    await lookTwice();
    expect(await lab.virshNames('list', '--all', '--uuid')).to.include(uuid);
    await lab.virsh('undefine', uuid);
    await eventually('no stray', async () => ((await lab.cloud.strays.list().toArray()).length === 0 ? true : undefined));
  });

  it('a domain that comes back after its instance was deleted is removed: the deleted row is its tombstone', async () => {
    const { id } = await create('ghost');
    const xml = await lab.virsh('dumpxml', '--inactive', id);
    await lab.cloud.instances.delete(id).wait();
    await define(xml);
    await eventually('the ghost is gone', async () => ((await lab.virshNames('list', '--all', '--uuid')).includes(id) ? undefined : true));
    expect(await lab.cloud.strays.list().toArray()).to.deep.equal([]);
  });
});
