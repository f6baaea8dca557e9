import type { BackendSpec, ListenerSpec, LoadBalancerSpec } from '@pileus/core/strategy';
import { socketAddress } from '../address.ts';
import type { Compiled } from '../compiled.ts';
import { Compilation } from '../compiled.ts';
import { balancersOf } from '../names.ts';
import { countsOf, interleaved } from './spread.ts';

/** OVN's load balancers have one protocol: there is a row for each. They are on all switches and on the router of the VPC, so that no packet takes a detour. */
export function compileLoadBalancer(spec: LoadBalancerSpec): Compiled {
  const object = new Compilation('loadBalancers', spec);
  for (const protocol of ['tcp', 'udp'] as const) {
    const listeners = spec.listeners.filter((listener) => listener.protocol === protocol);
    if (protocol === 'udp' && listeners.length === 0) continue;
    const columns = {
      name: `${spec.id}-${protocol}`,
      protocol,
      vips: vipsOf(spec, listeners),
      health_check: compileChecks(object, spec, listeners),
      ip_port_mappings: mappingsOf(listeners),
      // Who connects while nobody is behind it is told so at once.
      options: { reject: 'true' },
    };
    const links = {
      places: [`Load_Balancer_Group.load_balancer:${balancersOf(spec.vpcId)}`],
      notes: externalNotes(spec.externalAddress, listeners.flatMap(rememberedOf)),
    } as const;
    if (protocol === 'tcp') object.main('Load_Balancer', columns, links);
    else object.part('Load_Balancer', protocol, columns, links);
  }
  return object;
}

const addressesOf = ({ address, externalAddress }: LoadBalancerSpec): readonly string[] =>
  externalAddress === undefined ? [address] : [address, externalAddress];

function vipsOf(spec: LoadBalancerSpec, listeners: readonly ListenerSpec[]): Readonly<Record<string, string>> {
  const entries = listeners.flatMap(({ port, backends, healthCheck }) => {
    const behind = interleaved(shares(backends), countsOf(backends, healthCheck !== undefined))
      .map(({ address, port: to }) => socketAddress(address, to))
      .join(',');
    return addressesOf(spec).map((address) => [socketAddress(address, port), behind] as const);
  });
  return Object.fromEntries(entries);
}

const shares = (backends: readonly BackendSpec[]): readonly BackendSpec[] => backends.filter(({ weight }) => weight > 0);

function compileChecks(object: Compilation, spec: LoadBalancerSpec, listeners: readonly ListenerSpec[]): readonly string[] {
  return listeners.flatMap(({ id, port, healthCheck }) => {
    if (healthCheck === undefined) return [];
    const options = {
      interval: String(healthCheck.intervalSeconds),
      timeout: String(healthCheck.timeoutSeconds),
      success_count: String(healthCheck.successes),
      failure_count: String(healthCheck.failures),
    };
    return addressesOf(spec).map((address, at) =>
      object.part('Load_Balancer_Health_Check', `check/${id}/${at}`, { vip: socketAddress(address, port), options }),
    );
  });
}

/** Who asks whom: the address that asks is one of the network that the machine is in. */
function mappingsOf(listeners: readonly ListenerSpec[]): Readonly<Record<string, string>> {
  const entries = listeners.flatMap(({ backends, healthCheck }) =>
    healthCheck === undefined
      ? []
      : shares(backends).map(({ address, nicId, networkId }) => [address, `${nicId}:${healthCheck.sources[networkId]}`] as const),
  );
  return Object.fromEntries(entries);
}

/** What is remembered of a backend, to know it again in what hosts tell of its health. */
export interface RememberedBackend {
  readonly id: string;
  readonly nicId: string;
  readonly address: string;
  readonly port: number;
  readonly checked: boolean;
}

const rememberedOf = ({ backends, healthCheck }: ListenerSpec): readonly RememberedBackend[] =>
  backends.map(({ id, nicId, address, port, weight }) => ({ id, nicId, address, port, checked: healthCheck !== undefined && weight > 0 }));

export const externalNotes = (
  externalAddress: string | undefined,
  backends: readonly RememberedBackend[],
): Readonly<Record<string, string>> => ({
  'pileus-backends': JSON.stringify(backends),
  ...(externalAddress === undefined ? {} : { 'pileus-external': externalAddress }),
});

export function readRemembered(externalIds: Readonly<Record<string, string | undefined>>): readonly RememberedBackend[] {
  try {
    return JSON.parse(externalIds['pileus-backends'] ?? '[]') as readonly RememberedBackend[];
  } catch {
    // Spoiled by somebody: it is written anew with the load balancer.
    return [];
  }
}
