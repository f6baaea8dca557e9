import { Directory } from '@pileus/core';
import { Api, type DeletionPreview, isCloudError, type Kernel, sleep } from '@pileus/core/kernel';
import type { SimCloud } from '@pileus/core/testing';
import type { Row, Touched } from './mirror.ts';
import { NETWORK_KINDS } from './network-wishes.ts';
import { type Member, principalOf, type Site } from './site.ts';

const KINDS = [
  'instance',
  'volume',
  'network',
  'subnet',
  'nic',
  'image',
  'operation',
  'placementGroup',
  'share',
  'project',
  'user',
  'apiKey',
  'tag',
  'host',
];
const PAGE = 200;
/** What lies around networks tells of it, too, by ways of their own. */
const ASKED_AROUND: Readonly<Record<string, string>> = { natGateway: 'status', loadBalancer: 'health' };

interface Answer {
  readonly status: number;
  readonly json: { readonly items?: readonly Row[]; readonly next?: string } & Row;
}

/** How members come in: with their keys, as the API has it. One for each life of the control plane. */
export class Door {
  readonly kernel: Kernel;
  readonly api: Api;
  readonly directory: Directory;

  constructor(sim: SimCloud) {
    this.kernel = sim.kernel;
    this.api = new Api(this.kernel);
    this.directory = new Directory(this.kernel.services);
  }

  /** @throws CloudError `unauthenticated` */
  async ask(member: Member, method: 'GET' | 'POST', url: string): Promise<Answer> {
    const principal = await principalOf(this.directory, member);
    const request = {
      method,
      url,
      headers: {},
      principal,
      requestId: 'simulated',
      signal: new AbortController().signal,
      acceptsSocket: false,
    };
    const { status, body } = await this.api.handle(request);
    return { status, json: JSON.parse(Buffer.from(body as string | Uint8Array).toString()) as Answer['json'] };
  }

  /** What a deletion would do; undefined where he is told nothing of it. @throws CloudError `unauthenticated` */
  async preview(member: Member, kind: string, id: string, limit: number): Promise<DeletionPreview | undefined> {
    const { status, json } = await this.ask(member, 'GET', `/v1/${plural(kind)}/${id}/deletion?limit=${limit}`);
    return status === 200 ? (json as unknown as DeletionPreview) : undefined;
  }
}

/** What one tenant learns of another: nothing, but for what was shared. */
export class Isolation {
  readonly #site: Site;
  readonly #say: (problem: string) => void;
  readonly #networks: boolean;
  readonly #shared = new Set<string>();
  /** Changes of the projects that are watched, as they were committed; by project. */
  readonly #changes = new Map<string, string[]>();
  readonly #watchers: Watcher[] = [];
  /** Rows that were looked at. */
  looked = 0;

  /** @param networks also what lies around networks is read */
  constructor(site: Site, say: (problem: string) => void, networks = false) {
    this.#site = site;
    this.#say = say;
    this.#networks = networks;
  }

  committed(touched: readonly Touched[]): void {
    for (const { table, id, after, before, revision } of touched) {
      if (table === 'share' && after !== undefined) this.#shared.add(`${after.resourceId} ${after.audience}`);
      // What the cloud keeps for purposes of its own no member hears of.
      if ((after ?? before)?.system === true) continue;
      this.#changes.get(String((after ?? before)?.projectId))?.push(`${revision} ${table} ${id}`);
    }
  }

