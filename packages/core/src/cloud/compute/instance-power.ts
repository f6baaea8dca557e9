import { type TObject, Type } from 'typebox';
import {
  type Action,
  announce,
  CloudError,
  defineAction,
  type Failed,
  FORWARD_ONLY,
  type Id,
  NOTHING_TO_UNDO,
  type Reader,
  type Saga,
  type StateOf,
  saga,
  sleep,
  transition,
} from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import { given } from '../naming.ts';
import { network, portOf, portsReady, refuseUnconnected } from '../network/contract.ts';
import { atRest } from '../patient-call.ts';
import { host } from '../topology/contract.ts';
import {
  type ComputeContext,
  type ComputeServices,
  hostOf,
  hypervisorOf,
  type InstanceRow,
  type NicRow,
  nicsOf,
  prepareMachine,
  volumesOf,
} from './context.ts';
import { refuseFoundElsewhere } from './found-elsewhere.ts';
import { instance } from './instance.ts';
import { brief } from './late.ts';
import { notMaintained, refuseMaintained, refuseStartAmidDrain, refuseSuspensionAmidDrain } from './maintained.ts';
import { instanceStarted, instanceStarting, instanceStopped } from './points.ts';
import { shutdownSeconds } from './settings.ts';
import { opening, refuseUnheld, sharedIds } from './shared-disks.ts';

interface PowerParams {
  readonly instanceId: Id<'instance'>;
  /** Volumes of several machines that it has, which are held while it opens them. */
  readonly sharedIds?: readonly Id<'volume'>[];
}
interface StopParams extends PowerParams {
  readonly graceMs: number;
}

const BOOT_TIMEOUT_MS = 120_000;
const STOP_TIMEOUT_MS = 15 * 60_000;
const POLL_MS = 500;

const alive: readonly StateOf<typeof instance>[] = ['running', 'suspended', 'stopped', 'crashed', 'missing'];

const power = async (
  ctx: ComputeContext,
  params: PowerParams,
  verb: 'start' | 'powerOff' | 'suspend' | 'resume' | 'reboot' | 'reset' | 'shutdown',
  call: Call,
) => (await hypervisorOf(ctx, params.instanceId)).power(verb, params.instanceId, call);

/** Takes a change of power back where there is something to take back: a machine that has gone down meanwhile, with its host or by itself, stays down. */
async function powerBack(ctx: ComputeContext, params: PowerParams, verb: 'suspend' | 'resume', call: Call): Promise<void> {
  const hypervisor = await hypervisorOf(ctx, params.instanceId);
  const seen = await hypervisor.inspect(params.instanceId, call);
  if (seen?.power === (verb === 'resume' ? 'paused' : 'running')) await hypervisor.power(verb, params.instanceId, call);
}

const becomes = (params: PowerParams, to: 'running' | 'stopped' | 'suspended') =>
  transition(instance, params.instanceId, { from: alive, to, set: { desiredPower: to, stateReason: null } });

const isPlugged = ({ state }: NicRow): boolean => state === 'attached';

/** Also makes a machine anew that somebody removed, brings changed sizes into force, and gives the host the keys that it needs. */
async function defineAnew(ctx: ComputeContext, params: PowerParams, call: Call): Promise<string> {
  const row = await ctx.reader.get(instance, params.instanceId);
  await refuseUnheld(ctx, row.id, params.sharedIds);
  await refuseMaintained(ctx.reader, row);
  await refuseFoundElsewhere(ctx.reader, row);
  await (await ctx.hosts.hypervisor(hostOf(row))).define(await prepareMachine(ctx, row, call), call);
  return hostOf(row);
}

/** What its host was connected to when it came there may be so no longer. @throws CloudError conflict */
async function refuseCutOff(ctx: ComputeContext, instanceId: Id<'instance'>): Promise<void> {
  const nics = (await nicsOf(ctx, instanceId)).filter(isPlugged);
  if (nics.length === 0) return;
  const at = await ctx.reader.get(host, hostOf(await ctx.reader.get(instance, instanceId)));
  for (const { networkId } of nics) await refuseUnconnected(ctx, await ctx.reader.get(network, networkId), at);
}

async function switchOn(ctx: ComputeContext, params: PowerParams, call: Call): Promise<void> {
  await opening(ctx, params.instanceId, await volumesOf(ctx, params.instanceId), call, () => power(ctx, params, 'start', call));
}

