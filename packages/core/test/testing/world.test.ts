// Long because it is one catalogue: what each trouble of the simulated world does to each kind of call.
import type { Call, DiskSpec, HypervisorDriver, MachineSpec, NetworkDriver, PoolEndpoint, StorageDriver } from '@pileus/core/strategy';
import { expect } from 'chai';
import { sleep } from '../../src/kernel/environment.ts';
import { nodeEnvironment } from '../../src/node/index.ts';
import type { DriverEnvironment, FaultRule, WorldOptions } from '../../testing/index.ts';
import { SHARED_SITE, SimEnvironment, SimError, SimWorld, simulated } from '../../testing/index.ts';

interface Drivers {
  readonly hypervisor: HypervisorDriver;
  readonly storage: StorageDriver;
  readonly shared: StorageDriver;
  readonly network: NetworkDriver;
}

function driversOf(world: SimWorld, environment: DriverEnvironment, hostname: string): Drivers {
  const { hypervisor, storage, network } = simulated({ world, environment }).strategies;
  const host = { hostId: hostname, uri: `sim://${hostname}` };
  const pool = (scope: PoolEndpoint['scope']): PoolEndpoint => ({ poolId: 'pool', scope, host, settings: {} });
  const [local, shared] = storage ?? [];
  if (!hypervisor?.[0] || !local || !shared || !network?.[0]) throw new Error('a strategy is missing');
  return {
    hypervisor: hypervisor[0].open(host),
    storage: local.open(pool('host')),
    shared: shared.open(pool('cluster')),
    network: network[0].open({ host }),
  };
}

/** Two hosts, and drivers for the first, in virtual time. */
function lab(seed: string, options: WorldOptions = {}) {
  const environment = new SimEnvironment(seed);
  const world = new SimWorld(environment, options);
  for (const hostname of ['hv1', 'hv2']) world.addHost(hostname);
  const life = environment.incarnation();
  const call = (timeoutMs = 1000): Call => ({ requestId: 'r', signal: new AbortController().signal, timeoutMs });
  const outcome = (work: Promise<unknown>) =>
    environment.complete(
      work.then(
        () => 'done',
        (error) => SimError.classify(error),
      ),
    );
  return { environment, world, life, call, outcome, ...driversOf(world, life, 'hv1') };
}

type Lab = ReturnType<typeof lab>;

const plain = (id: string, change: Partial<MachineSpec> = {}): MachineSpec => ({
  ...{ id, name: `name-${id}`, owner: 'cloud', vcpus: 1, vcpusMax: 2, memoryBytes: 2 ** 28, memoryBytesMax: 2 ** 29 },
  ...{ guestOs: 'linux', firmware: 'bios', diskBus: 'virtio', disks: [], nics: [] },
  ...change,
});

async function disk(at: Lab, id: string, storage: StorageDriver = at.shared): Promise<DiskSpec> {
  const host = { hostId: 'hv1', uri: 'sim://hv1' };
  await at.environment.complete(storage.ensurePool(at.call()));
  await at.environment.complete(storage.volumes.create({ id, sizeBytes: 1024 }, at.call()));
  const attachment = await at.environment.complete(storage.volumes.attach(id, host, at.call()));
  return { volumeId: id, attachment, slot: 0, readOnly: false };
}

async function running(at: Lab, id: string, change: Partial<MachineSpec> = {}): Promise<void> {
  await at.environment.complete(at.hypervisor.machines.define(plain(id, change), at.call()));
  await at.environment.complete(at.hypervisor.power.start(id, at.call()));
}

