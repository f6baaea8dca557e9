import { DEFAULT_ACCOUNT_ID, DEFAULT_PROJECT_ID } from '@pileus/core';
import { type Accepted, type DeletionPreview, isCloudError, type Json, type JsonObject, sleep } from '@pileus/core/kernel';
import type { SimCloud } from '@pileus/core/testing';
import { type Cascades, PREVIEW_LIMIT } from './cascades.ts';
import { CALLBACKS_URL, type Deliveries } from './deliveries.ts';
import type { Door, Isolation } from './isolation.ts';
import type { Mirror, Row } from './mirror.ts';
import type { Request } from './plan.ts';
import type { SettingsModel } from './settings-model.ts';
import { type Member, principalOf, type Site } from './site.ts';
import { OPERATOR } from './wishes.ts';

export interface Surroundings {
  readonly sim: SimCloud;
  readonly site: Site;
  readonly mirror: Mirror;
  readonly isolation: Isolation;
  readonly deliveries: Deliveries;
  readonly cascades: Cascades;
  readonly settings: SettingsModel;
  /** Undefined while the control plane is down or starts. */
  readonly door: () => Door | undefined;
  readonly say: (problem: string) => void;
}

const ANSWER_WITHIN_MS = 15_000;
const TRIES = 40;
/** He has no key: he asks from within. */
const OPERATORS = {
  name: OPERATOR,
  token: '',
  keyId: '',
  projectId: DEFAULT_PROJECT_ID as Member['projectId'],
  accountId: DEFAULT_ACCOUNT_ID as Member['accountId'],
};
const NOBODY = '00000000-0000-7000-8000-000000000000';

interface Asked {
  readonly on: string | undefined;
  readonly input: JsonObject;
}

/** Names of what is there when it is asked for. */
const LIVING = /"@(nic\/)?(live|on|any|named|in|routed|guest|asked)\//;

/** Of machines that are neither about to be nor about to go. */
const MADE: ReadonlySet<unknown> = new Set(['running', 'suspended', 'stopped', 'crashed', 'missing']);

/** One of those that fit, by a number. */
function one(rows: ReadonlyMap<string, Row>, place: string | undefined, fits: (row: Row) => boolean): string {
  const fitting = [...rows.values()].filter(fits);
  return String(fitting[Number(place) % fitting.length]?.id ?? NOBODY);
}

/** Those who ask. What is not answered in time is asked again with the same key, as a client over a network does. */
export class Clients {
  readonly #at: Surroundings;
  /** By the id of the request. */
  readonly #accepted = new Map<string, Accepted>();
  readonly #revoked = new Set<string>();
  readonly #settled = new Map<number, Asked>();
  /** By the id of the request that was asked for with its plan. */
  readonly #previews = new Map<number, DeletionPreview>();
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
    const member = request.who === OPERATOR ? OPERATORS : site.members.get(request.who);
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
    const { on, input } = await this.#previewed(door, member, request, this.#asked(request));
    if (request.action === 'look' && member === OPERATORS) {
      await this.#at.settings.look(on === undefined ? undefined : { kind: String(input.kind), id: on });
      return 'looked';
    }
    if (request.action === 'look') {
      await isolation.look(door, member, on ?? NOBODY, (limit) => random.below(limit));
      return 'looked';
    }
    if (request.action === 'cancel') {
      const { status, json } = await door.ask(member, 'POST', `/v1/operations/${on}/cancel`);
      return status === 200 ? 'cancelled' : String(json.code);
    }
    const principal = member === OPERATORS ? sim.principal : await principalOf(door.directory, member);
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
    const { isolation, say, sim, deliveries, cascades } = this.#at;
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
    if (member !== OPERATORS) isolation.changed(member, action, sim.row(resourceKind, resourceId));
    if (callsBack === true) deliveries.expect(operationId, `${CALLBACKS_URL}/${id}`);
    const preview = this.#previews.get(id);
    if (preview !== undefined) cascades.expect(operationId, preview);
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

  /** What is asked for again is the same, also when others live by then. */
  #asked(request: Request): Asked {
    const known = this.#settled.get(request.id);
    if (known !== undefined) return known;
    const on = request.on === undefined ? undefined : this.#meant(request.on);
    const asked = { on, input: this.#resolved(request.input) as JsonObject };
    if (LIVING.test(JSON.stringify([request.on, request.input]))) this.#settled.set(request.id, asked);
    return asked;
  }

