import { type Counter, quotaKey } from '@pileus/core/kernel';
import type { SimCloud } from '@pileus/core/testing';
import type { Mirror, Row, Touched } from './mirror.ts';
import { NetworkInvariants } from './network-invariants.ts';
import type { Site } from './site.ts';

const COUNTED = /^(capacity|placement|quota)\//;

type Say = (problem: string) => void;

/** What must be true at every instant, whatever goes wrong. */
export class Invariants {
  readonly #sim: SimCloud;
  readonly #mirror: Mirror;
  readonly #site: Site;
  readonly #say: Say;
  readonly #networks: NetworkInvariants;
  readonly #macs = new Map<string, string>();
  readonly #groups = new Map<string, Map<string, string>>();
  readonly #seen = new Map<string, { readonly value: number; readonly limit: number }>();
  #violations = 0;

  constructor(sim: SimCloud, mirror: Mirror, site: Site, say: Say) {
    this.#sim = sim;
    this.#mirror = mirror;
    this.#site = site;
    this.#say = say;
    this.#networks = new NetworkInvariants(sim, mirror, say);
  }

  /** After each commit: what its rows have to do with. */
  committed(touched: readonly Touched[]): void {
    const keys = new Set<string>();
    for (const change of touched) {
      for (const row of [change.before, change.after])
        if (row !== undefined) for (const [key] of this.#mirror.counted(change.table, row)) keys.add(key);
      for (const key of change.held) keys.add(key);
      if (change.table === 'nic') this.#mac(change);
      if (change.table === 'instance') this.#group(change);
      if (change.after !== undefined) this.#tenancy(change.table, change.after);
    }
    for (const key of keys) this.#counter(key, this.#sim.counter(key));
    this.#networks.committed(touched);
  }

  /** Of all counters. */
  recounted(): void {
    const counters = new Map(
      this.#sim.counters().flatMap((counter) => (COUNTED.test(counter.key) ? [[counter.key, counter] as const] : [])),
    );
    for (const key of new Set([...counters.keys(), ...this.#mirror.sums.keys()])) this.#counter(key, counters.get(key));
    for (const scope of ['project', 'account'] as const)
      for (const { id, limits = {} } of this.#mirror.rows(scope).values())
        for (const [counter, limit] of Object.entries(limits as Readonly<Record<string, number>>)) {
          const held = counters.get(quotaKey({ scope, id: String(id), counter }))?.limit ?? null;
          if (held !== limit) this.#say(`${scope} ${id} may have ${limit} ${counter}, and its counter is limited to ${held}`);
        }
  }

  /** The mirror against the store, and the store's own counters against it. */
  whole(): void {
    for (const { name } of this.#sim.kernel.registry.kinds()) {
      const rows = this.#sim.rows(name);
      const mirrored = this.#mirror.rows(name);
      if (rows.length !== mirrored.size) this.#say(`the feed tells of ${mirrored.size} rows of ${name}, the store of ${rows.length}`);
      for (const row of rows)
        if (mirrored.get(String(row.id))?.generation !== row.generation)
          this.#say(`the feed has not told of the last change of ${name} ${row.id}`);
    }
    this.recounted();
  }

  /** Of the backends. */
  looked(): void {
    const { violations } = this.#sim.world;
    for (; this.#violations < violations.length; this.#violations += 1) {
      const text = violations[this.#violations] ?? '';
      if (this.#harms(text)) this.#say(text);
    }
    this.#runningTwice();
    this.#networks.looked();
    const { fabric, hosts } = this.#sim.world;
    for (const { kind, id, host } of this.#site.planted) {
      const { machines, networks, kept } = hosts.get(host) ?? fabric;
      const things = kind === 'machine' ? machines : kind === 'network' ? networks : kept.of(kind);
      if (!things.has(id)) this.#say(`${kind} ${id} of unknown history was destroyed`);
    }
  }

  /** Never less than the rows count for; more only while something grows. Never grown beyond its limit. */
  #counter(key: string, counter: Counter | undefined): void {
    const { value = 0, limit = null } = counter ?? {};
    const rows = this.#mirror.sums.get(key) ?? 0;
    const bound = limit ?? Number.POSITIVE_INFINITY;
    const before = this.#seen.get(key) ?? { value: 0, limit: bound };
    this.#seen.set(key, { value, limit: bound });
    // A limit may be lowered below what was within it, and both be seen at once.
    if (value < 0 || (value > bound && value > before.value && bound >= before.limit)) this.#say(`counter ${key} is ${value} of ${limit}`);
    if (value < rows || (value > rows && !this.#mirror.grows(key))) this.#say(`counter ${key} is ${value}, but the rows count ${rows}`);
  }

  #mac({ id, before, after }: Touched): void {
    const keyOf = (row: Row) => `${row.networkId} ${row.mac}`;
    if (before !== undefined && this.#macs.get(keyOf(before)) === id) this.#macs.delete(keyOf(before));
    if (after === undefined) return;
    const other = this.#macs.get(keyOf(after));
    if (other !== undefined) this.#say(`NICs ${other} and ${id} both have ${keyOf(after)}`);
    this.#macs.set(keyOf(after), id);
  }

  /** What keeps together has one place, and what keeps apart shares none. */
  #group({ id, before, after }: Touched): void {
    for (const row of [before, after]) if (row?.placementGroupId !== undefined) this.#groups.get(String(row.placementGroupId))?.delete(id);
    if (after?.placementGroupId === undefined || after.placementDomain === undefined) return;
    const group = String(after.placementGroupId);
    const places = this.#groups.get(group) ?? new Map<string, string>();
    this.#groups.set(group, places.set(id, String(after.placementDomain)));
    const policy = this.#mirror.row('placementGroup', group)?.policy;
    const different = new Set(places.values()).size;
    if ((policy === 'affinity' && different > 1) || (policy === 'antiAffinity' && different < places.size))
      this.#say(`group ${group} of policy ${policy} has members in ${[...places.values()].join(', ')}`);
  }

  /** Nothing hangs on what is another tenant's, but for what was shared. */
  #tenancy(table: string, row: Row): void {
    const same = (kind: string, id: unknown) => {
      const other = id === undefined ? undefined : this.#mirror.row(kind, id);
      if (other !== undefined && other.projectId !== row.projectId) this.#say(`${table} ${row.id} uses ${kind} ${id} of another project`);
    };
    if (table === 'instance') same('placementGroup', row.placementGroupId);
    if (table === 'volume' || table === 'nic' || table === 'attachment') same('instance', row.instanceId);
    if (table === 'attachment') same('volume', row.volumeId);
  }

  /**
   * No machine runs twice, but for one that a creation has given up with its host: nobody can know whether it runs there, and it goes when the host is back.
   * Until then the two must have nothing in common.
   */
  #runningTwice(): void {
    const running = new Map<string, string>();
    const twice = new Set<string>();
    for (const { hostname, machines } of this.#sim.world.hosts.values())
      for (const { live, spec } of machines.values()) {
        if (!live) continue;
        if (running.has(spec.id)) twice.add(spec.id);
        running.set(spec.id, hostname);
      }
    for (const id of twice)
      if (this.#mirror.elsewhere.has(id)) this.#between(id);
      else this.#copies(id);
  }

  #copies(id: string): void {
    const { hosts } = this.#sim.world;
    const copies = [...hosts.values()].flatMap(({ hostname, machines }) => {
      const machine = machines.get(id);
      if (machine?.live !== true) return [];
      const { disks, nics } = machine.spec;
      return [{ hostname, parts: [...disks.map(({ volumeId }) => volumeId), ...nics.map(({ nicId }) => nicId)] }];
    });
    const givenUp = (this.#mirror.row('instance', id)?.formerHostIds ?? []) as readonly string[];
    const here = copies.filter(({ hostname }) => !givenUp.some((hostId) => this.#mirror.row('host', hostId)?.name === hostname));
    const parts = copies.flatMap((copy) => copy.parts);
    if (here.length > 1 || new Set(parts).size < parts.length)
      this.#say(`machine ${id} runs on ${copies.map((copy) => copy.hostname).join(' and on ')}`);
  }

  /**
   * One that goes to another host is on both for a while, and one that was evacuated may go on where nobody could look: but it runs in one place at most of those
   * that are not shut out of its disks, and has them in one. `SimWorld` tells of a disk that is opened twice.
   */
  #between(id: string): void {
    const running = [...this.#sim.world.hosts.values()].filter(({ machines }) => machines.get(id)?.power === 'running');
    const former = (this.#mirror.row('instance', id)?.formerHostIds ?? []) as readonly string[];
    const here = running.filter(({ hostname }) => !former.some((hostId) => this.#mirror.row('host', hostId)?.name === hostname));
    if (here.length > 1) this.#say(`machine ${id} runs on ${running.map(({ hostname }) => hostname).join(' and on ')}`);
  }

  /**
   * A start that was given up may land after the removal of its machine, whose disks are deleted next: that harms nobody, and the late machine goes at the
   * next look. A disk taken from a machine that its owner still has is lost data.
   */
  #harms(violation: string): boolean {
    const [, hostname, id = ''] = /under ([^/]+)\/(\S+)$/.exec(violation) ?? [];
    const row = this.#mirror.row('instance', id);
    const lives = row !== undefined && row.state !== 'creating' && row.state !== 'deleting';
    return id === '' || (lives && this.#mirror.row('host', row.hostId)?.name === hostname);
  }
}
