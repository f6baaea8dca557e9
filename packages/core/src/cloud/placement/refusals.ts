import { CloudError, type JsonObject, readPermission } from '../../kernel/index.ts';
import { host } from '../topology/contract.ts';
import type { CapacityIndex } from './capacity-index.ts';
import { type Ask, consider, ELSEWHERE, type Refusal } from './choice.ts';
import type { IndexedHost } from './indexed.ts';
import type { Placed } from './placement.ts';

/** Hosts that a successful placement names: its reasons are kept with the operation, and read with it. */
const REFUSED_SHOWN = 8;
/** Up to so many hosts each has its reason; of more it is told for groups of them. */
const HOSTS_SHOWN = 16;
const GROUPS_SHOWN = 32;

interface Group {
  readonly cluster: string;
  readonly filter: string;
  hosts: number;
  readonly example: string;
  readonly reason: string;
}

/** What a choice has refused on its way. */
export class Refusals {
  readonly #first: Record<string, string> = {};
  readonly #seen = new Set<IndexedHost>();
  readonly #kinds = new Set<string>();
  #own = 0;

  add(at: IndexedHost, { filter, reason }: Refusal): void {
    if (filter === ELSEWHERE || this.#seen.has(at)) return;
    this.#seen.add(at);
    this.#own += 1;
    this.#kinds.add(kindOf(filter));
    if (this.#own <= REFUSED_SHOWN) this.#first[at.name] = reason;
  }

  /** Without a name: for who does not see hosts. */
  get kinds(): readonly string[] {
    return [...this.#kinds].sort();
  }

  /** Of a thousand hosts that were not asked for, their number is enough. */
  brief({ only }: Ask, index: CapacityIndex): Pick<Placed['reasons'], 'refused' | 'elsewhere' | 'more'> {
    const elsewhere = only === undefined ? 0 : index.hosts.size - only.size;
    const more = Math.max(0, this.#own - REFUSED_SHOWN);
    return { refused: this.#first, ...(elsewhere <= 0 ? {} : { elsewhere }), ...(more === 0 ? {} : { more }) };
  }
}

/** Taints are the operator's words. */
const kindOf = (filter: string): string => filter.replace(/^taint .*/, 'taints');

/** Why no host will do, whatever else were free (`conflict`), or now (`no_capacity`): each with its reason, or, where they are many, one example for each cluster and kind of reason. */
export function noCapacity(ask: Ask, index: CapacityIndex): CloudError {
  if (index.hosts.size === 0) return new CloudError('no_capacity', 'There are no hosts; create one first.', { params: { reasons: {} } });
  if (!isReached(ask, index))
    return new CloudError('conflict', 'No host that it may run on reaches all of its disks.', { pointer: '/attachVolumeIds' });
  const groups = new Map<string, Group>();
  const reasons: Record<string, string> = {};
  for (const at of index.hosts.values()) {
    const answer = consider(ask, index, at);
    if ('host' in answer) continue;
    if (index.hosts.size <= HOSTS_SHOWN) reasons[at.name] = answer.reason;
    const key = `${at.clusterId} ${answer.filter}`;
    const known = groups.get(key);
    if (known !== undefined) known.hosts += 1;
    else groups.set(key, { cluster: at.cluster.name, filter: answer.filter, hosts: 1, example: at.name, reason: answer.reason });
  }
  const found = [...groups.values()];
  return new CloudError('no_capacity', 'No host can take it.', {
    params: index.hosts.size <= HOSTS_SHOWN ? { reasons } : grouped(found),
    unless: { permission: readPermission(host), params: { reasons: [...new Set(found.map(({ filter }) => kindOf(filter)))].sort() } },
  });
}

/** Whether the volumes that come along can be had on any of the hosts that are asked for. */
function isReached({ request: { reaching = [] }, only }: Ask, { hosts, pools }: CapacityIndex): boolean {
  const candidates = only === undefined ? [...hosts.values()] : [...only].flatMap((id) => hosts.get(id) ?? []);
  return reaching.length === 0 || candidates.some((at) => reaching.every((id) => pools.get(id)?.reachedBy(at) === true));
}

function grouped(groups: readonly Group[]): JsonObject {
  const largest = groups.toSorted((a, b) => b.hosts - a.hosts);
  const shown = largest.slice(0, GROUPS_SHOWN);
  const more = largest.slice(GROUPS_SHOWN).reduce((sum, { hosts }) => sum + hosts, 0);
  return {
    reasons: Object.fromEntries(shown.slice(0, REFUSED_SHOWN).map(({ example, reason }) => [example, reason])),
    groups: shown.map((group) => ({ ...group })),
    ...(more === 0 ? {} : { more }),
  };
}