  /** With the plan of what it would do now, if there is one. */
  async #previewed(door: Door, member: Member, request: Request, asked: Asked): Promise<Asked> {
    const { on } = asked;
    if (request.previews !== true || on === undefined || this.#previews.has(request.id) || 'plan' in asked.input) return asked;
    const [kind = '', verb] = request.action.split('.');
    const plan =
      verb === 'delete' ? await this.#planOf(door, member, request, { ...asked, on, kind }) : await this.#hashOf(door, member, asked);
    const previewed = plan === undefined ? asked : { on, input: { ...asked.input, ...plan } };
    // Asked for again, it is the same.
    this.#settled.set(request.id, previewed);
    return previewed;
  }

  async #planOf(door: Door, member: Member, request: Request, { on, kind, input }: Asked & { readonly on: string; readonly kind: string }) {
    const { sim } = this.#at;
    const how = { force: input.force === true, permanent: false, recursive: input.recursive === true, limit: PREVIEW_LIMIT };
    const row = sim.row(kind, on);
    if (row === undefined) return undefined;
    const preview =
      member === OPERATORS
        ? await door.kernel.previewDeletion(door.kernel.registry.action(request.action), row as never, { ...how, sees: async () => true })
        : await door.preview(member, kind, on, PREVIEW_LIMIT);
    if (preview?.plan === undefined) return undefined;
    this.#previews.set(request.id, preview);
    return { plan: preview.plan };
  }

  /** Of a template. */
  async #hashOf(door: Door, member: Member, { on, input }: Asked) {
    const principal = await principalOf(door.directory, member);
    const { hash } = (await this.#at.sim.call('POST', '/stacks/plan', { principal, body: { name: on, ...input } })) as {
      readonly hash?: string;
    };
    return hash === undefined ? undefined : { planHash: hash };
  }

  /** What a plan's name stands for now; what was never made has an id that nobody has. */
  #meant(name: string): string {
    const { mirror, site } = this.#at;
    if (!name.startsWith('@')) return name;
    const parts = name.slice(1).split('/');
    const [what = '', id = ''] = parts;
    if (what === 'op') return this.#accepted.get(id)?.operationId ?? NOBODY;
    if (what === 'nic') {
      const instanceId = this.#meant(`@${parts.slice(1, -1).join('/')}`);
      return one(mirror.rows('nic'), parts.at(-1), (row) => row.instanceId === instanceId);
    }
    if (what === 'live') {
      const projectId = site.known.get(`project/${parts.slice(2, -1).join('/')}`);
      return one(mirror.rows(id), parts.at(-1), (row) => row.projectId === projectId);
    }
    if (what === 'any') return one(mirror.rows(id), parts.at(-1), () => true);
    if (what === 'named') return one(mirror.rows(id), '0', ({ name: called }) => called === parts.at(-1));
    if (what === 'in') return new Date(this.#at.sim.environment.clock.nowMs() + Number(id) * 1000).toISOString();
    if (what === 'on') {
      const hostId = this.#meant(`@named/host/${id}`);
      return one(mirror.rows('instance'), parts.at(-1), (row) => row.hostId === hostId && MADE.has(row.state));
    }
    if (what === 'routed' || what === 'guest' || what === 'asked') return this.#amongNetworks(what, parts);
    return this.#accepted.get(what)?.resourceId ?? site.known.get(name.slice(1)) ?? NOBODY;
  }

  #amongNetworks(what: 'routed' | 'guest' | 'asked', parts: readonly string[]): string {
    const { mirror, site } = this.#at;
    const project = parts.slice(2, -1).join('/');
    const [kind = '', place, projectId] = [parts[1], parts.at(-1), site.known.get(`project/${project}`)];
    if (what === 'routed') {
      const isRouted = ({ vpcId, networkId }: Row) => (vpcId ?? mirror.row('network', networkId)?.vpcId) !== undefined;
      return one(mirror.rows(kind), place, (row) => row.projectId === projectId && isRouted(row));
    }
    if (what === 'guest') {
      const shares = [...mirror.rows('share').values()];
      const isGuest = ({ id }: Row) =>
        shares.some(({ resourceId, audience }) => resourceId === id && (audience === projectId || audience === 'all'));
      return one(mirror.rows(kind), place, (row) => row.projectId !== projectId && row.vpcId !== undefined && isGuest(row));
    }
    const asks = one(mirror.rows('peering'), place, ({ peerVpcId }) => mirror.row('vpc', peerVpcId)?.projectId === projectId);
    return String(mirror.row('peering', asks)?.[kind === 'own' ? 'peerVpcId' : 'vpcId'] ?? NOBODY);
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
