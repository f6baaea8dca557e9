import type { Plugin } from '../../../kernel/index.ts';
import type { CloudServices } from '../../services.ts';
import type { NetworkContext } from '../network-context.ts';
import { elasticIp, elasticIpFamilies } from './elastic-ip.ts';
import { bindElasticIp, unbindElasticIp } from './elastic-ip-bind.ts';
import { keptElasticIp } from './elastic-ip-kept.ts';
import { createElasticIp, elasticIpDeletion, updateElasticIp } from './elastic-ip-verbs.ts';
import { natGateway, natPortBlock } from './nat-gateway.ts';
import { keptGateway } from './nat-gateway-kept.ts';
import { natGatewayStatus } from './nat-gateway-status.ts';
import { createNatGateway, natGatewayDeletion, updateNatGateway } from './nat-gateway-verbs.ts';
import { natPortBlockDeletion } from './port-blocks.ts';
import { portForward } from './port-forward.ts';
import { createPortForward, keptPortForward, portForwardDeletion, updatePortForward } from './port-forward-verbs.ts';
import { restingRows } from './reservation.ts';
import { reservedAddress } from './reserved-address.ts';
import { createReservedAddress, reservedAddressDeletion, updateReservedAddress } from './reserved-address-verbs.ts';
import { elasticIpReuseSeconds } from './settings.ts';

/** Addresses that are kept, and how VPCs reach external networks and are reached from there. */
export const nat = (services: CloudServices, context: () => NetworkContext) =>
  ({
    /** What the fabric is compared with, in the order in which it is made. */
    kept: [keptGateway, keptElasticIp, keptPortForward],
    kinds: [reservedAddress, natGateway, natPortBlock, elasticIp, portForward],
    actions: [
      createReservedAddress(services),
      updateReservedAddress,
      createNatGateway(services, context),
      updateNatGateway(services, context),
      createElasticIp(services),
      updateElasticIp,
      bindElasticIp(services, context),
      unbindElasticIp(context),
      createPortForward(services, context),
      updatePortForward,
    ],
    deletions: [
      reservedAddressDeletion,
      natGatewayDeletion(context),
      natPortBlockDeletion,
      elasticIpDeletion(context),
      portForwardDeletion(context),
    ],
    settings: [elasticIpReuseSeconds],
    migrations: [elasticIpFamilies],
    hooks: [restingRows(services)],
    endpoints: [natGatewayStatus(services)],
  }) satisfies Partial<Plugin> & { readonly kept: readonly unknown[] };
