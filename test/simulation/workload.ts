import { type Accepted, isCloudError, type JsonObject, sleep } from '@pileus/core/kernel';
import type { SimCloud } from '@pileus/core/testing';

/** What clients know of: ids of all that they asked for, the dead included. */
export interface Known {
  readonly instances: string[];
  readonly volumes: string[];
  readonly networks: string[];
  readonly operations: string[];
  readonly groups: readonly string[];
}
export interface Surroundings {
  readonly sim: SimCloud;
  readonly imageId: string;
  readonly known: Known;
  /** Answers by idempotency key: a repeat must answer the same. */
  readonly answers: Map<string, string>;
  readonly problems: string[];
}

interface Wish {
  readonly action: string;
  readonly resourceId?: string;
  readonly input: JsonObject;
  readonly into?: string[];
}

const ANSWER_WITHIN_MS = 15_000;
const TRIES = 40;

/** One client: asks for something at random, repeats what was not answered with the same key, and goes on. */
export class Client {
  readonly #at: Surroundings;
  readonly #name: string;
  #asked = 0;
  stopped = false;

  constructor(at: Surroundings, name: string) {
    this.#at = at;
    this.#name = name;
  }

  async work(): Promise<void> {
    const { environment } = this.#at.sim;
    while (!this.stopped) {
      await sleep(environment.timers, environment.random.between(20, 1500));
      if (this.stopped) break;
      if (environment.random.chance(0.06)) await this.#cancelSome();
      else await this.#ask(this.#wish());
    }
  }

