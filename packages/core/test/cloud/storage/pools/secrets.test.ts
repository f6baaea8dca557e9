import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HypervisorFeature } from '@pileus/core/testing';
import { expect } from 'chai';
import { host, image, instance, pool, volume } from '../../../../src/cloud/index.ts';
import { GIB, LittleCloud } from '../../little-cloud.ts';

const KEY = 'a key that hosts alone may see';

describe('the secrets of disks', () => {
  let dir: string;
  let dumps: string[];
  let dump: () => void;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'pileus-secrets-'));
    dumps = [];
    dump = () => undefined;
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  async function open(without: readonly HypervisorFeature[] = []) {
    const landing = <T>(_site: string, command: string, apply: () => T): T => {
      const result = apply();
      if (/^(secret|secrets\.put|machines\.define|power\.start|hotplug\.attachDisk)$/.test(command)) dump();
      return result;
    };
    const cloud = await LittleCloud.open({ world: { landing }, without });
    const { sim, clusterId } = cloud;
    dump = () => {
      const path = join(dir, `dump-${dumps.length}`);
      dumps.push(path);
      sim.backup(path);
    };
    await cloud.host('hv1');
    await sim.done('pool.create', { driver: 'simulated-shared', clusterId, settings: { user: 'vm' }, secrets: { key: KEY } });
    const imageId = await cloud.image(GIB / 1024);
    await sim.done('instanceType.create', { name: 'small', vcpus: 1, memoryBytes: GIB });
    const machine = { instanceType: 'small', imageId };
    return { cloud, sim, hv1: sim.world.host('hv1'), machine };
  }

  it('are given to a host before it meets the disk, each time anew, and are kept nowhere on the way', async () => {
    const { cloud, sim, hv1, machine } = await open();
    const id = await sim.done('instance.create', machine);
    const refs = [...hv1.secrets.keys()];
    expect([...hv1.secrets.values()]).to.deep.equal([KEY]);

    // A host that was set up anew has none.
    hv1.secrets.clear();
    const volumeId = await cloud.volume(GIB);
    await sim.done('instance.attachVolume', { volumeId }, id);
    await sim.done('instance.stop', { force: true }, id);
    hv1.secrets.clear();
    await sim.done('instance.start', {}, id);
    expect((await cloud.row(instance, id)).state).to.equal('running');
    expect(hv1.machine(id).observe().diskIds).to.include(volumeId);
    expect([...hv1.secrets]).to.deep.equal(refs.map((ref) => [ref, KEY]));

    dump();
    expect(dumps.length).to.be.greaterThan(6);
    for (const path of dumps) expect((await readFile(path)).includes(KEY), path).to.equal(false);
  });

  it('are taken from every host with their pool, and from no host before', async () => {
    const { cloud, sim, hv1, machine } = await open();
    const id = await sim.done('instance.create', machine);
    await sim.done('instance.delete', {}, id);
    for (const { id: imageId } of await cloud.rows(image)) await sim.done('image.delete', {}, imageId);
    for (const { id: volumeId } of await cloud.rows(volume)) await sim.done('volume.delete', {}, volumeId);
    expect([...hv1.secrets.values()]).to.deep.equal([KEY]);
    hv1.secrets.set('of somebody else', 'stays');
    const [row] = await cloud.rows(pool);
    await sim.done('pool.delete', {}, row?.id);
    expect([...hv1.secrets]).to.deep.equal([['of somebody else', 'stays']]);
  });

  it('cannot be given to a host whose hypervisor keeps none, which is said before anything is defined', async () => {
    const { cloud, sim, hv1, machine } = await open(['secrets']);
    const failed = await cloud.outcome('instance.create', machine);
    expect([failed.state, failed.error?.code]).to.deep.equal(['failed', 'unsupported']);
    expect(failed.error?.message).to.match(/hv1 cannot keep the secrets of disks/);
    expect([...hv1.machines.keys()]).to.deep.equal([]);
    expect(await cloud.rows(instance)).to.deep.equal([]);
    expect((await cloud.rows(host)).length).to.equal(1);
    expect(sim.world.violations).to.deep.equal([]);
  });
});