describe('injected faults', () => {
  const attempt = async (rule: FaultRule) => {
    const at = lab('faults');
    at.world.faults.add(rule);
    const sinceMs = at.environment.clock.monotonicMs();
    const outcome = await at.outcome(at.hypervisor.machines.define(plain('m'), at.call()));
    const tookMs = at.environment.clock.monotonicMs() - sinceMs;
    const thereNow = at.world.host('hv1').machines.has('m');
    await at.environment.run();
    return { outcome, tookMs, thereNow, thereLater: at.world.host('hv1').machines.has('m') };
  };

  it('fail before the effect, or after it, with the fault that was asked for', async () => {
    expect(await attempt({ effect: 'fail', fault: 'exhausted' })).to.include({ outcome: 'exhausted', thereLater: false });
    expect(await attempt({ effect: 'fail_after' })).to.include({ outcome: 'internal', thereNow: true });
  });

  it('time out without effect, with a lost answer, or with an effect that lands late', async () => {
    expect(await attempt({ effect: 'timeout_before' })).to.include({ outcome: 'unknown_outcome', tookMs: 1000, thereLater: false });
    expect(await attempt({ effect: 'timeout_after' })).to.include({ outcome: 'unknown_outcome', tookMs: 1000, thereNow: true });
    expect(await attempt({ effect: 'late' })).to.include({ outcome: 'unknown_outcome', thereNow: false, thereLater: true });
  });

  it('delay, and duplicate', async () => {
    const delayed = await attempt({ effect: 'delay', delayMs: 500 });
    expect(delayed).to.include({ outcome: 'done', thereNow: true });
    expect(delayed.tookMs).to.be.within(500, 600);
    const at = lab('duplicate');
    at.world.faults.add({ effect: 'duplicate', command: 'machines.define', delayMs: 5000 });
    expect(await at.outcome(at.hypervisor.machines.define(plain('m'), at.call()))).to.equal('done');
    await at.environment.complete(at.hypervisor.machines.remove('m', at.call()));
    await at.environment.run();
    expect(at.world.host('hv1').machines.has('m')).to.equal(true);
  });

  it('hang whatever the time-out and the signal say', async () => {
    const at = lab('hang');
    at.world.faults.add({ effect: 'hang' });
    const abort = new AbortController();
    const work = at.hypervisor.machines.list({ ...at.call(), signal: abort.signal });
    abort.abort();
    const message = await at.environment.complete(work).catch((error: Error) => error.message);
    expect(message).to.contain('all is quiet');
  });

  it('strike by host, command and count', async () => {
    const at = lab('count');
    const other = driversOf(at.world, at.life, 'hv2');
    const withdraw = at.world.faults.add({ host: 'hv1', command: 'machines.list', times: 2, effect: 'fail', fault: 'unavailable' });
    const list = () => at.outcome(at.hypervisor.machines.list(at.call()));
    expect(await at.outcome(other.hypervisor.machines.list(at.call()))).to.equal('done');
    expect(await at.outcome(at.hypervisor.inventory(at.call()))).to.equal('done');
    expect([await list(), await list(), await list()]).to.deep.equal(['unavailable', 'unavailable', 'done']);
    withdraw();
    at.world.faults.add({ effect: 'fail' });
    at.world.faults.clear();
    expect(await list()).to.equal('done');
  });

  it('strike by probability', async () => {
    const at = lab('probability');
    at.world.faults.add({ probability: 0.3, effect: ['fail', 'timeout_before'] });
    const outcomes: string[] = [];
    for (let round = 0; round < 300; round += 1) outcomes.push(await at.outcome(at.hypervisor.machines.list(at.call())));
    const count = (wanted: string) => outcomes.filter((outcome) => outcome === wanted).length;
    expect(count('done')).to.be.within(170, 250);
    expect(count('internal')).to.be.greaterThan(20);
    expect(count('unknown_outcome')).to.be.greaterThan(20);
  });
});

