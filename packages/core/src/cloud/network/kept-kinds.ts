import type { AnyKind } from '../../kernel/index.ts';
import type { KeptSort } from '../../strategy/index.ts';
import { keptLoadBalancer } from './balancing/load-balancer-kept.ts';
import { keptGroup } from './firewall/group-kept.ts';
import type { KeptKind } from './kept.ts';
import { keptDnsRecord } from './names/dns-record-kept.ts';
import { keptElasticIp } from './nat/elastic-ip-kept.ts';
import { keptGateway } from './nat/nat-gateway-kept.ts';
import { keptPortForward } from './nat/port-forward-verbs.ts';
import { keptPeering } from './vpc/peering-kept.ts';
import { keptVpc } from './vpc/vpc-kept.ts';

export type AnyKept = KeptKind<AnyKind, KeptSort>;

/** What networks and their ports need, each after what it needs itself. */
export const BELOW_NETWORKS: readonly AnyKept[] = [keptVpc, keptGroup];
/** What needs networks and ports, each after what it needs itself. */
export const ABOVE_NETWORKS: readonly AnyKept[] = [
  keptPeering,
  keptGateway,
  keptElasticIp,
  keptPortForward,
  keptLoadBalancer,
  keptDnsRecord,
];