  /** Reads all that the member may, and what somebody means by the id. */
  async look(door: Door, member: Member, id: string, draw: (limit: number) => number): Promise<void> {
    const own = [...KINDS, ...(this.#networks ? NETWORK_KINDS_READ : [])].filter(() => draw(3) === 0);
    for (const kind of own) {
      const { status, json } = await door.ask(member, 'GET', `/v1/${plural(kind)}?limit=${PAGE}${draw(2) === 0 ? '' : '&deleted=true'}`);
      if (status === 200) for (const row of json.items ?? []) this.#read(member, kind, row);
      else if (status !== 503 && status !== 403) this.#say(`${member.name} gets ${status} for a list of ${kind}: ${JSON.stringify(json)}`);
    }
    for (const kind of ['instance', 'volume', 'network', 'operation']) {
      const { status, json } = await door.ask(member, 'GET', `/v1/${plural(kind)}/${id}`);
      if (status === 200) this.#read(member, kind, json);
    }
    if (this.#networks) await this.#around(door, member, id);
  }

  async #around(door: Door, member: Member, id: string): Promise<void> {
    for (const kind of NETWORK_KINDS_READ) {
      const { status, json } = await door.ask(member, 'GET', `/v1/${plural(kind)}/${id}`);
      if (status === 200) this.#read(member, kind, json);
      const further = status === 404 || status === 200 ? ASKED_AROUND[kind] : undefined;
      if (further === undefined) continue;
      const told = await door.ask(member, 'GET', `/v1/${plural(kind)}/${id}/${further}`);
      if (status === 404 && told.status === 200) this.#say(`${member.name} is told the ${further} of ${kind} ${id}, which he cannot read`);
    }
  }

  /** That what was accepted was the member's to change. */
  changed(member: Member, action: string, row: Row | undefined): void {
    if (row !== undefined && !isOwn(member, row))
      this.#say(`${member.name} was allowed ${action} of what is not his: ${JSON.stringify(row)}`);
  }

  /** Follows the change feed of each account's first project from now on, until the history ends. */
  watch(sim: SimCloud, door: () => Door | undefined): void {
    for (const [name, member] of this.#site.members)
      if (/admin@.*\/p1$/.test(name)) {
        const expected: string[] = [];
        this.#changes.set(member.projectId, expected);
        const watcher = new Watcher(member, expected, (row, kind) => this.#read(member, kind, row), this.#say);
        this.#watchers.push(watcher);
        void watcher.follow(sim, door);
      }
  }

  /** To be called at quiet, when all was delivered. */
  delivered(): void {
    for (const watcher of this.#watchers) watcher.compare();
  }

  #read(member: Member, kind: string, row: Row): void {
    this.looked += 1;
    if (row.system === true) this.#say(`${member.name} reads ${kind} ${row.name}, which is there for the operator alone`);
    if (member.name.endsWith('/named') && /^(instance|volume|network)$/.test(kind) && !/^r.*1$/.test(String(row.name)))
      this.#say(`${member.name} reads ${kind} ${row.name}, which his role does not reach`);
    if (isOwn(member, row) || this.#isShared(member, row)) return;
    this.#say(`${member.name} reads ${kind} of another: ${JSON.stringify(row)}`);
  }

  #isShared({ projectId, accountId }: Member, row: Row): boolean {
    return [projectId, accountId, 'all'].some(
      (audience) => this.#shared.has(`${row.id} ${audience}`) || this.#shared.has(`${row.networkId} ${audience}`),
    );
  }
}

const isOwn = ({ projectId, accountId }: Member, row: Row): boolean =>
  row.projectId === undefined ? row.accountId === undefined || row.accountId === accountId : row.projectId === projectId;

/** Those of `KINDS` are read in all histories. */
const NETWORK_KINDS_READ = NETWORK_KINDS.filter((kind) => !KINDS.includes(kind));

const plural = (kind: string): string =>
  `${kind.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}${kind.endsWith('s') ? 'es' : 's'}`;

/** Somebody who follows the changes of a project, over every crash: each exactly once, in order. */
class Watcher {
  readonly #member: Member;
  /** As committed; what has been delivered is taken off. */
  readonly #expected: string[];
  readonly #read: (row: Row, kind: string) => void;
  readonly #say: (problem: string) => void;
  #cursor: string | undefined;

  constructor(member: Member, expected: string[], read: (row: Row, kind: string) => void, say: (problem: string) => void) {
    this.#member = member;
    this.#expected = expected;
    this.#read = read;
    this.#say = say;
  }

  async follow(sim: SimCloud, door: () => Door | undefined): Promise<void> {
    const { environment } = sim;
    for (;;) {
      await sleep(environment.timers, environment.random.between(1000, 4000));
      const through = door();
      if (through === undefined) continue;
      const after = this.#cursor === undefined ? '' : `after=${this.#cursor}&`;
      const late = Promise.withResolvers<undefined>();
      const cancel = environment.timers.after(10_000, () => late.resolve(undefined));
      const asked = through.ask(this.#member, 'GET', `/v1/changes?${after}limit=${PAGE}`).catch((error: unknown) => {
        if (!isCloudError(error)) this.#say(`the changes were answered with ${String(error)}`);
        return undefined;
      });
      const answer = await Promise.race([asked, late.promise]);
      cancel();
      if (answer?.status === 200) this.#take(answer.json);
      else if (answer !== undefined && answer.status !== 503) this.#say(`the changes were answered with ${JSON.stringify(answer)}`);
    }
  }

  #take({ items = [], next }: Answer['json']): void {
    for (const { kind, id, revision, row } of items) {
      this.#read(row as Row, String(kind));
      if ((row as Row).projectId !== this.#member.projectId) continue;
      const told = `${revision} ${kind} ${id}`;
      const due = this.#expected.shift();
      if (told !== due) this.#say(`${this.#member.name} is told of ${told} when ${due} was due`);
    }
    // From where the first page ends all is expected; what came before it was not asked for. Meanwhile there may be more.
    if (this.#cursor === undefined) {
      const isBehind = (line: string) => Number.parseInt(line, 10) > Number.parseInt(String(next), 10);
      this.#expected.splice(0, Infinity, ...this.#expected.filter(isBehind));
    }
    this.#cursor = next;
  }

  compare(): void {
    if (this.#expected.length > 0)
      this.#say(`${this.#member.name} was never told of ${this.#expected.length} changes, the first ${this.#expected[0]}`);
  }
}