describe('hosts in trouble', () => {
  it('a frozen host keeps what was sent, and it lands at the thaw, after its caller has given up', async () => {
    const at = lab('frozen');
    at.world.freeze('hv1');
    const work = ['a', 'b', 'c'].map((id) => at.outcome(at.hypervisor.machines.define(plain(id), at.call())));
    expect(await Promise.all(work)).to.deep.equal(['unknown_outcome', 'unknown_outcome', 'unknown_outcome']);
    expect(at.world.host('hv1').machines.size).to.equal(0);
    expect(at.world.inFlight).to.equal(3);
    at.world.thaw('hv1');
    await at.environment.run();
    expect([...at.world.host('hv1').machines.keys()]).to.have.members(['a', 'b', 'c']);
    expect(at.world.inFlight).to.equal(0);
  });

  it('a crash stops the machines and loses what was on its way; definitions and volumes stay', async () => {
    const at = lab('crash');
    const root = await disk(at, 'v', at.storage);
    await running(at, 'm', { disks: [root] });
    at.world.freeze('hv1');
    const lost = at.outcome(at.hypervisor.machines.remove('m', at.call()));
    await at.environment.run(at.environment.clock.monotonicMs() + 100);
    at.world.crash('hv1');
    expect(await lost).to.equal('unknown_outcome');
    expect(await at.outcome(at.hypervisor.inventory(at.call()))).to.equal('unavailable');
    at.world.boot('hv1');
    const seen = await at.environment.complete(at.hypervisor.machines.inspect('m', at.call()));
    expect(seen).to.deep.include({ power: 'stopped', diskIds: ['v'] });
    expect(await at.outcome(at.hypervisor.power.start('m', at.call()))).to.equal('done');
  });

  it('a disconnected host refuses at once, a partitioned one is silent; machines run on', async () => {
    const at = lab('links');
    await running(at, 'm');
    at.world.disconnect('hv1');
    expect(await at.outcome(at.hypervisor.machines.list(at.call()))).to.equal('unavailable');
    at.world.reconnect('hv1');
    at.world.partition('hv1');
    expect(await at.outcome(at.hypervisor.machines.list(at.call()))).to.equal('unknown_outcome');
    expect(at.world.host('hv1').machine('m').power).to.equal('running');
    at.world.reconnect('hv1');
    expect(await at.outcome(at.hypervisor.machines.list(at.call()))).to.equal('done');
  });

  it('watchers are told to look at everything when a host is back, and nothing while it is away', async () => {
    const at = lab('hints');
    const hints: (string | undefined)[] = [];
    at.hypervisor.watch?.((id) => hints.push(id));
    at.world.partition('hv1');
    at.world.host('hv1').define(plain('m'));
    await at.environment.run();
    expect(hints).to.deep.equal([]);
    at.world.reconnect('hv1');
    await at.environment.run();
    expect(hints).to.deep.equal([undefined]);
  });

  it('the shared storage can be frozen apart from the hosts', async () => {
    const at = lab('shared');
    await disk(at, 'v');
    at.world.freeze(SHARED_SITE);
    expect(await at.outcome(at.shared.volumes.delete('v', at.call()))).to.equal('unknown_outcome');
    expect(await at.outcome(at.hypervisor.machines.list(at.call()))).to.equal('done');
    at.world.thaw(SHARED_SITE);
    await at.environment.run();
    expect(await at.environment.complete(at.shared.inspect('volume', 'v', at.call()))).to.equal(undefined);
  });

  it('what a killed process has sent still lands, and it never hears of it', async () => {
    const at = lab('killed');
    const heard: string[] = [];
    const note = (what: string) => () => heard.push(what);
    void at.hypervisor.machines.define(plain('sent'), at.call()).then(note('value'), note('error')).finally(note('finally'));
    at.hypervisor.watch?.(note('hint'));
    at.life.kill();
    void at.hypervisor.machines.define(plain('never'), at.call()).then(note('value'), note('error'));
    await at.environment.run();
    expect(heard).to.deep.equal([]);
    expect([...at.world.host('hv1').machines.keys()]).to.deep.equal(['sent']);
    const next = driversOf(at.world, at.environment.incarnation(), 'hv1');
    expect(await at.environment.complete(next.hypervisor.machines.list(at.call()))).to.have.length(1);
  });

  it('a process that is killed while it reads what it wants to send, does not send it', async () => {
    const at = lab('reading');
    await at.environment.complete(at.storage.ensurePool(at.call()));
    const content = {
      sizeBytes: 2,
      async *open() {
        yield new Uint8Array(1);
        await sleep(at.environment.timers, 100);
        yield new Uint8Array(1);
      },
    };
    void at.storage.images.put({ id: 'i', format: 'raw', virtualSizeBytes: 2, content }, at.call());
    at.environment.timers.after(50, () => at.life.kill());
    await at.environment.run();
    expect(at.world.pools.get('hv1/pool')?.find('image', 'i')).to.equal(undefined);
  });

  it('an unknown host is unavailable', async () => {
    const at = lab('unknown');
    expect(await at.outcome(driversOf(at.world, at.life, 'nowhere').hypervisor.inventory(at.call()))).to.equal('unavailable');
  });
});

