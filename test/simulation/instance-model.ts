import type { Action } from '@pileus/core/kernel';
import type { SimRandom } from '@pileus/core/testing';

const GIB = 2 ** 30;
const NICS_MAX = 8;

/** What an owner sees of a machine and of the one volume beside it. */
export interface Model {
  readonly state: string;
  readonly hasVolume: boolean;
  readonly nics: number;
  readonly vcpus: number;
  readonly memoryBytes: number;
  readonly vcpusMax: number;
  readonly memoryBytesMax: number;
  readonly cpuShares: number | undefined;
}

export interface Ask {
  readonly verb: string;
  readonly input: Readonly<Record<string, unknown>>;
}

/** How an operation ended, or the code that refused it; and what is then. */
export interface Outcome {
  readonly said: string;
  readonly model: Model;
}

/** Where a verb leads that was taken. `undefined` = where it is. */
const LEADS: Readonly<Record<string, string | undefined>> = {
  start: 'running',
  stop: 'stopped',
  suspend: 'suspended',
  resume: 'running',
  reboot: undefined,
  reset: 'running',
  attachVolume: undefined,
  detachVolume: undefined,
  attachNic: undefined,
  detachNic: undefined,
  resize: undefined,
  setCpuShares: undefined,
  delete: 'deleted',
};
export const VERBS = Object.keys(LEADS) as [string, ...string[]];

/** The same where what is deleted goes into the trash. */
const TRASH_LEADS: Readonly<Record<string, string | undefined>> = { recover: 'stopped', expunge: 'deleted' };
export const TRASH_VERBS = Object.keys(TRASH_LEADS);

/** A request for a verb; `nicIds` are the machine's. */
export function drawAsk(
  random: SimRandom,
  verb: string,
  things: Readonly<Record<'volumeId' | 'networkId', string>>,
  nicIds: string[],
): Ask {
  const { volumeId, networkId } = things;
  const [nicId, ...more] = nicIds;
  const inputs: Readonly<Record<string, () => Ask['input']>> = {
    stop: () => ({ force: true }),
    attachVolume: () => ({ volumeId }),
    detachVolume: () => ({ volumeId }),
    attachNic: () => ({ networkId }),
    // A machine without NICs is asked for one that it has not.
    detachNic: () => ({ nicId: nicId === undefined ? volumeId : random.pick([nicId, ...more]) }),
    resize: () => ({ vcpus: random.pick([1, 2, 3]), memoryBytes: random.pick([GIB, 2 * GIB]) }),
    setCpuShares: () => ({ cpuShares: random.pick([256, 512]) }),
  };
  return { verb, input: inputs[verb]?.() ?? {} };
}

/** What a request does to a machine that rests, by the table of the kind. */
export function outcome(action: Action, { verb, input }: Ask, model: Model): Outcome {
  if (action.satisfied?.({ state: model.state } as never) === true) return { said: 'succeeded', model };
  if (model.state === 'deleted') return { said: 'not_found', model };
  if (action.from !== undefined && !action.from.includes(model.state)) return { said: 'conflict', model };
  return parts(verb, input, { ...model, state: LEADS[verb] ?? TRASH_LEADS[verb] ?? model.state });
}

function parts(verb: string, input: Ask['input'], model: Model): Outcome {
  const { nics } = model;
  if (verb === 'delete') return { said: 'succeeded', model: { ...model, hasVolume: false, nics: 0 } };
  if (verb === 'attachVolume' || verb === 'detachVolume')
    return { said: 'succeeded', model: { ...model, hasVolume: verb === 'attachVolume' } };
  if (verb === 'attachNic')
    return nics === NICS_MAX ? { said: 'conflict', model } : { said: 'succeeded', model: { ...model, nics: nics + 1 } };
  if (verb === 'detachNic') return nics === 0 ? { said: 'not_found', model } : { said: 'succeeded', model: { ...model, nics: nics - 1 } };
  if (verb === 'setCpuShares') return { said: 'succeeded', model: { ...model, cpuShares: input.cpuShares as number } };
  return verb === 'resize'
    ? resized(input as { readonly vcpus: number; readonly memoryBytes: number }, model)
    : { said: 'succeeded', model };
}

function resized(to: Pick<Model, 'vcpus' | 'memoryBytes'>, model: Model): Outcome {
  const { vcpusMax, memoryBytesMax } = model;
  const grows = to.vcpus >= model.vcpus && to.memoryBytes >= model.memoryBytes && to.vcpus <= vcpusMax && to.memoryBytes <= memoryBytesMax;
  if (model.state === 'running' && !grows) return { said: 'unsupported', model };
  const maxima = { vcpusMax: Math.max(vcpusMax, to.vcpus), memoryBytesMax: Math.max(memoryBytesMax, to.memoryBytes) };
  return { said: 'succeeded', model: { ...model, ...to, ...maxima } };
}
