import type { Plugin } from '../../../kernel/index.ts';
import type { CloudServices } from '../../services.ts';
import type { NetworkContext } from '../network-context.ts';
import { peering } from './peering.ts';
import { createPeering, peeringDeletion, updatePeering } from './peering-create.ts';
import { route } from './route.ts';
import { createRoute, routeDeletion } from './route-create.ts';
import { vpc } from './vpc.ts';
import { createVpc, updateVpc, vpcDeletion } from './vpc-create.ts';

/** VPCs, what their routers know, and links between them. */
export const vpcs = (services: CloudServices, context: () => NetworkContext) =>
  ({
    kinds: [vpc, route, peering],
    actions: [createVpc(services, context), updateVpc, createRoute(context), createPeering(context), updatePeering],
    deletions: [vpcDeletion(context), routeDeletion(context), peeringDeletion(context)],
  }) satisfies Partial<Plugin>;