describe('real time', () => {
  it('runs the same world, and without latency a call takes no timer', async () => {
    const world = new SimWorld(nodeEnvironment(), { latencyMs: [0, 0] });
    world.addHost('hv1');
    const { hypervisor } = driversOf(world, world.environment, 'hv1');
    const call: Call = { requestId: 'r', signal: new AbortController().signal, timeoutMs: 10_000 };
    await hypervisor.machines.define(plain('m'), call);
    await hypervisor.power.start('m', call);
    expect(await hypervisor.machines.inspect('m', call)).to.include({ power: 'running' });
    await hypervisor.machines.remove('m', call);
    world.freeze('hv1');
    const fault = await hypervisor.machines.list({ ...call, timeoutMs: 20 }).catch((error) => hypervisor.classify(error));
    expect(fault).to.equal('unknown_outcome');
  });
});

describe('guests', () => {
  it('halt, crash and ignore the power button as they are told to', async () => {
    const at = lab('guests', {
      guests: ({ id }) => (id === 'halts' ? { haltsAfterMs: 50 } : id === 'crashes' ? { crashesAfterMs: 50 } : { onShutdown: 'ignores' }),
    });
    for (const id of ['halts', 'crashes', 'ignores']) await running(at, id);
    await at.environment.run();
    await at.environment.complete(at.hypervisor.power.shutdown('ignores', at.call()));
    await at.environment.run();
    const power = (id: string) => at.world.host('hv1').machine(id).power;
    expect([power('halts'), power('crashes'), power('ignores')]).to.deep.equal(['stopped', 'crashed', 'running']);
  });

  it('stand still while suspended', async () => {
    const at = lab('suspended', { guests: () => ({ bootMs: 1000 }) });
    await running(at, 'm');
    await at.environment.complete(at.hypervisor.power.suspend('m', at.call()));
    await at.environment.run(60_000);
    const machine = at.world.host('hv1').machine('m');
    expect(machine.booted).to.equal(false);
    await at.environment.complete(at.hypervisor.power.resume('m', at.call()));
    await at.environment.run();
    expect(machine.booted).to.equal(true);
    expect(at.environment.clock.monotonicMs()).to.be.within(60_900, 61_100);
  });

  it('a console ends when the machine stops', async () => {
    const at = lab('console');
    await running(at, 'm');
    const stream = await at.environment.complete(
      at.hypervisor.consoles?.serial?.('m', at.call()) ?? Promise.reject(new Error('no serial')),
    );
    await at.environment.complete(at.hypervisor.power.powerOff('m', at.call()));
    expect((await stream.readable.getReader().read()).done).to.equal(true);
    expect(await at.outcome(stream.writable.getWriter().closed)).to.equal('conflict');
  });
});