  #wish(): Wish {
    const { known, imageId, sim } = this.#at;
    const { random } = sim.environment;
    const one = (ids: readonly string[]) => ids[ids.length - 1 - Math.floor(random.next() ** 2 * ids.length)] ?? 'none';
    this.#asked += 1;
    const name = `${this.#name}-${this.#asked}`;
    const on = (action: string, ids: readonly string[], input: JsonObject = {}): Wish => ({ action, resourceId: one(ids), input });
    const wishes: readonly [number, () => Wish][] = [
      [20, () => this.#machine(name, imageId, random.chance(0.8) ? one(known.networks) : undefined)],
      [2, () => this.#machine(name, imageId, undefined, [one(known.volumes)])],
      [8, () => ({ action: 'volume.create', input: { name, sizeBytes: 4096 * (1 + random.below(8)) }, into: known.volumes })],
      [
        4,
        () => ({
          action: 'network.create',
          input: { name, subnets: [{ name: 'only', cidr: `10.${random.below(250)}.0.0/28` }] },
          into: known.networks,
        }),
      ],
      [10, () => on('instance.delete', known.instances, random.chance(0.2) ? { force: true } : {})],
      [5, () => on('volume.delete', known.volumes, random.chance(0.2) ? { force: true } : {})],
      [2, () => on('network.delete', known.networks)],
      [9, () => on('instance.start', known.instances)],
      [9, () => on('instance.stop', known.instances, random.chance(0.5) ? { force: true } : { timeoutSeconds: random.below(30) })],
      [4, () => on('instance.suspend', known.instances)],
      [4, () => on('instance.resume', known.instances)],
      [3, () => on('instance.reset', known.instances)],
      [2, () => on('instance.reboot', known.instances)],
      [5, () => on('instance.resize', known.instances, { vcpus: 1 + random.below(4) })],
      [2, () => on('instance.setCpuShares', known.instances, { cpuShares: 2 + random.below(2000) })],
      [7, () => on('instance.attachVolume', known.instances, { volumeId: one(known.volumes) })],
      [5, () => on('instance.detachVolume', known.instances, { volumeId: one(known.volumes) })],
      [3, () => on('volume.resize', known.volumes, { sizeBytes: 4096 * (8 + random.below(8)) })],
      [4, () => on('instance.attachNic', known.instances, { networkId: one(known.networks) })],
      [3, () => on('instance.detachNic', known.instances, { nicId: this.#someNic() })],
      [2, () => on('instance.update', known.instances, { description: name })],
      [2, () => on('volume.setLimits', known.volumes, { limits: { iopsPerSecond: random.below(3) * 100 } })],
      [2, () => on('nic.setLimits', [this.#someNic()], { limits: { inboundBytesPerSecond: random.below(3) * 1024 } })],
    ];
    let left = random.below(wishes.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, make] of wishes) {
      left -= weight;
      if (left < 0) return make();
    }
    return on('instance.start', known.instances);
  }

  #machine(name: string, imageId: string, networkId: string | undefined, attachVolumeIds: readonly string[] = []): Wish {
    const { random } = this.#at.sim.environment;
    return {
      action: 'instance.create',
      input: {
        name,
        imageId,
        instanceType: 'small',
        start: random.chance(0.8),
        attachVolumeIds,
        ...(networkId === undefined ? {} : { nics: [{ networkId }] }),
        ...(random.chance(0.3) ? { whenFull: 'wait' } : {}),
        ...(random.chance(0.3) ? { placementGroupId: this.#at.known.groups[random.below(this.#at.known.groups.length)] ?? '' } : {}),
        ...(random.chance(0.3) ? { volumes: [{ sizeBytes: 8192, deleteWithInstance: random.chance(0.5) }] } : {}),
      },
      into: this.#at.known.instances,
    };
  }

  #someNic(): string {
    const { sim } = this.#at;
    const nics = sim.rows('nic');
    return String(nics[sim.environment.random.below(Math.max(1, nics.length))]?.id ?? '00000000-0000-7000-8000-000000000000');
  }

  async #cancelSome(): Promise<void> {
    const { sim, known } = this.#at;
    const id = known.operations.at(-1 - sim.environment.random.below(6));
    if (id === undefined || !sim.alive) return;
    await this.#answered(sim.kernel.operations.cancel(id));
  }

  /** Like a client over a network: what is not answered in time is asked again, with the same key, until it is. */
  async #ask(wish: Wish): Promise<void> {
    const { sim, known } = this.#at;
    const { environment } = sim;
    const idempotencyKey = `${this.#name}/${this.#asked}`;
    for (let attempt = 0; attempt < TRIES && !this.stopped; attempt += 1) {
      if (sim.alive) {
        const { into: _, ...request } = wish;
        const submit = () => sim.kernel.submit({ ...request, principal: sim.principal, idempotencyKey });
        if (environment.random.chance(0.05)) void this.#answered(sim.kernel.rehearse({ ...request, principal: sim.principal }));
        if (environment.random.chance(0.1)) void this.#answered(submit()).then((answer) => this.#remember(idempotencyKey, answer));
        const answer = await this.#answered(submit());
        this.#remember(idempotencyKey, answer);
        if (typeof answer === 'object') {
          if (!known.operations.includes(answer.operationId)) {
            known.operations.push(answer.operationId);
            wish.into?.push(answer.resourceId);
          }
          if (!environment.random.chance(0.1)) return;
        } else if (answer !== 'busy' && answer !== 'unavailable' && answer !== 'none') return;
      }
      await sleep(environment.timers, environment.random.between(100, 3000));
    }
  }

  /** The answer, the code of the error, or `none` when a killed server never answers. */
  async #answered<T>(asked: Promise<T>): Promise<T | string> {
    const { environment } = this.#at.sim;
    const late = Promise.withResolvers<string>();
    const cancel = environment.timers.after(ANSWER_WITHIN_MS, () => late.resolve('none'));
    const code = (error: unknown) => {
      if (isCloudError(error) && error.code !== 'internal') return error.code as string;
      this.#at.problems.push(`a request was answered with ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
      return 'internal';
    };
    try {
      return await Promise.race([asked.catch(code), late.promise]);
    } finally {
      cancel();
    }
  }

  #remember(key: string, answer: Accepted | string): void {
    if (typeof answer !== 'object') return;
    const { answers, problems, sim } = this.#at;
    const text = JSON.stringify(answer);
    if (!answers.has(key)) sim.environment.trace(`${key} ${answer.action} of ${answer.resourceId} accepted as ${answer.operationId}`);
    if ((answers.get(key) ?? text) !== text) problems.push(`key ${key} was answered twice: ${answers.get(key)} and ${text}`);
    answers.set(key, text);
  }
}
