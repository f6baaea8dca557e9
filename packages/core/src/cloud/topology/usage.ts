import { Type } from 'typebox';
import {
  bytes,
  CloudError,
  type Endpoint,
  equals,
  Lane,
  lookUp,
  type RowOf,
  readPermission,
  sleep,
  timestamp,
} from '../../kernel/index.ts';
import type { Call, HostUsage, MachineUsage } from '../../strategy/index.ts';
import type { CloudServices } from '../services.ts';
import { host } from './host.ts';

/** What a host or a machine uses, as it is shown. */
export interface Usage {
  readonly usedMemoryBytes: number;
  readonly cpuRatio?: number;
  readonly observedAt: string;
}

/** Told of all hosts that answered, after each round. */
export type UsageObserver = (hosts: readonly { readonly name: string; readonly usage: Usage }[]) => void;

type HostRow = RowOf<typeof host>;

const EVERY_MS = 10_000;
const ASK_MS = 5000;
const ASKED_AT_ONCE = 32;
/** Who asks sooner is answered what is known: over less time ratios say nothing. */
const FRESH_MS = 1000;

interface Sample {
  readonly atMs: number;
  readonly observedAt: string;
  readonly usage: HostUsage;
  readonly machines: ReadonlyMap<string, MachineUsage>;
}

/** The last two of a host. */
interface Known {
  readonly now: Sample;
  readonly before: Sample | undefined;
}

export const usageSchema = (whose: string) =>
  Type.Object({
    usedMemoryBytes: bytes({ description: `Memory of the host that ${whose} takes.` }),
    cpuRatio: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 1,
        description: 'Share of its processors that was at work since it was observed before. Absent when it was not.',
      }),
    ),
    observedAt: Type.String({ format: 'date-time' }),
  });

/**
 * What hosts and machines use, kept in memory alone: it changes all the time, and neither the rows nor the feed are for that. Asked for when somebody wants to know,
 * and where somebody listens every ten seconds besides.
 */
export class Usages {
  readonly #services: Pick<CloudServices, 'environment' | 'reader' | 'slices' | 'hosts'>;
  readonly #observe: UsageObserver | undefined;
  readonly #stop = new AbortController();
  readonly #known = new Map<string, Known>();
  /** By host. Who wants to know at once asks once. */
  readonly #asked = new Map<string, Promise<Known>>();

  constructor(services: Pick<CloudServices, 'environment' | 'reader' | 'slices' | 'hosts'>, observe?: UsageObserver) {
    this.#services = services;
    this.#observe = observe;
  }

  /** @throws CloudError `unsupported` where the host cannot tell */
  async ofHost(row: Pick<HostRow, 'id' | 'cpus'>): Promise<Usage> {
    const { now, before } = await this.#ask(row.id);
    return shown(now, now.usage, before === undefined ? undefined : { atMs: before.atMs, cpuMs: before.usage.cpuMs }, row.cpus ?? 1);
  }

  /** Of a machine on the host; undefined of one that is off. */
  async ofMachine(hostId: string, machineId: string, vcpus: number): Promise<Usage | undefined> {
    const { now, before } = await this.#ask(hostId);
    const [machine, was] = [now.machines.get(machineId), before?.machines.get(machineId)];
    if (machine === undefined) return undefined;
    return shown(now, machine, before === undefined || was === undefined ? undefined : { atMs: before.atMs, cpuMs: was.cpuMs }, vcpus);
  }

  /** Answers how to stop. */
  start(): () => Promise<void> {
    const ended = this.#observe === undefined ? Promise.resolve() : this.#loop(this.#observe, this.#stop.signal);
    return async () => {
      this.#stop.abort();
      await ended;
    };
  }

  async #loop(observe: UsageObserver, signal: AbortSignal): Promise<void> {
    const { timers, logger } = this.#services.environment;
    while (!signal.aborted) {
      try {
        observe(await this.#round(signal));
      } catch (error) {
        logger.debug({ error: String(error) }, 'what hosts use is not known');
      }
      await sleep(timers, EVERY_MS, signal).catch(() => undefined);
    }
  }

  async #round(signal: AbortSignal): Promise<Parameters<UsageObserver>[0]> {
    const { reader, slices, hosts, environment } = this.#services;
    const rows = await slices.list(reader, host, equals('status', 'connected'));
    const there = new Set<string>(rows.map(({ id }) => id));
    for (const id of this.#known.keys()) if (!there.has(id)) this.#known.delete(id);
    const lane = new Lane(ASKED_AT_ONCE);
    const told: { readonly name: string; readonly usage: Usage }[] = [];
    const ask = async (row: HostRow) => {
      if (signal.aborted || !(await hosts.hypervisor(row.id)).offers('usage')) return;
      told.push({ name: row.name, usage: await this.ofHost(row) });
    };
    const quietly = (row: HostRow) =>
      ask(row).catch((error: unknown) =>
        environment.logger.debug({ hostId: row.id, error: String(error) }, 'what a host uses is not known'),
      );
    await Promise.all(rows.map((row) => lane.run(() => quietly(row))));
    return told;
  }

  #ask(hostId: string): Promise<Known> {
    const known = this.#known.get(hostId);
    if (known !== undefined && this.#services.environment.clock.monotonicMs() - known.now.atMs < FRESH_MS) return Promise.resolve(known);
    const asked = this.#asked.get(hostId) ?? this.#read(hostId).finally(() => this.#asked.delete(hostId));
    this.#asked.set(hostId, asked);
    return asked;
  }

  async #read(hostId: string): Promise<Known> {
    const { hosts, environment } = this.#services;
    // Not ended by one who asks: others may wait for the same answer.
    const call: Call = { requestId: `usage-${hostId}`, signal: this.#stop.signal, timeoutMs: ASK_MS };
    const usage = await (await hosts.hypervisor(hostId)).usage(call);
    const now: Sample = {
      atMs: environment.clock.monotonicMs(),
      observedAt: timestamp(environment.clock),
      usage,
      machines: new Map(usage.machines.map((machine) => [machine.id, machine])),
    };
    const known: Known = { now, before: this.#known.get(hostId)?.now };
    this.#known.set(hostId, known);
    return known;
  }
}

/** Times that have fallen are of another start: nothing can be told until the next sample. */
function shown(
  { atMs, observedAt }: Sample,
  now: { readonly usedMemoryBytes: number; readonly cpuMs: number },
  before: { readonly atMs: number; readonly cpuMs: number } | undefined,
  processors: number,
): Usage {
  const { usedMemoryBytes } = now;
  if (before === undefined || now.cpuMs < before.cpuMs || atMs <= before.atMs) return { usedMemoryBytes, observedAt };
  // What the hypervisor does for a machine may take more than the machine's own processors have.
  const cpuRatio = Math.min(1, (now.cpuMs - before.cpuMs) / (atMs - before.atMs) / processors);
  return { usedMemoryBytes, cpuRatio: Math.round(cpuRatio * 10_000) / 10_000, observedAt };
}

export const hostUsage = ({ reader, usages }: Pick<CloudServices, 'reader' | 'usages'>): Endpoint => ({
  type: 'value',
  method: 'GET',
  path: '/hosts/{id}/usage',
  summary: 'How much of its memory and processors a host uses at this moment.',
  permission: readPermission(host),
  scope: 'cloud',
  answer: usageSchema('all that runs there'),
  handle: async ({ principal, params }) => {
    const row = (await lookUp(reader, host, params.id ?? '', principal)).row as HostRow;
    if (row.status !== 'connected') throw new CloudError('unavailable', `${row.name} does not answer.`);
    return usages.ofHost(row);
  },
});