describe('the order of things', () => {
  it('knows what is in a pool by what it is attached by, wherever the pool is', () => {
    const { world } = lab('place');
    for (const path of ['pool', '/var/lib/images', 'volume/seed']) {
      world.ensurePool(path, 'hv1');
      const seed = world.pools.get(`hv1/${path}`)?.putSeed('01', 512) ?? expect.fail('there is no pool');
      expect(world.stored('hv1', seed), path).to.include({ sizeBytes: 512 });
    }
  });

  it('a machine starts only with its disks there, attached and free, and its NICs in active networks', async () => {
    const at = lab('order');
    const root = await disk(at, 'v');
    const start = async (id: string, change: Partial<MachineSpec>) => {
      await at.environment.complete(at.hypervisor.machines.define(plain(id, change), at.call()));
      return at.outcome(at.hypervisor.power.start(id, at.call()));
    };
    const absent: DiskSpec = { ...root, attachment: { type: 'file', path: '/elsewhere', format: 'raw' } };
    const nic = { nicId: 'n', mac: '52:54:00:00:00:01', plug: { type: 'libvirtNetwork', network: 'sim-none' }, slot: 0 } as const;
    expect(await start('absent', { disks: [absent] })).to.equal('conflict');
    expect(await start('unplugged', { nics: [nic] })).to.equal('conflict');
    expect(await start('first', { disks: [root] })).to.equal('done');
    expect(await start('second', { disks: [root] })).to.equal('conflict');
    expect(at.world.violations.splice(0)).to.deep.equal(['volume v is opened by hv1/second under hv1/first']);
    await at.environment.complete(at.hypervisor.power.powerOff('first', at.call()));
    expect(await at.outcome(at.hypervisor.power.start('second', at.call()))).to.equal('done');
    expect(at.world.violations).to.deep.equal([]);
    await at.environment.complete(at.shared.volumes.delete('v', at.call()));
    expect(at.world.violations).to.deep.equal(['volume v was deleted under hv1/second']);
  });

  it('a volume that was released cannot be started from', async () => {
    const at = lab('released');
    const root = await disk(at, 'v');
    await at.environment.complete(at.shared.volumes.release('v', { hostId: 'hv1', uri: 'sim://hv1' }, at.call()));
    await at.environment.complete(at.hypervisor.machines.define(plain('m', { disks: [root] }), at.call()));
    expect(await at.outcome(at.hypervisor.power.start('m', at.call()))).to.equal('conflict');
  });

  it('a full pool is exhausted', async () => {
    const at = lab('full', { poolBytes: 1500 });
    await disk(at, 'v');
    expect(await at.outcome(at.shared.volumes.create({ id: 'w', sizeBytes: 1024 }, at.call()))).to.equal('exhausted');
    expect(await at.outcome(at.shared.volumes.resize?.('v', 2048, at.call()) ?? Promise.resolve())).to.equal('exhausted');
    expect(await at.environment.complete(at.shared.capacity(at.call()))).to.deep.equal({ totalBytes: 1500, freeBytes: 476 });
  });
});

describe('a snapshot', () => {
  it('is the same for the same world, whatever way led there, and only then', async () => {
    const [a, b] = [lab('a'), lab('b')];
    const empty = a.world.snapshot();
    expect(b.world.snapshot()).to.equal(empty);
    await running(a, 'm');
    await running(b, 'm');
    await b.environment.complete(b.hypervisor.power.powerOff('m', b.call()));
    expect(b.world.snapshot()).not.to.equal(a.world.snapshot());
    await b.environment.complete(b.hypervisor.power.start('m', b.call()));
    expect(b.world.snapshot()).to.equal(a.world.snapshot());
    await a.environment.complete(a.hypervisor.machines.remove('m', a.call()));
    expect(a.world.snapshot()).to.equal(empty);
  });

  it('of one owner leaves out what is not marked so', async () => {
    const at = lab('owner');
    const empty = at.world.snapshot('cloud');
    at.world.host('hv1').addForeignMachine('foreign');
    at.world.host('hv1').addForeignNetwork('foreign');
    at.world.host('hv1').define(plain('other', { owner: 'other-cloud' }));
    expect(at.world.snapshot('cloud')).to.equal(empty);
    at.world.host('hv1').define(plain('ours'));
    expect(at.world.snapshot('cloud')).not.to.equal(empty);
  });

  it('shows volumes and where they are attached', async () => {
    const at = lab('volumes');
    await disk(at, 'v');
    const attached = at.world.snapshot();
    await at.environment.complete(at.shared.volumes.release('v', { hostId: 'hv1', uri: 'sim://hv1' }, at.call()));
    expect(at.world.snapshot()).not.to.equal(attached);
  });
});

