import { change, expectState, type Id, type Reader, type RowOf, type Statement } from '../../kernel/index.ts';
import type { IndexedHost } from './indexed.ts';
import type { GroupSeat } from './placement.ts';
import { placementGroup } from './placement-group.ts';

/** Counters of all its seats. */
const prefixOf = (groupId: string): string => `placement/group/${groupId}/`;
/** Members of the group in one domain. */
const seats = ({ groupId, domain }: GroupSeat): string => prefixOf(groupId) + domain;

const adjust = (seat: GroupSeat, by: 1 | -1): Statement => ({ op: 'adjust', counter: seats(seat), by });
const limit = (seat: GroupSeat, most: number | null): Statement => ({ op: 'limit', counter: seats(seat), limit: most });
/** Fails when there is another; the limit lasts for this transaction only. */
const alone = (seat: GroupSeat): readonly Statement[] => [limit(seat, 1), adjust(seat, 1), limit(seat, null)];
/** Fails when there is one. */
const vacated = (seat: GroupSeat): readonly Statement[] => [...alone(seat), adjust(seat, -1)];

export const leaveGroup = (seat: GroupSeat | undefined): readonly Statement[] => (seat === undefined ? [] : [adjust(seat, -1)]);

/** Takes back what `leaveGroup` did. */
export const returnToGroup = (seat: GroupSeat | undefined): readonly Statement[] => (seat === undefined ? [] : [adjust(seat, 1)]);

/** A placement group as it binds one more member. */
export class GroupRule {
  readonly #row: RowOf<typeof placementGroup>;
  /** Members by domain. */
  readonly #members: ReadonlyMap<string, number>;

  constructor(row: RowOf<typeof placementGroup>, members: ReadonlyMap<string, number>) {
    this.#row = row;
    this.#members = members;
  }

  /** @throws CloudError not_found */
  static async read(reader: Reader, groupId: string, leaving: GroupSeat | undefined): Promise<GroupRule> {
    const row = await reader.get(placementGroup, groupId, '/placementGroupId');
    const counted = await reader.counters(prefixOf(groupId));
    return new GroupRule(row, sum(groupId, [...counted.map(({ key, value }) => [key, value] as const), ...givenUp(groupId, leaving)]));
  }

  /** With seats that others are about to take, by counter: what is not guarded looks at them too. */
  with(promised: (prefix: string) => readonly (readonly [counter: string, count: number])[]): GroupRule {
    const { id, policy } = this.#row;
    if (policy !== 'softAffinity' && policy !== 'softAntiAffinity') return this;
    const known = [...this.#members].map(([domain, count]) => [seats({ groupId: id, domain }), count] as const);
    return new GroupRule(this.#row, sum(id, [...known, ...promised(prefixOf(id))]));
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
    if (policy === 'antiAffinity') return [there, ...alone(seat)];
    if (policy !== 'affinity') return [there, adjust(seat, 1)];
    if (domain === seat.domain) return [expectState(placementGroup, id, ['available'], { domain }), adjust(seat, 1)];
    // The first of them says where the others go; those who were elsewhere before must all be gone.
    return [
      change(placementGroup, id as Id<'placementGroup'>, { domain: seat.domain }, { state: 'available', domain: domain ?? null }),
      ...(domain === undefined ? [] : vacated({ groupId: id, domain })),
      adjust(seat, 1),
    ];
  }
}

const givenUp = (groupId: string, leaving: GroupSeat | undefined): readonly (readonly [string, number])[] =>
  leaving?.groupId === groupId ? [[seats(leaving), -1]] : [];

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
