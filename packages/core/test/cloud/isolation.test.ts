import { expect } from 'chai';
import { instanceCreated } from '../../src/cloud/index.ts';
import { onNotice, type Plugin } from '../../src/kernel/index.ts';
import type { FaultEffect } from '../../testing/index.ts';
import { MachineStage } from './compute/machine-stage.ts';
import { SECRET, URL } from './events/receiver.ts';

/** Machines whose owner has nothing to do with what is in trouble. */
const BYSTANDERS = 6;
const AT_WORK_MAX = 8;
/** What has to do with it: three times as much as may be at work. */
const INVOLVED = 24;
/** What hangs has to be silent for a while before it is told from what is slow. */
const NOTICED_MS = 60_000;

interface Trouble {
  readonly name: string;
  readonly plugin?: Plugin;
  readonly postUrl?: () => Promise<never>;
  readonly begin?: (stage: MachineStage) => unknown;
  /** What is asked of those involved. Default: to be made on the host in trouble. */
  readonly ask?: (stage: MachineStage) => Promise<void>;
}

const forever = (): Promise<never> => new Promise(() => undefined);
const refuse = (): Promise<never> => Promise.reject(new Error('out of order'));

const calls = (name: string, command: string, effect: FaultEffect): Trouble => ({
  name: `${name} ${effect === 'hang' ? 'never answers' : 'refuses everything'}`,
  begin: ({ sim }) => sim.world.faults.add({ host: 'hv1', command, effect }),
});
const observer = (name: string, handler: () => Promise<never>): Trouble => ({
  name: `an observer of machines ${name}`,
  plugin: { id: 'observer', version: '1.0.0', hooks: [onNotice(instanceCreated, handler)] },
});

async function makeThere(stage: MachineStage): Promise<void> {
  const more = { hostId: stage.hostIds[0], nics: [{ networkId: stage.networkId }] };
  for (let number = 0; number < INVOLVED; number += 1) await stage.sim.submit('instance.create', stage.input(more));
}

async function stopGently(stage: MachineStage): Promise<void> {
  for (let number = 0; number < INVOLVED; number += 1) {
    const id = await stage.machine({ hostId: stage.hostIds[0] });
    await stage.sim.submit('instance.stop', { timeoutSeconds: 600 }, id);
  }
}

const TROUBLES: readonly Trouble[] = [
  ...(['hang', 'fail'] as const).flatMap((effect) => [
    calls('the hypervisor of a host', 'machines.define', effect),
    calls('the look at a host', 'machines.list', effect),
    calls('the storage of a host', 'volumes.create', effect),
    calls('the network of a host', 'ensurePort', effect),
  ]),
  { name: 'a host is frozen', begin: ({ sim }) => sim.world.freeze('hv1') },
  { name: 'a host is cut off', begin: ({ sim }) => sim.world.partition('hv1') },
  { name: 'a host refuses connections', begin: ({ sim }) => sim.world.disconnect('hv1') },
  { name: 'a host is dead', begin: ({ sim }) => sim.world.crash('hv1') },
  { name: 'guests do not heed that they are asked to power off', ask: stopGently },
  observer('hangs', forever),
  observer('throws', refuse),
  { name: 'whoever is sent events never answers', postUrl: forever },
  { name: 'whoever is sent events refuses connections', postUrl: refuse },
];

async function stageFor({ plugin, postUrl }: Partial<Trouble>): Promise<MachineStage> {
  return MachineStage.with(
    { hosts: 2 },
    {
      // The same for all, so that chance moves nobody either.
      world: { latencyMs: [100, 100], guests: () => ({ onShutdown: 'ignores' }) },
      runningMax: AT_WORK_MAX,
      ...(plugin === undefined ? {} : { plugins: [plugin] }),
      ...(postUrl === undefined ? {} : { postUrl }),
    },
  );
}

/** How long the slowest operation of each sort took of those that have nothing to do with it, in virtual time. */
async function slowestMs(trouble: Partial<Trouble>): Promise<Readonly<Record<string, number>>> {
  const stage = await stageFor(trouble);
  const { sim } = stage;
  const nics = [{ networkId: await stage.network({ hostId: stage.hostIds[1] }) }];
  if (trouble.postUrl !== undefined) await sim.done('webhook.create', { name: 'hook', url: URL, kinds: ['instance'], secret: SECRET });
  trouble.begin?.(stage);
  if (trouble.name !== undefined) await (trouble.ask ?? makeThere)(stage);
  await sim.run(NOTICED_MS);
  const slowest: Record<string, number> = {};
  const all = async (action: string, inputs: readonly (readonly [input: unknown, resourceId?: string])[]) => {
    const accepted = [];
    for (const [input, id] of inputs) accepted.push(await sim.submit(action, input, id));
    const ended = [];
    for (const { operationId } of accepted) ended.push(await sim.ended(operationId));
    expect([...new Set(ended.map(({ state }) => state))], action).to.deep.equal(['succeeded']);
    slowest[action] = Math.max(...ended.map(({ createdAt, endedAt }) => Date.parse(String(endedAt)) - Date.parse(createdAt)));
    return accepted.map(({ resourceId }) => resourceId);
  };
  const ids = await all(
    'instance.create',
    Array.from({ length: BYSTANDERS }, () => [stage.input({ hostId: stage.hostIds[1], nics })] as const),
  );
  const each = (input: object) => ids.map((id) => [input, id] as const);
  await all('instance.stop', each({ force: true }));
  await all('instance.start', each({}));
  await all('instance.delete', each({}));
  sim.dispose();
  return slowest;
}

describe('what is in trouble', () => {
  let undisturbed: Readonly<Record<string, number>>;
  before(async () => {
    undisturbed = await slowestMs({});
  });

  for (const trouble of TROUBLES)
    it(`moves nobody who has nothing to do with it: ${trouble.name}`, async () => {
      for (const [action, ms] of Object.entries(await slowestMs(trouble)))
        expect(ms, action).to.be.at.most(1.1 * (undisturbed[action] ?? 0));
    });
});