/** A control plane that does as chance says, in a world where chance breaks things and kills it. */
async function walk(seed: string): Promise<{ hash: string; snapshot: string; landed: number }> {
  const environment = new SimEnvironment(seed);
  const world = new SimWorld(environment, { hintLoss: 0.2 });
  for (const hostname of ['hv1', 'hv2', 'hv3']) world.addHost(hostname);
  world.faults.add({ probability: 0.2, effect: ['fail', 'fail_after', 'timeout_after', 'late', 'delay', 'duplicate'], delayMs: 3000 });
  const { random } = environment;
  let landed = 0;
  for (let life = 0; life < 5; life += 1) {
    const incarnation = environment.incarnation();
    for (const hostname of world.hosts.keys()) {
      const { hypervisor } = driversOf(world, incarnation, hostname);
      const worker = async () => {
        for (;;) {
          const id = `${hostname}-${random.below(5)}`;
          const call: Call = { requestId: id, signal: new AbortController().signal, timeoutMs: 1000 };
          const acts = [
            () => hypervisor.machines.define(plain(id), call),
            () => hypervisor.power.start(id, call),
            () => hypervisor.power.powerOff(id, call),
            () => hypervisor.machines.remove(id, call),
          ] as const;
          await random
            .pick(acts)()
            .then(
              () => {
                landed += 1;
              },
              () => undefined,
            );
        }
      };
      void worker();
    }
    const until = environment.clock.monotonicMs() + random.between(1000, 20_000);
    environment.timers.after(random.between(0, 1000), () => world.freeze('hv1'));
    environment.timers.after(random.between(1000, 5000), () => world.thaw('hv1'));
    environment.timers.after(random.between(0, 2000), () => world.crash('hv2'));
    environment.timers.after(random.between(2000, 3000), () => world.boot('hv2'));
    await environment.run(until);
    incarnation.kill();
  }
  await environment.run();
  return { hash: environment.historyHash(), snapshot: world.snapshot(), landed };
}

describe('the whole simulation', () => {
  it('replays one history from one seed, with faults, crashes and kills', async () => {
    const [first, again, other] = [await walk('seed 1'), await walk('seed 1'), await walk('seed 2')];
    expect(again).to.deep.equal(first);
    expect(other.hash).not.to.equal(first.hash);
    expect(first.landed).to.be.greaterThan(100);
  });

  it('takes ten thousand machines on a thousand hosts', async () => {
    const environment = new SimEnvironment('many');
    const world = new SimWorld(environment);
    const hosts = Array.from({ length: 1000 }, (_, at) => world.addHost(`hv${at}`));
    const call: Call = { requestId: 'many', signal: new AbortController().signal, timeoutMs: 60_000 };
    await environment.complete(
      Promise.all(
        hosts.map(async ({ hostname }) => {
          const { hypervisor } = driversOf(world, environment, hostname);
          for (let count = 0; count < 10; count += 1) await hypervisor.machines.define(plain(`${hostname}-${count}`), call);
        }),
      ),
    );
    expect(hosts.reduce((sum, host) => sum + host.machines.size, 0)).to.equal(10_000);
  });
});
