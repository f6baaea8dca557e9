import { change, expectState, type Id, type Reader, type RowOf, type Statement } from '../../kernel/index.ts';
import type { IndexedHost } from './indexed.ts';
import type { GroupSeat, PlacementRequest } from './placement.ts';
import { placementGroup } from './placement-group.ts';

/** Counters of all its seats. */
const prefixOf = (groupId: string): string => `placement/group/${groupId}/`;
/** Members of the group in one domain. */
const seats = ({ groupId, domain }: GroupSeat): string => prefixOf(groupId) + domain;

const adjust = (seat: GroupSeat, by: 1 | -1): Statement => ({ op: 'adjust', counter: seats(seat), by });
const limit = (seat: GroupSeat, most: number | null): Statement => ({ op: 'limit', counter: seats(seat), limit: most });
/** Takes one. Fails when there is one beside those that the asker has there; the limit lasts for this transaction only. */
const alone = (seat: GroupSeat, own: 0 | 1): readonly Statement[] => [limit(seat, 1 + own), adjust(seat, 1), limit(seat, null)];

/** Fails as that does, and takes none. */
const vacated = (seat: GroupSeat, own: 0 | 1): readonly Statement[] => [...alone(seat, own), adjust(seat, -1)];

export const leaveGroup = (seat: GroupSeat | undefined): readonly Statement[] => (seat === undefined ? [] : [adjust(seat, -1)]);

/** Of a member that is elsewhere now: it held the seat until then, so that it could come back. One that stays in its domain has one seat all the time. */
export const leaveFor = (left: GroupSeat | undefined, taken: GroupSeat | undefined): readonly Statement[] =>
  left?.domain === taken?.domain ? [] : leaveGroup(left);

/** Of a member that stays where it was: with it the domain of a group that goes by the first of its members. */
export async function stayInGroup(
  reader: Reader,
  left: GroupSeat | undefined,
  taken: GroupSeat | undefined,
): Promise<readonly Statement[]> {
  if (left === undefined || taken === undefined) return leaveGroup(taken);
  const group = await reader.find(placementGroup, taken.groupId);
  const followed = group?.policy === 'affinity' && group.domain === taken.domain && group.domain !== left.domain;
  return [...leaveFor(taken, left), ...(followed ? [change(placementGroup, group.id, { domain: left.domain })] : [])];
}

type OwnSeat = Pick<PlacementRequest, 'leaving' | 'keeping'>;

/** A placement group as it binds one more member. */
export class GroupRule {
  readonly #row: RowOf<typeof placementGroup>;
  /** Members by domain. */
  readonly #members: ReadonlyMap<string, number>;
  /** What the asker has, not among the members. */
  readonly #own: OwnSeat;

  constructor(row: RowOf<typeof placementGroup>, members: ReadonlyMap<string, number>, own: OwnSeat = {}) {
    this.#row = row;
    this.#members = members;
    this.#own = own;
  }

  /** @throws CloudError not_found */
  static async read(reader: Reader, groupId: string, own: OwnSeat): Promise<GroupRule> {
    const row = await reader.get(placementGroup, groupId, '/placementGroupId');
    const counted = await reader.counters(prefixOf(groupId));
    const seated = own.leaving ?? own.keeping;
    return new GroupRule(row, sum(groupId, [...counted.map(({ key, value }) => [key, value] as const), ...without(groupId, seated)]), own);
  }

  /** With seats that others are about to take, by counter: what is not guarded looks at them too. */
  with(promised: (prefix: string) => readonly (readonly [counter: string, count: number])[]): GroupRule {
    const { id, policy } = this.#row;
    if (policy !== 'softAffinity' && policy !== 'softAntiAffinity') return this;
    const known = [...this.#members].map(([domain, count]) => [seats({ groupId: id, domain }), count] as const);
    return new GroupRule(this.#row, sum(id, [...known, ...promised(prefixOf(id))]), this.#own);
  }

  domainOf(at: IndexedHost): string {
    const { over } = this.#row;
    return over === 'host' ? at.id : over === 'cluster' ? at.clusterId : at.failureDomain;
  }

  /** Why the group rules the host out. */
  refuse(at: IndexedHost): string | undefined {
    const { policy, over } = this.#row;
    const here = this.#members.has(this.domainOf(at));
    if (policy === 'antiAffinity' && here) return `has a member of its group in the same ${WORDS[over]}`;
    if (policy === 'affinity' && this.#members.size > 1)
      return `has to wait: the member of its group is on its way to another ${WORDS[over]}`;
    if (policy === 'affinity' && this.#members.size > 0 && !here) return `is not in the ${WORDS[over]} of its group`;
    return undefined;
  }

  /** How far the host is from what a soft policy wants: 0 is as wanted. */
  distance(at: IndexedHost): number {
    const { policy } = this.#row;
    const here = this.#members.get(this.domainOf(at)) ?? 0;
    if (policy === 'softAntiAffinity') return here;
    return policy === 'softAffinity' && this.#members.size > 0 && here === 0 ? 1 : 0;
  }

  /** All distances there are, the best first. */
  get distances(): readonly number[] {
    const { policy } = this.#row;
    if (this.#members.size === 0) return [0];
    if (policy === 'softAffinity') return [0, 1];
    return policy === 'softAntiAffinity' ? [...new Set([0, ...this.#members.values()])].sort((a, b) => a - b) : [0];
  }

  seatAt(at: IndexedHost): GroupSeat {
    return { groupId: this.#row.id, domain: this.domainOf(at) };
  }

  /** Takes the seat, guarded: what others of the group do meanwhile is seen by the guards, for soft policies it does not matter. */
  take(seat: GroupSeat): readonly Statement[] {
    const { id, policy, domain } = this.#row;
    const there = expectState(placementGroup, id, ['available']);
    const { keeping } = this.#own;
    if (keeping?.groupId === id && keeping.domain === seat.domain) return [there];
    if (policy === 'antiAffinity') return [there, ...alone(seat, 0)];
    if (policy !== 'affinity') return [there, adjust(seat, 1)];
    if (domain === seat.domain) return [expectState(placementGroup, id, ['available'], { domain }), adjust(seat, 1)];
    // The first of them says where the others go; those who were elsewhere before must all be gone, but for one who goes himself.
    return [
      change(placementGroup, id as Id<'placementGroup'>, { domain: seat.domain }, { state: 'available', domain: domain ?? null }),
      ...(domain === undefined ? [] : vacated({ groupId: id, domain }, keeping?.domain === domain ? 1 : 0)),
      adjust(seat, 1),
    ];
  }
}

const without = (groupId: string, seat: GroupSeat | undefined): readonly (readonly [string, number])[] =>
  seat?.groupId === groupId ? [[seats(seat), -1]] : [];

/** Members by domain, where there are any. */
function sum(groupId: string, counted: readonly (readonly [counter: string, count: number])[]): ReadonlyMap<string, number> {
  const members = new Map<string, number>();
  for (const [counter, count] of counted) {
    const domain = counter.slice(prefixOf(groupId).length);
    members.set(domain, (members.get(domain) ?? 0) + count);
  }
  return new Map([...members].filter(([, count]) => count > 0));
}

const WORDS = { host: 'host', failureDomain: 'failure domain', cluster: 'cluster' } as const;
