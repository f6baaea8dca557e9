import type { Call, DiskSpec, HypervisorDriver, MachineSpec, StorageDriver } from '@pileus/core/strategy';
import { expect } from 'chai';
import { SimEnvironment, SimError, SimWorld, simulated } from '../../testing/index.ts';

const VOLUME = 'v';

/** Two hosts and a pool that both reach, with a volume for several machines in it. */
async function lab() {
  const environment = new SimEnvironment('shared');
  const world = new SimWorld(environment, {});
  for (const hostname of ['hv1', 'hv2']) world.addHost(hostname);
  const call: Call = { requestId: 'r', signal: new AbortController().signal, timeoutMs: 1000 };
  const { hypervisor, storage } = simulated({ world, environment: environment.incarnation() }).strategies;
  const pool = storage?.[1]?.open({ poolId: 'pool', scope: 'cluster', settings: {} }) ?? expect.fail('no storage');
  const on = (hostname: string): HypervisorDriver =>
    hypervisor?.[0]?.open({ hostId: hostname, uri: `sim://${hostname}` }) ?? expect.fail('no hypervisor');
  const done = <T>(work: Promise<T> | undefined): Promise<T> => environment.complete(work ?? expect.fail('the driver lacks it'));
  const outcome = (work: Promise<unknown>): Promise<string> =>
    done(
      work.then(
        () => 'done',
        (error: unknown) => SimError.classify(error),
      ),
    );
  await done(pool.ensurePool(call));
  await done(pool.shareable?.create({ id: VOLUME, sizeBytes: 1024 }, call));
  return { world, pool, on, call, done, outcome, ...machinesOf(pool, on, call, { done, outcome }) };
}

function machinesOf(
  pool: StorageDriver,
  on: (hostname: string) => HypervisorDriver,
  call: Call,
  { done, outcome }: { readonly done: <T>(work: Promise<T>) => Promise<T>; readonly outcome: (work: Promise<unknown>) => Promise<string> },
) {
  /** Defines a machine on a host, with the volume, and starts it. */
  const start = async (id: string, hostname: string, change: Partial<DiskSpec> = { shareable: true }): Promise<string> => {
    const attachment = await done(pool.volumes.attach(VOLUME, { hostId: hostname, uri: `sim://${hostname}` }, call));
    const spec: MachineSpec = {
      ...{ id, name: id, owner: 'cloud', vcpus: 1, vcpusMax: 1, memoryBytes: 2 ** 28, memoryBytesMax: 2 ** 28 },
      ...{ guestOs: 'linux', firmware: 'bios', diskBus: 'virtio', nics: [] },
      disks: [{ volumeId: VOLUME, attachment, slot: 0, readOnly: false, ...change }],
    };
    await done(on(hostname).machines.define(spec, call));
    return outcome(on(hostname).power.start(id, call));
  };
  const fence = pool.shareable?.fence ?? expect.fail('no fence of one machine');
  return {
    start,
    learn: (id: string) => done(fence.learn(VOLUME, id, call)),
    exclude: (id: string) => outcome(fence.exclude(VOLUME, id, call)),
  };
}

describe('a volume of several machines in the simulated world', () => {
  it('is open in all of them, and one is shut out alone', async () => {
    const { world, start, learn, exclude } = await lab();
    for (const [id, hostname] of [
      ['a', 'hv1'],
      ['b', 'hv2'],
    ] as const) {
      expect(await start(id, hostname)).to.equal('done');
      expect(await learn(id)).to.equal(1);
    }
    expect(await exclude('a')).to.equal('done');
    const volume = world.pools.get('pool')?.find('volume', VOLUME);
    expect([[...(volume?.shutOut ?? [])], [...(volume?.shared?.users ?? [])]]).to.deep.equal([['hv1/a'], ['hv2/b']]);
    expect(world.violations).to.deep.equal([]);
  });

  it('is known as nobody’s when two machines were let open it at once, on hosts apart', async () => {
    const { world, start, learn, exclude } = await lab();
    await start('a', 'hv1');
    await start('b', 'hv2');
    expect(await learn('a')).to.equal(0);
    expect(await exclude('a')).to.equal('conflict');
    expect(world.violations).to.deep.equal([]);
  });

  it('tells of who learns another’s client, of a machine that has it twice, and of a host that was told wrongly', async () => {
    const { world, start, learn } = await lab();
    await start('a', 'hv1');
    await learn('b');
    expect(world.violations.splice(0)).to.deep.equal([`client hv1/a of volume ${VOLUME} was learned as one of b`]);
    expect(await start('a', 'hv2')).to.equal('conflict');
    expect(world.violations.splice(0)).to.deep.equal([`volume ${VOLUME} is opened by hv2/a under hv1/a`]);
    await start('c', 'hv1', {});
    expect(world.violations).to.deep.equal([`volume ${VOLUME} is opened by hv1/c as its own alone`]);
  });

  it('is neither deleted nor released under one of them', async () => {
    const { world, start, pool, call, done, outcome } = await lab();
    await start('a', 'hv1');
    expect(await outcome(pool.volumes.release(VOLUME, { hostId: 'hv1', uri: 'sim://hv1' }, call))).to.equal('conflict');
    await done(pool.volumes.delete(VOLUME, call));
    expect(world.violations).to.deep.equal([`volume ${VOLUME} was released under hv1/a`, `volume ${VOLUME} was deleted under hv1/a`]);
  });
});
