import type {
  BackendAt,
  BackendHealth,
  ContinuityMark,
  GatewaySpec,
  KeptSort,
  LoadBalancerSpec,
  NetworkObject,
  PeeringSpec,
  SecurityGroupSpec,
} from '../../src/strategy/index.ts';
import { SimError } from './fault.ts';

const EVERY_SORT: Readonly<Record<KeptSort, true>> = {
  vpcs: true,
  peerings: true,
  securityGroups: true,
  gateways: true,
  elasticIps: true,
  portForwards: true,
  loadBalancers: true,
  dnsRecords: true,
};

/** Every sort of object that a network driver may keep beside networks and ports, the outer ones first. */
export const KEPT_SORTS = Object.keys(EVERY_SORT) as readonly KeptSort[];

export interface SimKeptObject {
  readonly spec: NetworkObject;
  /** Undefined for one that is not ours. */
  readonly owner: string | undefined;
}

interface Reference {
  readonly sort: KeptSort | 'networks';
  readonly id: string;
}

/** What a shared fabric keeps beside networks, with the rule that nothing points to what is not there. */
export class SimKept {
  readonly #sorts = new Map<KeptSort, Map<string, SimKeptObject>>(KEPT_SORTS.map((sort) => [sort, new Map()]));
  /** By gateway: host name of who has carried it last. */
  readonly #carriers = new Map<string, string>();
  /** Backends that do not answer, by id. */
  readonly offline = new Set<string>();
  readonly #watchers = new Set<(at: BackendAt) => void>();
  /** By which the cloud knows the fabric again. */
  mark: ContinuityMark | undefined;

  of(sort: KeptSort): Map<string, SimKeptObject> {
    return this.#sorts.get(sort) as Map<string, SimKeptObject>;
  }

  ensure(sort: KeptSort, spec: NetworkObject, hasNetwork: (id: string) => boolean): void {
    for (const { sort: other, id } of referencesOf(sort, spec))
      if (!(other === 'networks' ? hasNetwork(id) : this.of(other).has(id))) throw new SimError('not_found', `no ${id} among the ${other}`);
    if (sort === 'gateways' && (spec as GatewaySpec).hosts.length === 0) throw new SimError('invalid', 'some host must carry it');
    this.of(sort).set(spec.id, { spec, owner: spec.owner });
  }

  /** One without our mark; of it nothing is known but that it is there. */
  addForeign(sort: KeptSort, id: string): void {
    this.of(sort).set(id, { spec: { id, owner: '' }, owner: undefined });
  }

  /** All is as on the first day. */
  clear(): void {
    for (const objects of this.#sorts.values()) objects.clear();
    this.mark = undefined;
  }

  remove(sort: KeptSort, id: string): void {
    this.refuseUsed(sort, id);
    this.of(sort).delete(id);
  }

  /** @throws SimError conflict while something points to it */
  refuseUsed(sort: Reference['sort'], id: string): void {
    for (const from of KEPT_SORTS)
      for (const { spec, owner } of this.of(from).values())
        if (
          spec.id !== id &&
          owner !== undefined &&
          referencesOf(from, spec).some((reference) => reference.sort === sort && reference.id === id)
        )
          throw new SimError('conflict', `${spec.id} of the ${from} is in the way of ${id} of the ${sort}`);
  }

  /** Whoever has it keeps it; when he is lost the first of the others takes over. */
  activeHost(gatewayId: string, isUp: (hostname: string) => boolean): string | undefined {
    const { hosts = [] } = (this.of('gateways').get(gatewayId)?.spec ?? {}) as Partial<GatewaySpec>;
    const last = this.#carriers.get(gatewayId);
    const now = last !== undefined && hosts.includes(last) && isUp(last) ? last : hosts.find(isUp);
    if (now !== undefined) this.#carriers.set(gatewayId, now);
    return now;
  }

  watch(wentOut: (at: BackendAt) => void): () => void {
    this.#watchers.add(wentOut);
    return () => void this.#watchers.delete(wentOut);
  }

  /** A backend does not answer any more, at its own address or at another of its NIC; who listens is told of one that was asked. */
  goOut(backendId: string, at?: string): void {
    this.offline.add(backendId);
    for (const { spec } of this.of('loadBalancers').values())
      for (const { protocol, backends, healthCheck } of (spec as Partial<LoadBalancerSpec>).listeners ?? [])
        for (const { id, weight, nicId, address, port } of backends)
          if (id === backendId && healthCheck !== undefined && weight > 0)
            for (const watcher of this.#watchers) watcher({ nicId, address: at ?? address, protocol, port });
  }

  health(loadBalancerId: string): Readonly<Record<string, BackendHealth>> {
    const { listeners = [] } = (this.of('loadBalancers').get(loadBalancerId)?.spec ?? {}) as Partial<LoadBalancerSpec>;
    const stateOf = (id: string, checked: boolean): BackendHealth => (!checked ? 'unchecked' : this.offline.has(id) ? 'offline' : 'online');
    return Object.fromEntries(
      listeners.flatMap(({ backends, healthCheck }) =>
        backends.map(({ id, weight }) => [id, stateOf(id, healthCheck !== undefined && weight > 0)]),
      ),
    );
  }
}

function referencesOf(sort: KeptSort, spec: NetworkObject): readonly Reference[] {
  if (sort === 'vpcs') return [];
  if (sort === 'peerings') return (spec as PeeringSpec).sides.map(({ vpcId }) => ({ sort: 'vpcs', id: vpcId }));
  if (sort === 'securityGroups')
    return (spec as SecurityGroupSpec).rules.flatMap(({ remote }) =>
      'securityGroupId' in remote && remote.securityGroupId !== spec.id ? [{ sort, id: remote.securityGroupId }] : [],
    );
  const { vpcId, gatewayId, externalNetworkId } = spec as Partial<GatewaySpec> & { readonly gatewayId?: string };
  const named = [
    ['vpcs', vpcId],
    ['gateways', gatewayId],
    ['networks', externalNetworkId],
  ] as const;
  return named.flatMap(([to, id]) => (id === undefined ? [] : [{ sort: to, id }]));
}