export const instanceStart = saga<ComputeContext, PowerParams>('instance.start', 1)
  .effect('define', {
    do: async ({ ctx, params, call }) => {
      await refuseCutOff(ctx, params.instanceId);
      return defineAnew(ctx, params, call);
    },
    undo: NOTHING_TO_UNDO,
  })
  .effect('start', {
    timeoutMs: BOOT_TIMEOUT_MS,
    do: async ({ ctx, params, call }) => {
      await switchOn(ctx, params, call);
      if (ctx.fabrics.tellReadiness) await portsReady(ctx, (await nicsOf(ctx, params.instanceId)).filter(isPlugged).map(portOf), call);
    },
    undo: ({ ctx, params, call }) => power(ctx, params, 'powerOff', call),
  })
  .write('running', {
    do: ({ params, out, operationId }) => [
      becomes(params, 'running'),
      notMaintained(out.define),
      announce(instanceStarted, `${operationId}/started`, { instanceId: params.instanceId, hostId: out.define }),
    ],
    undo: NOTHING_TO_UNDO,
  })
  .build();

/** Asks the guest, waits, then forces. Once the guest was asked it may go down at any time, so there is no way back. */
export const instanceStop = saga<ComputeContext, StopParams>('instance.stop', 1)
  .effect('reach', {
    do: async ({ ctx, params, call }) => {
      const hostId = hostOf(await ctx.reader.get(instance, params.instanceId));
      await (await ctx.hosts.hypervisor(hostId)).inspect(params.instanceId, call);
      return hostId;
    },
    undo: NOTHING_TO_UNDO,
  })
  .effect('power-off', {
    timeoutMs: STOP_TIMEOUT_MS,
    do: async ({ ctx, params, call }) => {
      if (params.graceMs > 0) await atRest(ctx, call, () => shutDown(ctx, params, brief(call)));
      await power(ctx, params, 'powerOff', brief(call));
      ctx.consoles.revoke({ instanceId: params.instanceId });
    },
    undo: FORWARD_ONLY,
  })
  .write('stopped', {
    do: ({ params, out, operationId }) => [
      becomes(params, 'stopped'),
      announce(instanceStopped, `${operationId}/stopped`, { instanceId: params.instanceId, hostId: out.reach }),
    ],
    undo: FORWARD_ONLY,
  })
  .build();

async function shutDown(ctx: ComputeContext, params: StopParams, call: Call): Promise<void> {
  const { clock, timers } = ctx.environment;
  const hypervisor = await hypervisorOf(ctx, params.instanceId);
  const untilMs = clock.monotonicMs() + params.graceMs;
  const seen = await hypervisor.inspect(params.instanceId, call);
  if (seen?.power !== 'running') return;
  await power(ctx, params, 'shutdown', call);
  while (clock.monotonicMs() < untilMs) {
    await sleep(timers, POLL_MS, call.signal);
    if ((await hypervisor.inspect(params.instanceId, call))?.power !== 'running') return;
  }
}

export const instanceSuspend = saga<ComputeContext, PowerParams>('instance.suspend', 1)
  .effect('suspend', {
    do: ({ ctx, params, call }) => power(ctx, params, 'suspend', call),
    undo: ({ ctx, params, call }) => powerBack(ctx, params, 'resume', call),
  })
  .write('suspended', { do: ({ params }) => [becomes(params, 'suspended')], undo: NOTHING_TO_UNDO })
  .build();

export const instanceResume = saga<ComputeContext, PowerParams>('instance.resume', 1)
  .effect('resume', {
    do: ({ ctx, params, call }) => power(ctx, params, 'resume', call),
    undo: ({ ctx, params, call }) => powerBack(ctx, params, 'suspend', call),
  })
  .write('running', { do: ({ params }) => [becomes(params, 'running')], undo: NOTHING_TO_UNDO })
  .build();

export const instanceReboot = saga<ComputeContext, PowerParams>('instance.reboot', 1)
  .effect('reboot', { do: ({ ctx, params, call }) => power(ctx, params, 'reboot', call), undo: NOTHING_TO_UNDO })
  .build();

/** The reset button. A machine that has crashed has none: it is started. */
export const instanceReset = saga<ComputeContext, PowerParams>('instance.reset', 1)
  .effect('reach', {
    do: async ({ ctx, params, call }) => {
      const row = await ctx.reader.get(instance, params.instanceId);
      const seen = await (await ctx.hosts.hypervisor(hostOf(row))).inspect(params.instanceId, call);
      if (seen === undefined) throw new CloudError('conflict', 'The machine is missing on its host; start it.');
      return { wasOffOn: row.state === 'crashed' ? hostOf(row) : null };
    },
    undo: NOTHING_TO_UNDO,
  })
  .effect('reset', {
    timeoutMs: BOOT_TIMEOUT_MS,
    do: async ({ ctx, params, call }) => {
      const hypervisor = await hypervisorOf(ctx, params.instanceId);
      const power = (await hypervisor.inspect(params.instanceId, call))?.power;
      if (power === 'running' || power === 'paused') await hypervisor.power('reset', params.instanceId, call);
      if (power === 'paused') await hypervisor.power('resume', params.instanceId, call);
      if (power === 'crashed') await hypervisor.power('powerOff', params.instanceId, call);
      if (power === 'running' || power === 'paused') return;
      await defineAnew(ctx, params, call);
      await switchOn(ctx, params, call);
    },
    // Any other counted as on, and no maintenance begins beside it.
    undo: async ({ ctx, params, out, call }) => {
      if (out.reach.wasOffOn !== null) await power(ctx, params, 'powerOff', call);
    },
  })
  .write('running', {
    do: ({ params, out: { reach } }) => [becomes(params, 'running'), ...(reach.wasOffOn === null ? [] : [notMaintained(reach.wasOffOn)])],
    undo: NOTHING_TO_UNDO,
  })
  .build();

