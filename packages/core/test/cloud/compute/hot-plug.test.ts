import type { HypervisorFeature } from '@pileus/core/testing';
import { expect } from 'chai';
import { nic } from '../../../src/cloud/index.ts';
import type { CloudError } from '../../../src/kernel/index.ts';
import { GIB } from '../little-cloud.ts';
import { MachineStage } from './machine-stage.ts';

/** What can be changed about a machine that is there. */
interface Component {
  readonly name: string;
  /** Without which the host refuses it. */
  readonly feature: HypervisorFeature;
  /** Makes what is put in. The result goes to `plug`. */
  prepare?(stage: MachineStage, id: string): Promise<string>;
  plug(thing: string, stage: MachineStage, id: string): Promise<Ask>;
  unplug(thing: string, stage: MachineStage, id: string): Promise<Ask>;
  /** Whether the real machine has it. */
  has(stage: MachineStage, id: string, thing: string): boolean;
}

/** An action, its input, and what it is asked of. */
type Ask = readonly [action: string, input: object, resourceId: string | undefined];

const ofMachine = (verb: string, input: object, id: string): Ask => [`instance.${verb}`, input, id];

const disk = (name: string, prepare: (stage: MachineStage, id: string) => Promise<string>): Component => ({
  name,
  feature: 'hotplug',
  prepare,
  plug: async (volumeId, _, id) => ofMachine('attachVolume', { volumeId }, id),
  unplug: async (volumeId, _, id) => ofMachine('detachVolume', { volumeId }, id),
  has: (stage, id, volumeId) => stage.real(id).spec.disks.some((each) => each.volumeId === volumeId),
});

const rootDisk = async (stage: MachineStage, id: string) => (await stage.disks(id))[0]?.id ?? '';
const firstNic = async (stage: MachineStage, id: string) => (await stage.nics(id))[0]?.id ?? '';

const COMPONENTS: readonly Component[] = [
  disk('an empty volume', (stage) => stage.volume(8192)),
  disk('an encrypted volume', (stage) => stage.volume(8192, { encrypted: true })),
  disk('a volume for several machines', async (stage) => {
    const pool = { name: 'shared', driver: 'simulated-shared', clusterId: stage.clusterId, storageClass: 'shared' };
    return stage.volume(8192, { poolId: await stage.sim.done('pool.create', pool), shareable: true });
  }),
  disk('a volume of an image', (stage) => stage.sim.done('volume.create', { imageId: stage.imageId, sizeBytes: 8192 })),
  disk('a volume of a snapshot of its own disk', async (stage, id) => {
    const snapshotId = await stage.sim.done('snapshot.create', { name: 'before', volumeId: await rootDisk(stage, id) });
    return stage.sim.done('volume.create', { snapshotId });
  }),
  {
    name: 'a NIC',
    feature: 'hotplug',
    plug: async (_, stage, id) => ofMachine('attachNic', { networkId: stage.networkId, address: '10.0.0.99' }, id),
    unplug: async (_, stage, id) => {
      const added = (await stage.rows(nic)).find(({ address }) => address === '10.0.0.99');
      return ofMachine('detachNic', { nicId: added?.id }, id);
    },
    has: (stage, id) => stage.real(id).spec.nics.some(({ slot }) => slot === 1),
  },
  {
    name: 'an ISO',
    feature: 'drive',
    prepare: (stage) => stage.iso('drivers'),
    plug: async (imageId, _, id) => ofMachine('attachIso', { imageId }, id),
    unplug: async (_, __, id) => ofMachine('detachIso', {}, id),
    has: (stage, id, imageId) => stage.real(id).spec.iso?.imageId === imageId,
  },
  {
    name: 'processors',
    feature: 'resize',
    plug: async (_, __, id) => ofMachine('resize', { vcpus: 2 }, id),
    unplug: async (_, __, id) => ofMachine('resize', { vcpus: 1 }, id),
    has: (stage, id) => stage.real(id).spec.vcpus === 2,
  },
  {
    name: 'memory',
    feature: 'resize',
    plug: async (_, __, id) => ofMachine('resize', { memoryBytes: 2 * GIB }, id),
    unplug: async (_, __, id) => ofMachine('resize', { memoryBytes: GIB }, id),
    has: (stage, id) => stage.real(id).spec.memoryBytes === 2 * GIB,
  },
  {
    name: 'limits of a disk',
    feature: 'diskLimits',
    prepare: rootDisk,
    plug: async (id) => ['volume.setLimits', { limits: { iopsPerSecond: 500 } }, id],
    unplug: async (id) => ['volume.setLimits', { limits: { iopsPerSecond: 0 } }, id],
    has: (stage, id) => stage.real(id).spec.disks[0]?.limits?.iopsPerSecond === 500,
  },
  {
    name: 'limits of a NIC',
    feature: 'nicLimits',
    prepare: firstNic,
    plug: async (id) => ['nic.setLimits', { limits: { inboundBytesPerSecond: 5000 } }, id],
    unplug: async (id) => ['nic.setLimits', { limits: { inboundBytesPerSecond: 0 } }, id],
    has: (stage, id) => stage.real(id).spec.nics[0]?.limits?.inboundBytesPerSecond === 5000,
  },
  {
    name: 'shares of the processors',
    feature: 'cpuShares',
    plug: async (_, __, id) => ofMachine('setCpuShares', { cpuShares: 77 }, id),
    unplug: async (_, __, id) => ofMachine('setCpuShares', { cpuShares: 100 }, id),
    has: (stage, id) => stage.real(id).spec.cpuShares === 77,
  },
];

