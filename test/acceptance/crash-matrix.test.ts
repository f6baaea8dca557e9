import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { haltImage } from '../../tools/guest/image.ts';
import { CACHE_DIR, ensureSystem } from '../../tools/system/ensure.ts';
import { FULL, inSlice } from '../../tools/test/slice.ts';
import { virsh } from '../lab/guest-domain.ts';
import { type Lab, labUp } from '../lab/lab.ts';
import { eventually, MIB } from './lab-cloud.ts';
import { faultsOf, Stepped, titleOf } from './stepped.ts';
import type { Fault, Outcome } from './stepped-cloud.ts';
import { readStore } from './store-witness.ts';

const chosen = inSlice(4);
const SETTLE_MS = 120_000;

/** Everything that an instance leaves in the world, without what differs between two of them. */
interface World {
  readonly domains: readonly string[];
  readonly files: readonly string[];
  readonly ports: number;
  readonly rows: readonly string[];
  readonly counters: Readonly<Record<string, number>>;
}

describe('instance create and delete on real libvirt, each step failing and killed', function () {
  this.timeout(FULL ? 3_600_000 : 600_000);
  let lab: Lab;
  let dir: string;
  let cloud: Stepped;
  let baseline: World;
  let withInstance: World;
  let request: { readonly input: object; readonly networkId: string };

  before(async () => {
    expect(await ensureSystem({ log: () => {} })).to.deep.equal({ ok: true });
    lab = await labUp({ hosts: 1 });
    dir = await mkdtemp('/tmp/pileus-matrix-');
    cloud = new Stepped(dir);
    await cloud.start();
    request = await populate();
  });
  after(async () => {
    await cloud?.kill();
    await lab?.down();
    await rm(dir, { recursive: true, force: true });
  });

  async function make(action: string, input: object, contentPath?: string): Promise<string> {
    const outcome = await cloud.perform({ action, input, ...(contentPath === undefined ? {} : { contentPath }) });
    if (outcome?.state !== 'succeeded') throw new Error(`${action}: ${JSON.stringify(outcome)}`);
    return outcome.resourceId;
  }

  async function populate() {
    const host = lab.host(0);
    const zoneId = await make('zone.create', {});
    const clusterId = await make('cluster.create', { zoneId, allowEmulation: true });
    const hostId = await make('host.create', { clusterId, uri: `qemu+unix:///system?socket=${host.socketPath}` });
    await make('pool.create', { hostId, settings: { path: '/var/lib/libvirt/images/pool' } });
    await make('instanceType.create', { name: 'tiny', vcpus: 1, memoryBytes: 64 * MIB });
    const networkId = await make('network.create', { hostId, subnets: [{ cidr: '192.168.91.0/24' }] });
    const { path } = await haltImage({ cacheDir: CACHE_DIR });
    const imageId = await make('image.create', { name: 'halt' }, path);
    return {
      input: { instanceType: 'tiny', imageId, nics: [{ networkId }], volumes: [{ sizeBytes: MIB, deleteWithInstance: true }] },
      networkId,
    };
  }

  /** What virsh, the pool's folder and the database file say. */
  async function world(): Promise<World> {
    const host = lab.host(0);
    const words = async (...args: string[]) => (await virsh(host, ...args)).split('\n').flatMap((line) => line.trim() || []);
    const domains = await Promise.all((await words('list', '--all', '--uuid')).map((uuid) => virsh(host, 'domstate', uuid)));
    const files = await readdir(join(host.rootDir, 'lib/images/pool'));
    const ports = (await words('net-dumpxml', request.networkId)).filter((line) => line.includes('nic-'));
    const { live, counters } = readStore(join(dir, 'pileus.db'));
    return {
      domains: domains.map((state) => state.trim()),
      files: files.map((name) => name.replace(/-.*\./, '.')).sort(),
      ports: ports.length,
      rows: Object.entries(live)
        .flatMap(([kind, rows]) => rows.map(({ state }) => `${kind} ${state}`))
        .sort(),
      counters,
    };
  }

  /** Late calls of a killed process land, and looks repair, within moments. */
  async function expectWorld(wanted: World, title: string): Promise<void> {
    const same = async () => (JSON.stringify(await world()) === JSON.stringify(wanted) ? true : undefined);
    await eventually(title, same, SETTLE_MS).catch(async () => expect(await world(), title).to.deep.equal(wanted));
  }

  const instanceId = (): string => String(readStore(join(dir, 'pileus.db')).live.instance?.[0]?.id);

  it('leave the world as it was or as it should be, and nothing in between', async () => {
    // The pool gets its copy of the image from the first one.
    await make('instance.create', request.input);
    await cloud.perform({ action: 'instance.delete', input: {}, resourceId: instanceId() });
    baseline = await world();
    const created = await cloud.perform({ action: 'instance.create', input: request.input });
    withInstance = await world();
    expect(withInstance.domains).to.deep.equal(['running']);
    const deleted = await cloud.perform({ action: 'instance.delete', input: {}, resourceId: instanceId() });
    await expectWorld(baseline, 'an undisturbed delete');

    expect(created?.places.map(({ path }) => path)).to.include.members(['volumes[0.0]/disk', 'ports[0]', 'define', 'start', 'ready']);
    const creates = chosenOf('create', created);
    const deletes = chosenOf('delete', deleted);
    for (let at = 0; at < Math.max(creates.length, deletes.length); at += 1) await playPair(creates[at], deletes[at]);
  });

  async function playPair(create: Fault | undefined, remove: Fault | undefined): Promise<void> {
    const make = { action: 'instance.create', input: request.input };
    const made = await cloud.toTheEnd({ ...make, ...(create === undefined ? {} : { fault: create }) });
    await expectWorld(made ? withInstance : baseline, `${titleOf('create', create)} (${made ? 'made' : 'unwound'})`);
    if (!made) expect(await cloud.toTheEnd(make), 'a create after one that was unwound').to.equal(true);
    const destroy = { action: 'instance.delete', input: {}, resourceId: instanceId() };
    const gone = await cloud.toTheEnd({ ...destroy, ...(remove === undefined ? {} : { fault: remove }) });
    await expectWorld(gone ? baseline : withInstance, `${titleOf('delete', remove)} (${gone ? 'gone' : 'unwound'})`);
    if (!gone) expect(await cloud.toTheEnd(destroy), 'a delete after one that was unwound').to.equal(true);
  }
});

const chosenOf = (verb: string, outcome: Outcome | undefined): readonly Fault[] =>
  faultsOf(outcome?.places ?? []).filter((fault) => chosen(titleOf(verb, fault)));