interface Verb<P extends PowerParams> {
  readonly verb: string;
  readonly description: string;
  readonly from: readonly StateOf<typeof instance>[];
  readonly saga: Saga<ComputeContext, P>;
  readonly satisfied?: (row: InstanceRow) => boolean;
  /** @throws CloudError where it may not be asked for now, of this machine */
  readonly refuse?: (reader: Reader, row: InstanceRow) => Promise<void>;
  /** It makes the machine open its disks. */
  readonly opens?: true;
  readonly input?: TObject;
  readonly more?: (input: Record<string, unknown>, row: InstanceRow) => Promise<Omit<P, keyof PowerParams>>;
}

/** For verbs that start a machine which is off. */
async function refuseStart(reader: Reader, row: InstanceRow): Promise<void> {
  if (row.state === 'running' || row.state === 'suspended') return;
  await refuseMaintained(reader, row);
  await refuseStartAmidDrain(reader, row);
}

function verbAction<P extends PowerParams>(services: ComputeServices, spec: Verb<P>): Action {
  return defineAction({
    kind: instance,
    verb: spec.verb,
    description: spec.description,
    target: 'resource',
    input: spec.input ?? Type.Object({}),
    from: spec.from,
    ...(spec.satisfied === undefined ? {} : { satisfied: spec.satisfied }),
    ...(spec.verb === 'start' ? { gate: instanceStarting } : {}),
    accept: async ({ row, input }) => {
      await spec.refuse?.(services.reader, row);
      const keys = spec.opens === true ? await sharedIds(services, row.id) : [];
      const shared = given({ sharedIds: keys.length === 0 ? undefined : keys });
      return {
        params: { instanceId: row.id, ...shared, ...(await spec.more?.(input as Record<string, unknown>, row)) } as P,
        statements: [],
        keys,
      };
    },
    ...(spec.opens === true ? { again: ({ params }: Failed<P>) => withAll(services, params) } : {}),
    saga: spec.saga,
    context: () => services,
  });
}

/** With the disks that it was given by what went before; undefined where it failed for a reason of its own. */
async function withAll<P extends PowerParams>(services: ComputeServices, params: P) {
  const keys = await sharedIds(services, params.instanceId);
  if (keys.every((id) => params.sharedIds?.includes(id) === true)) return undefined;
  return { params: { ...params, sharedIds: keys }, statements: [], keys, queue: true as const };
}

const stopInput = Type.Object({
  force: Type.Optional(Type.Boolean({ description: 'At once, without asking the guest.' })),
  timeoutSeconds: Type.Optional(
    Type.Integer({ minimum: 0, maximum: 600, description: 'How long the guest may take before it is forced.' }),
  ),
});

export const powerActions = (services: ComputeServices): readonly Action[] => [
  verbAction(services, {
    verb: 'start',
    description: 'Starts a machine that is not running.',
    from: ['stopped', 'crashed', 'missing'],
    saga: instanceStart,
    satisfied: (row) => row.state === 'running',
    refuse: refuseStart,
    opens: true,
  }),
  verbAction(services, {
    verb: 'stop',
    description: 'Asks the guest to power off, and forces it when it does not.',
    from: ['running', 'suspended', 'crashed'],
    saga: instanceStop,
    satisfied: (row) => row.state === 'stopped',
    input: stopInput,
    more: async ({ force, timeoutSeconds }, row) => {
      if (force === true) return { graceMs: 0 };
      const seconds = typeof timeoutSeconds === 'number' ? timeoutSeconds : await services.settings.at(shutdownSeconds, instance, row);
      return { graceMs: seconds * 1000 };
    },
  }),
  verbAction(services, {
    verb: 'suspend',
    description: 'Freezes a running machine, keeping its memory.',
    from: ['running'],
    saga: instanceSuspend,
    satisfied: (row) => row.state === 'suspended',
    refuse: refuseSuspensionAmidDrain,
  }),
  verbAction(services, {
    verb: 'resume',
    description: 'Lets a suspended machine go on.',
    from: ['suspended'],
    saga: instanceResume,
    satisfied: (row) => row.state === 'running',
  }),
  verbAction(services, { verb: 'reboot', description: 'Asks the guest to restart.', from: ['running'], saga: instanceReboot }),
  verbAction(services, {
    verb: 'reset',
    description: 'Presses the reset button.',
    from: ['running', 'suspended', 'crashed'],
    saga: instanceReset,
    refuse: refuseStart,
    opens: true,
  }),
];