const STATES = ['running', 'suspended', 'stopped', 'crashed', 'missing'] as const;
const BOTH = 'in and out';
const LATER = 'in and out with its next start';
const REFUSED = 'conflict';

/** `done`, or code and field of the refusal, which must change nothing at all. */
async function asked(stage: MachineStage, [action, input, resourceId]: Ask): Promise<string> {
  const before = await stage.revision();
  try {
    const { error } = await stage.outcome(action, input, resourceId);
    return error === undefined ? 'done' : `failed: ${error.code}`;
  } catch (error) {
    expect(await stage.revision(), 'a refusal wrote something').to.equal(before);
    const { code, pointer } = error as CloudError;
    return pointer === undefined ? code : `${code} ${pointer}`;
  }
}

/** In and out at once; in and out with its next start; only in; or the refusal of both. */
const EXPECTED: Readonly<Record<string, Readonly<Record<(typeof STATES)[number], string>>>> = {
  ...Object.fromEntries(
    COMPONENTS.filter(({ feature }) => feature === 'hotplug' || feature === 'drive').map(({ name }) => [
      name,
      { running: BOTH, suspended: BOTH, stopped: BOTH, crashed: REFUSED, missing: REFUSED },
    ]),
  ),
  processors: { running: 'in, unsupported /vcpus', suspended: REFUSED, stopped: BOTH, crashed: BOTH, missing: REFUSED },
  memory: { running: 'in, unsupported /memoryBytes', suspended: REFUSED, stopped: BOTH, crashed: BOTH, missing: REFUSED },
  'limits of a disk': { running: BOTH, suspended: BOTH, stopped: LATER, crashed: LATER, missing: LATER },
  'limits of a NIC': { running: BOTH, suspended: BOTH, stopped: LATER, crashed: LATER, missing: LATER },
  'shares of the processors': { running: BOTH, suspended: BOTH, stopped: LATER, crashed: LATER, missing: REFUSED },
};

/** A machine in a state, and what the component is made of. */
async function machineIn(state: (typeof STATES)[number], component: Component, without: readonly HypervisorFeature[] = []) {
  const stage = await MachineStage.with({}, { without });
  const id = await stage.machine({ nics: [{ networkId: stage.networkId }] });
  const thing = (await component.prepare?.(stage, id)) ?? '';
  await stage.into(state, id);
  return { stage, id, plug: () => component.plug(thing, stage, id), unplug: () => component.unplug(thing, stage, id), has };

  function has(): boolean {
    return stage.copies(id) === 1 && component.has(stage, id, thing);
  }
}

/** Puts it in and takes it out again, looking at the real machine each time. */
async function cell(state: (typeof STATES)[number], component: Component): Promise<string> {
  const { stage, id, plug, unplug, has } = await machineIn(state, component);
  const plugged = await asked(stage, await plug());
  if (plugged !== 'done') return `${plugged}${has() ? ', but it is there' : ''}`;
  const atOnce = has();
  if (!atOnce) {
    await stage.sim.done('instance.start', {}, id);
    if (!has()) return 'was lost';
    await stage.into('stopped', id);
  }
  const unplugged = await asked(stage, await unplug());
  if (unplugged !== 'done') return `in, ${unplugged}${has() ? '' : ', but it is gone'}`;
  if (!atOnce) await stage.sim.done('instance.start', {}, id);
  expect(stage.sim.world.violations).to.deep.equal([]);
  if (has()) return 'stays in';
  return atOnce ? BOTH : LATER;
}

describe('what is plugged into a machine, and out of it', () => {
  for (const component of COMPONENTS)
    it(`${component.name}: there at once, with its next start, or refused by name`, async () => {
      const cells: Record<string, string> = {};
      for (const state of STATES) cells[state] = await cell(state, component);
      expect(cells).to.deep.equal(EXPECTED[component.name]);
    });

  it('is refused by a host that cannot, before anything changes', async () => {
    for (const component of COMPONENTS) {
      const { stage, plug, has } = await machineIn('running', component, [component.feature]);
      expect([await asked(stage, await plug()), has()], component.name).to.deep.equal(['unsupported', false]);
    }
  });
});
