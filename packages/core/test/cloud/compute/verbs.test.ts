import { assert, expect } from 'chai';
import { host } from '../../../src/cloud/index.ts';
import { sleep } from '../../../src/kernel/index.ts';
import { codeOf, GIB } from '../little-cloud.ts';
import { MachineStage, type State } from './machine-stage.ts';

/** What a verb does to a machine that rests in a state: where it leads, `=` for satisfied, `!` for refused. */
const TABLE: Readonly<Record<string, Readonly<Partial<Record<State, State | '=' | '!'>>>>> = {
  start: { running: '=', suspended: '!', stopped: 'running', crashed: 'running', missing: 'running' },
  stop: { running: 'stopped', suspended: 'stopped', stopped: '=', crashed: 'stopped', missing: '!' },
  suspend: { running: 'suspended', suspended: '=', stopped: '!', crashed: '!', missing: '!' },
  resume: { running: '=', suspended: 'running', stopped: '!', crashed: '!', missing: '!' },
  reboot: { running: 'running', suspended: '!', stopped: '!', crashed: '!', missing: '!' },
  reset: { running: 'running', suspended: 'running', stopped: '!', crashed: 'running', missing: '!' },
  attachVolume: { running: 'running', suspended: 'suspended', stopped: 'stopped', crashed: '!', missing: '!' },
  detachVolume: { running: 'running', suspended: 'suspended', stopped: 'stopped', crashed: '!', missing: '!' },
  attachNic: { running: 'running', suspended: 'suspended', stopped: 'stopped', crashed: '!', missing: '!' },
  detachNic: { running: 'running', suspended: 'suspended', stopped: 'stopped', crashed: '!', missing: '!' },
  resize: { running: 'running', suspended: '!', stopped: 'stopped', crashed: 'crashed', missing: '!' },
  setCpuShares: { running: 'running', suspended: 'suspended', stopped: 'stopped', crashed: 'crashed', missing: '!' },
  delete: { running: 'deleted', suspended: 'deleted', stopped: 'deleted', crashed: 'deleted', missing: 'deleted', deleted: '=' },
};

async function inputOf(stage: MachineStage, verb: string, id: string): Promise<object> {
  if (verb === 'attachVolume') return { volumeId: await stage.volume(8192) };
  if (verb === 'detachVolume') return { volumeId: (await stage.disks(id))[1]?.id };
  if (verb === 'attachNic') return { networkId: stage.networkId };
  if (verb === 'detachNic') return { nicId: (await stage.nics(id))[0]?.id };
  if (verb === 'resize') return { vcpus: 2, memoryBytes: 2 * GIB };
  return verb === 'setCpuShares' ? { cpuShares: 512 } : {};
}

const rich = (stage: MachineStage) => ({ nics: [{ networkId: stage.networkId }], volumes: [{ sizeBytes: 8192 }] });

/** What one request asks of the backends, reads left out; and what without an Idempotency-Key becomes of those that repeat it in parallel. */
interface Repeat {
  readonly once: Readonly<Record<string, number>>;
  /** `nothing`: succeeds without asking. `refused`: fails, as it has been done. `again`: that is what was asked for. */
  readonly others: 'nothing' | 'refused' | 'again';
}
const REPEATS: Readonly<Record<string, Repeat>> = {
  start: {
    once: { 'volumes.attach': 2, ensurePort: 1, 'seeds.put': 1, 'machines.define': 1, 'power.start': 1 },
    others: 'nothing',
  },
  stop: { once: { 'power.shutdown': 1, 'power.powerOff': 1 }, others: 'nothing' },
  suspend: { once: { 'power.suspend': 1 }, others: 'nothing' },
  resume: { once: { 'power.resume': 1 }, others: 'nothing' },
  reboot: { once: { 'power.reboot': 1 }, others: 'again' },
  reset: { once: { 'power.reset': 1 }, others: 'again' },
  attachVolume: { once: { 'volumes.attach': 1, 'hotplug.attachDisk': 1 }, others: 'nothing' },
  detachVolume: { once: { 'hotplug.detachDisk': 1, 'volumes.release': 1 }, others: 'nothing' },
  // Another NIC each time.
  attachNic: { once: { ensurePort: 1, 'hotplug.attachNic': 1 }, others: 'again' },
  detachNic: { once: { 'hotplug.detachNic': 1, deletePort: 1 }, others: 'refused' },
  resize: { once: { 'resize.setVcpus': 1, 'resize.setMemory': 1 }, others: 'refused' },
  setCpuShares: { once: { 'limits.setCpuShares': 1 }, others: 'nothing' },
  delete: {
    once: { 'machines.remove': 1, 'volumes.release': 2, 'volumes.delete': 1, 'seeds.delete': 1, deletePort: 1 },
    others: 'nothing',
  },
};
const IN_PARALLEL = 8;

