import { type Accepted, isCloudError, type Json, type JsonObject, sleep } from '@pileus/core/kernel';
import type { SimCloud } from '@pileus/core/testing';
import { CALLBACKS_URL, type Deliveries } from './deliveries.ts';
import type { Door, Isolation } from './isolation.ts';
import type { Mirror } from './mirror.ts';
import type { Request } from './plan.ts';
import { type Member, principalOf, type Site } from './site.ts';

export interface Surroundings {
  readonly sim: SimCloud;
  readonly site: Site;
  readonly mirror: Mirror;
  readonly isolation: Isolation;
  readonly deliveries: Deliveries;
  /** Undefined while the control plane is down or starts. */
  readonly door: () => Door | undefined;
  readonly say: (problem: string) => void;
}

const ANSWER_WITHIN_MS = 15_000;
const TRIES = 40;
const NOBODY = '00000000-0000-7000-8000-000000000000';

/** Those who ask. What is not answered in time is asked again with the same key, as a client over a network does. */
export class Clients {
  readonly #at: Surroundings;
  /** By the id of the request. */
  readonly #accepted = new Map<string, Accepted>();
  readonly #revoked = new Set<string>();
  /** How often each action was accepted, and each code answered. */
  readonly actions = new Map<string, number>();
  readonly codes = new Map<string, number>();
  stopped = false;

  constructor(at: Surroundings) {
    this.#at = at;
  }

  get operations(): readonly string[] {
    return [...this.#accepted.values()].map(({ operationId }) => operationId);
  }

  async ask(request: Request): Promise<void> {
    const { sim, site, say } = this.#at;
    const { environment } = sim;
    const member = site.members.get(request.who);
    if (member === undefined) throw new Error(`nobody is called ${request.who}`);
    for (let attempt = 0; attempt < TRIES && !this.stopped; attempt += 1) {
      const door = this.#at.door();
      if (door !== undefined) {
        const wasRevoked = this.#revoked.has(member.keyId);
        const answer = await this.#answered(() => this.#once(door, member, request));
        if (wasRevoked && answer !== 'unauthenticated' && answer !== 'none')
          say(`${member.name} is let in with a key that was revoked: ${JSON.stringify(answer)}`);
        this.#count(this.codes, typeof answer === 'string' ? answer : 'accepted');
        if (answer !== 'busy' && answer !== 'unavailable' && answer !== 'none') break;
      }
      await sleep(environment.timers, environment.random.between(100, 3000));
    }
  }

  /** One try of it, with its twin if it has one. */
  async #once(door: Door, member: Member, request: Request): Promise<Accepted | string> {
    const { sim, isolation } = this.#at;
    const { random } = sim.environment;
    const on = request.on === undefined ? undefined : this.#meant(request.on);
    if (request.action === 'look') {
      await isolation.look(door, member, on ?? NOBODY, (limit) => random.below(limit));
      return 'looked';
    }
    if (request.action === 'cancel') {
      const { status, json } = await door.ask(member, 'POST', `/v1/operations/${on}/cancel`);
      return status === 200 ? 'cancelled' : String(json.code);
    }
    const principal = await principalOf(door.directory, member);
    const input = this.#resolved(request.input) as JsonObject;
    const asked = { action: request.action, input, principal, ...(on === undefined ? {} : { resourceId: on }) };
    const callback = request.callsBack === true ? { callbackUrl: `${CALLBACKS_URL}/${request.id}` } : {};
    const submit = () => door.kernel.submit({ ...asked, ...callback, idempotencyKey: `request-${request.id}` });
    if (request.rehearses) void this.#answered(() => door.kernel.rehearse(asked));
    if (request.repeats) void this.#answered(submit).then((answer) => this.#remember(request, member, answer));
    const answer = await submit();
    this.#remember(request, member, answer);
    if (request.repeats) this.#remember(request, member, await submit());
    return answer;
  }

  #remember({ id, callsBack }: Request, member: Member, answer: Accepted | string | object): void {
    if (typeof answer !== 'object' || !('operationId' in answer)) return;
    const { isolation, say, sim, deliveries } = this.#at;
    const first = this.#accepted.get(String(id));
    if (first !== undefined) {
      if (JSON.stringify(first) !== JSON.stringify(answer))
        say(`request ${id} was answered twice: ${JSON.stringify(first)} and ${JSON.stringify(answer)}`);
      return;
    }
    const { action, resourceId, resourceKind, operationId } = answer;
    this.#accepted.set(String(id), answer);
    this.#count(this.actions, action);
    sim.environment.trace(`request ${id} of ${member.name}: ${action} of ${resourceId} accepted as ${operationId}`);
    isolation.changed(member, action, sim.row(resourceKind, resourceId));
    if (callsBack === true) deliveries.expect(operationId, `${CALLBACKS_URL}/${id}`);
    if (action === 'apiKey.revoke') this.#revoked.add(resourceId);
  }

  /** The answer, the code of the error, or `none` when a killed server never answers. */
  async #answered<T>(ask: () => Promise<T>): Promise<T | string> {
    const { environment } = this.#at.sim;
    const late = Promise.withResolvers<string>();
    const cancel = environment.timers.after(ANSWER_WITHIN_MS, () => late.resolve('none'));
    const code = (error: unknown) => {
      if (isCloudError(error) && error.code !== 'internal') return error.code as string;
      this.#at.say(`a request was answered with ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
      return 'internal';
    };
    try {
      return await Promise.race([ask().catch(code), late.promise]);
    } finally {
      cancel();
    }
  }

  /** What a plan's name stands for now; what was never made has an id that nobody has. */
  #meant(name: string): string {
    const { mirror, site } = this.#at;
    if (!name.startsWith('@')) return name;
    const [what = '', id = '', place = '0'] = name.slice(1).split('/');
    if (what === 'op') return this.#accepted.get(id)?.operationId ?? NOBODY;
    if (what === 'nic') {
      const instanceId = this.#accepted.get(id)?.resourceId;
      const nics = [...mirror.rows('nic').values()].filter((row) => row.instanceId === instanceId);
      return String(nics[Number(place) % nics.length]?.id ?? NOBODY);
    }
    return this.#accepted.get(what)?.resourceId ?? site.known.get(name.slice(1)) ?? NOBODY;
  }

  #resolved(value: Json): Json {
    if (typeof value === 'string') return this.#meant(value);
    if (Array.isArray(value)) return value.map((entry) => this.#resolved(entry as Json));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, this.#resolved(entry as Json)]));
  }

  #count(counts: Map<string, number>, what: string): void {
    counts.set(what, (counts.get(what) ?? 0) + 1);
  }
}
