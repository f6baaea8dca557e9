import type { Clock, Hooks, Reader } from '../../kernel/index.ts';
import { CapacityIndex, type Listen } from './capacity-index.ts';
import { type Ask, type Candidate, ranking } from './choice.ts';
import { GroupRule } from './group-seats.ts';
import { hostCapacity, type Placed, type Placement, type PlacementRequest, poolCapacity } from './placement.ts';
import { type PlacementAsk, placementFilter, placementScorer } from './points.ts';
import { noCapacity, Refusals } from './refusals.ts';

export interface PlacementPorts {
  readonly clock: Clock;
  readonly listen: Listen;
  readonly hooks: () => Pick<Hooks, 'has' | 'collect'>;
}

const NONE: readonly never[] = [];
const present = <T>(values: readonly (T | undefined)[]): readonly T[] => values.filter((value) => value !== undefined);

/**
 * Filter, then weighted score: the idlest cluster that has room first, in it the idlest host. Same state, same request: same answer. A request that lost its
 * place to another looks one further down the ranking.
 */
export class TwoLevelPlacement implements Placement {
  readonly #ports: PlacementPorts;
  readonly #index: CapacityIndex;

  constructor(ports: PlacementPorts) {
    this.#ports = ports;
    this.#index = new CapacityIndex(ports.clock);
  }

  async place(request: PlacementRequest, reader: Reader): Promise<Placed> {
    const { listen } = this.#ports;
    await this.#index.refresh(reader, listen);
    const ask = await this.#prepare(request, reader);
    const first = this.#choose(ask);
    if (first !== undefined) return first;
    // Nobody hears no on an old view.
    await this.#index.settle(reader, listen);
    const second = this.#choose(ask);
    if (second !== undefined) return second;
    throw noCapacity(ask, this.#index);
  }

  async #prepare(request: PlacementRequest, reader: Reader): Promise<Ask> {
    const { placementGroupId, onlyHosts, exceptHosts } = request;
    const subject: PlacementAsk = request;
    const hooks = this.#ports.hooks();
    const [group, filters, scorers] = await Promise.all([
      placementGroupId === undefined ? undefined : GroupRule.read(reader, placementGroupId, request),
      hooks.has(placementFilter) ? hooks.collect(placementFilter, subject) : NONE,
      hooks.has(placementScorer) ? hooks.collect(placementScorer, subject) : NONE,
    ]);
    return {
      request,
      only: onlyHosts === undefined ? undefined : new Set(onlyHosts),
      except: new Set(exceptHosts),
      group,
      filters: present(filters),
      scorers: present(scorers),
    };
  }

  /** Without a wait from the first look to the promise, so that the next request sees what this one takes. */
  #choose(prepared: Ask): Placed | undefined {
    const group = prepared.group?.with((prefix) => this.#index.promisedSeats(prefix));
    const ask = { ...prepared, group };
    const { attempt } = ask.request;
    const refusals = new Refusals();
    const found: Candidate[] = [];
    for (const candidate of ranking(ask, this.#index, (at, why) => refusals.add(at, why))) {
      found.push(candidate);
      if (found.length > attempt) break;
    }
    const chosen = found[attempt % Math.max(1, found.length)];
    return chosen === undefined ? undefined : this.#reserve(ask, chosen, refusals);
  }

  #reserve(ask: Ask, { host, poolIds, score }: Candidate, refusals: Refusals): Placed {
    const { request, group } = ask;
    const seat = group?.seatAt(host);
    const reserve = [
      ...hostCapacity(host.id, request, 1),
      ...request.volumes.map((volume, index) => poolCapacity(poolIds[index] ?? '', volume.sizeBytes, 1)),
      ...(seat === undefined ? [] : (group?.take(seat) ?? [])),
    ];
    if (request.rehearses !== true) this.#index.promise(reserve);
    return {
      hostId: host.id,
      poolIds,
      ...(seat === undefined ? {} : { seat }),
      reserve,
      reasons: { chosen: host.name, score: Math.round(score * 1000) / 1000, ...refusals.brief(ask, this.#index) },
      refusedFor: refusals.kinds,
    };
  }
}