/** What reads, and what reconcilers do at their own times. */
const NO_VERB = /^(listNetworks|inventory|capacity|ensureNetwork|ensurePool|.*(inspect|list))$/;

/** Counts what the backends are asked, from the last `clear` on. */
function countCommands(stage: MachineStage): Map<string, number> {
  const asked = new Map<string, number>();
  const { faults } = stage.sim.world;
  const strike = faults.strike.bind(faults);
  faults.strike = (host, command) => {
    if (!NO_VERB.test(command)) asked.set(command, (asked.get(command) ?? 0) + 1);
    return strike(host, command);
  };
  return asked;
}

describe('a machine', () => {
  for (const state of ['running', 'suspended', 'stopped', 'crashed', 'missing'] as const)
    it(`that is ${state} takes each verb, or refuses it by name`, async () => {
      const stage = await MachineStage.with();
      for (const [verb, row] of Object.entries(TABLE)) {
        const id = await stage.into(state, await stage.machine(rich(stage)));
        const input = await inputOf(stage, verb, id);
        const expected = row[state];
        const { generation } = await stage.instance(id);
        if (expected === '!') {
          const error = await stage.refusal(`instance.${verb}`, input, id);
          expect(error.code, verb).to.equal('conflict');
          expect(error.params?.state, verb).to.equal(state);
          const allowed = Object.entries(row).filter(([, to]) => to !== '!' && to !== '=');
          expect(error.params?.allowed, verb).to.include.members(allowed.map(([from]) => from));
          continue;
        }
        const accepted = await stage.sim.submit(`instance.${verb}`, input, id);
        expect(Object.keys(accepted)).to.deep.equal(['operationId', 'action', 'resourceKind', 'resourceId', 'acceptedAt']);
        expect((await stage.sim.ended(accepted.operationId)).state, verb).to.equal('succeeded');
        const after = await stage.instance(id);
        expect(after.state, verb).to.equal(expected === '=' ? state : expected);
        if (expected === '=') expect(after.generation, verb).to.equal(generation);
      }
      assert.deepEqual(stage.sim.world.violations, []);
    });

  it('that is deleted is deleted again with the same answer, and unknown to all other verbs', async () => {
    const stage = await MachineStage.with();
    const id = await stage.machine();
    const empty = await stage.taken(stage.hostIds[0] ?? '');
    expect(empty).to.deep.equal([1, GIB]);
    await stage.into('deleted', id);
    expect(await stage.taken(stage.hostIds[0] ?? '')).to.deep.equal([0, 0]);
    for (const verb of Object.keys(TABLE)) {
      const code = await codeOf(stage.sim.done(`instance.${verb}`, verb === 'delete' ? {} : await inputOf(stage, verb, id), id));
      expect(code, verb).to.equal(verb === 'delete' ? 'succeeded' : verb.startsWith('detach') ? 'invalid_input' : 'not_found');
    }
  });

  for (const isKeyed of [true, false])
    it(`takes each verb repeated in parallel ${isKeyed ? 'under one key as one' : 'as often as that means more than once'}`, async () => {
      assert.sameMembers(Object.keys(REPEATS), Object.keys(TABLE));
      const stage = await MachineStage.with();
      const asked = countCommands(stage);
      for (const [verb, { once, others }] of Object.entries(REPEATS)) {
        const id = await stage.machine(verb === 'attachNic' ? {} : rich(stage));
        if (verb === 'start') await stage.into('stopped', id);
        if (verb === 'resume') await stage.into('suspended', id);
        const input = await inputOf(stage, verb, id);
        // Booted, and looked at since.
        await stage.sim.run(5000);
        asked.clear();
        const { environment, kernel, principal } = stage.sim;
        const request = { action: `instance.${verb}`, input, principal, resourceId: id, ...(isKeyed ? { idempotencyKey: verb } : {}) };
        const accepted = await environment.complete(Promise.all(Array.from({ length: IN_PARALLEL }, () => kernel.submit(request))));
        const operations = new Set(accepted.map(({ operationId }) => operationId));
        const ends: string[] = [];
        for (const operationId of operations) {
          const { state, error } = await stage.sim.ended(operationId);
          ends.push(error?.code ?? state);
        }
        expect(operations.size, verb).to.equal(isKeyed ? 1 : IN_PARALLEL);
        const otherEnd = others === 'refused' ? 'conflict' : 'succeeded';
        expect(ends.sort(), verb).to.deep.equal([...Array(operations.size - 1).fill(otherEnd), 'succeeded']);
        const times = isKeyed || others !== 'again' ? 1 : IN_PARALLEL;
        const expected = Object.fromEntries(Object.entries(once).map(([command, count]) => [command, count * times]));
        expect(Object.fromEntries(asked), verb).to.deep.equal(expected);
      }
      assert.deepEqual(stage.sim.world.violations, []);
    });

  it('is asked to power off, and forced only when it does not', async () => {
    const deaf = new Set<string>();
    const guests = ({ name }: { readonly name: string }) => ({
      onShutdown: deaf.has(name) ? ('ignores' as const) : ('powers_off' as const),
    });
    const stage = await MachineStage.with({}, { world: { guests } });
    const took = async (id: string, input: object) => {
      await stage.sim.run(5000);
      const startMs = stage.sim.environment.clock.monotonicMs();
      await stage.sim.done('instance.stop', input, id);
      expect(stage.real(id).power).to.equal('stopped');
      return stage.sim.environment.clock.monotonicMs() - startMs;
    };
    expect(await took(await stage.machine(), {})).to.be.within(1000, 3000);
    deaf.add('vm-2').add('vm-3').add('vm-4');
    expect(await took(await stage.machine(), { timeoutSeconds: 20 })).to.be.within(20_000, 22_000);
    expect(await took(await stage.machine(), { timeoutSeconds: 0 })).to.be.below(1000);
    expect(await took(await stage.machine(), { force: true })).to.be.below(1000);
  });

  it('stops in bounded time although its host does not answer for a while', async () => {
    const stage = await MachineStage.with();
    const id = await stage.machine();
    await stage.sim.run(5000);
    const { operationId } = await stage.sim.submit('instance.stop', { timeoutSeconds: 5 }, id);
    await stage.sim.run(1000);
    stage.sim.world.partition('hv1');
    await stage.sim.run(30_000);
    stage.sim.world.reconnect('hv1');
    const startMs = stage.sim.environment.clock.monotonicMs();
    expect((await stage.sim.ended(operationId)).state).to.equal('succeeded');
    expect(stage.sim.environment.clock.monotonicMs() - startMs).to.be.below(120_000);
  });

  it('stays off while its host is in maintenance, and comes up when that is over', async () => {
    const stage = await MachineStage.with();
    const [hostId = ''] = stage.hostIds;
    const ids = {
      stopped: await stage.into('stopped', await stage.machine()),
      crashed: await stage.into('crashed', await stage.machine()),
      missing: await stage.into('missing', await stage.machine()),
    };
    await stage.sim.done('host.maintain', {}, hostId);
    for (const [verb, id] of [...Object.values(ids).map((each) => ['start', each] as const), ['reset', ids.crashed] as const]) {
      const { code, publicMessage } = await stage.refusal(`instance.${verb}`, {}, id);
      expect([verb, code]).to.deep.equal([verb, 'conflict']);
      expect(publicMessage).to.match(/^The host of instance vm-\d is in maintenance/);
    }
    await stage.sim.done('host.disable', {}, hostId);
    await stage.sim.done('instance.start', {}, ids.stopped);
    await stage.sim.done('host.enable', {}, hostId);
    await stage.sim.done('instance.reset', {}, ids.crashed);
    await stage.sim.done('instance.start', {}, ids.missing);
    expect(await codeOf(stage.sim.done('host.maintain', {}, hostId))).to.equal('in_use');
  });

  for (const [verb, path, state] of [
    ['start', 'define', 'stopped'],
    ['start', 'start', 'stopped'],
    ['reset', 'reset', 'crashed'],
    ['reset', 'running', 'crashed'],
  ] as const)
    it(`is off again where a maintenance of its host begins before the step ${path} of its ${verb}`, async () => {
      const stage = await MachineStage.with();
      const [hostId = ''] = stage.hostIds;
      const id = await stage.into(state, await stage.machine());
      const { operationId } = await stage.sim.submit(`instance.${verb}`, {}, id);
      stage.sim.around = async (point, body, sim) => {
        if (point.operationId === operationId && point.path === path && point.phase === 'do') {
          const { principal, kernel } = sim;
          await kernel.submit({ action: 'host.maintain', input: {}, principal, resourceId: hostId });
          // Durable, with the look for machines that run.
          await sleep(sim.environment.timers, 1000);
        }
        return body();
      };
      const { state: end, error } = await stage.sim.ended(operationId);
      expect([end, error?.code]).to.deep.equal(['failed', 'conflict']);
      expect((await stage.row(host, hostId)).state).to.equal('maintenance');
      expect(stage.real(id).live).to.equal(false);
      expect((await stage.instance(id)).state).to.equal(state);
    });
});
