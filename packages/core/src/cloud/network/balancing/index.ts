import type { Plugin } from '../../../kernel/index.ts';
import type { CloudServices } from '../../services.ts';
import type { NetworkContext } from '../network-context.ts';
import { backend } from './backend.ts';
import { backendDeletion, createBackend, updateBackend } from './backend-verbs.ts';
import { listener } from './listener.ts';
import { createListener, listenerDeletion, updateListener } from './listener-verbs.ts';
import { loadBalancer } from './load-balancer.ts';
import { loadBalancerHealth } from './load-balancer-health.ts';
import { keptLoadBalancer } from './load-balancer-kept.ts';
import { createLoadBalancer, loadBalancerDeletion, updateLoadBalancer } from './load-balancer-verbs.ts';
import { flapsMax, holdSeconds } from './settings.ts';

/** Connections to one address, spread over machines. */
export const balancing = (services: CloudServices, context: () => NetworkContext) =>
  ({
    /** What the fabric is compared with. */
    kept: [keptLoadBalancer],
    kinds: [loadBalancer, listener, backend],
    actions: [
      createLoadBalancer(services, context),
      updateLoadBalancer,
      createListener(context),
      updateListener(context),
      createBackend(context),
      updateBackend(context),
    ],
    deletions: [loadBalancerDeletion(context), listenerDeletion(context), backendDeletion(context)],
    settings: [flapsMax, holdSeconds],
    endpoints: [loadBalancerHealth(services)],
  }) satisfies Partial<Plugin> & { readonly kept: readonly unknown[] };
