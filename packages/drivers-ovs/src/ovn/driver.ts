import type {
  Call,
  DnsRecordSpec,
  ElasticIpSpec,
  GatewaySpec,
  LoadBalancerSpec,
  NetworkDriver,
  NetworkExtras,
  NetworkObservation,
  NetworkSpec,
  PeeringSpec,
  Plug,
  PortForwardSpec,
  PortSpec,
  SecurityGroupSpec,
  VpcSpec,
} from '@pileus/core/strategy';
import { healthOf, refuseBalanced, refuseDistributed, refuseForwarded } from './balancing.ts';
import { Bounds } from './bounds.ts';
import { Carriers } from './carriers.ts';
import { checkNetwork, checkPort, checkSecurityGroup, checkVpc } from './check.ts';
import { checkDnsRecord, checkElasticIp, checkGateway, checkLoadBalancer, checkPeering, checkPortForward } from './check-reach.ts';
import { compileDnsRecord } from './compile/dns-record.ts';
import { compileElasticIp, compileGateway, compilePortForward } from './compile/gateway.ts';
import { compileLoadBalancer } from './compile/load-balancer.ts';
import { compileNetwork, type Mtu } from './compile/network.ts';
import { compilePeering } from './compile/peering.ts';
import { compilePort } from './compile/port.ts';
import { compileSecurityGroup } from './compile/security-group.ts';
import { compileVpc } from './compile/vpc.ts';
import { DriverError } from './driver-error.ts';
import { classify } from './faults.ts';
import { Health } from './health.ts';
import type { Inventory } from './inventory.ts';
import { foreign, keeperOf } from './keepers.ts';
import { servicePortMac, servicePortName } from './names.ts';
import type { Northbound } from './northbound.ts';
import { Readiness } from './readiness.ts';
import type { Southbound } from './southbound.ts';

export interface OvnDriverOptions {
  /** The bridge that hosts plug machines into. */
  readonly bridge: string;
  readonly mtu: Mtu;
  /** How often hosts that may carry gateways ask each other; three silences are a failure. */
  readonly gatewayProbeMs: number;
}

/** Networks by OVN: what is to be there is written to its northbound database, and hosts make it so. */
export function ovnDriver(northbound: Northbound, southbound: Southbound, options: OvnDriverOptions): NetworkDriver {
  const { bridge, mtu } = options;
  const { inventory } = northbound;
  const carriers = new Carriers(northbound, southbound);
  const readiness = new Readiness(northbound, southbound);
  const health = new Health(northbound, southbound);
  return {
    ensureNetwork: async (spec: NetworkSpec, call: Call) => {
      checkNetwork(spec);
      await northbound.ensure(compileNetwork(spec, mtu), new Bounds(call));
    },
    deleteNetwork: (id, call) => northbound.remove(`networks/${id}`, new Bounds(call), () => needEmpty(inventory, id)),
    inspectNetwork: async (id, call) => {
      await northbound.look(new Bounds(call));
      return observe(inventory, id);
    },
    listNetworks: async (call) => {
      await northbound.look(new Bounds(call));
      const all = [...inventory.objects('networks'), ...foreign(inventory, 'Logical_Switch')];
      return all.flatMap(({ id }) => observe(inventory, id) ?? []);
    },
    ensurePort: async (spec: PortSpec, call: Call): Promise<Plug> => {
      const bounds = new Bounds(call);
      checkPort(spec);
      await southbound.ready(bounds.left);
      await northbound.ensure(compilePort(spec, { boundsSending: southbound.isUserspace(spec.host) }), bounds);
      return { type: 'ovsPort', bridge, interfaceId: spec.nicId, ...(southbound.isUserspace(spec.host) ? { offloads: false } : {}) };
    },
    deletePort: ({ nicId }, call) => northbound.remove(`ports/${nicId}`, new Bounds(call)),
    classify,
    close: async () => {
      carriers.close();
      await northbound[Symbol.asyncDispose]();
      await southbound[Symbol.asyncDispose]();
    },
    ...keepersOf(northbound, southbound, carriers, options),
    readiness: { port: (nicId, call) => readiness.port(nicId, call) },
    health: { troubles: (hosts, call) => health.troubles(hosts, call) },
    continuity: {
      read: (call) => northbound.readMark(new Bounds(call)),
      write: (mark, call) => northbound.writeMark(mark, new Bounds(call)),
    },
    services: { portOf: (networkId) => ({ bridge, interfaceId: servicePortName(networkId), mac: servicePortMac(networkId) }) },
    hosts: {
      list: async (call) => {
        await southbound.look(new Bounds(call));
        return southbound.hosts();
      },
    },
    connections: { missing: (host, segment) => southbound.missing(host, segment) },
    // A switch in the kernel leaves that to the host, where machines' interfaces have queues of their own.
    sending: { isBounded: (host) => southbound.knownUserspace(host) },
  };
}

/** What it keeps beside networks and ports. */
function keepersOf(
  northbound: Northbound,
  southbound: Southbound,
  carriers: Carriers,
  { gatewayProbeMs }: OvnDriverOptions,
): NetworkExtras {
  const { inventory } = northbound;
  return {
    vpcs: keeperOf<VpcSpec>(northbound, { sort: 'vpcs', table: 'Logical_Router', check: checkVpc, compile: compileVpc }),
    peerings: keeperOf<PeeringSpec>(northbound, { sort: 'peerings', check: checkPeering, compile: compilePeering }),
    securityGroups: keeperOf<SecurityGroupSpec>(northbound, {
      sort: 'securityGroups',
      table: 'Port_Group',
      check: checkSecurityGroup,
      compile: compileSecurityGroup,
    }),
    gateways: {
      ...keeperOf<GatewaySpec>(northbound, {
        sort: 'gateways',
        check: checkGateway,
        compile: async (spec, bounds) => {
          await Promise.all([southbound.look(bounds), northbound.look(bounds)]);
          const probe = String(gatewayProbeMs);
          await northbound.setDefaults({ 'bfd-min-rx': probe, 'bfd-min-tx': probe, 'bfd-mult': '3' }, bounds);
          return compileGateway(spec, carriers.order(spec));
        },
      }),
      activeHost: async (id, call) => {
        await southbound.look(new Bounds(call));
        return carriers.active(id);
      },
    },
    elasticIps: keeperOf<ElasticIpSpec>(northbound, {
      sort: 'elasticIps',
      check: checkElasticIp,
      compile: compileElasticIp,
      refuse: refuseDistributed,
    }),
    portForwards: keeperOf<PortForwardSpec>(northbound, {
      sort: 'portForwards',
      check: checkPortForward,
      compile: compilePortForward,
      refuse: refuseForwarded,
    }),
    loadBalancers: {
      ...keeperOf<LoadBalancerSpec>(northbound, {
        sort: 'loadBalancers',
        table: 'Load_Balancer',
        check: checkLoadBalancer,
        compile: compileLoadBalancer,
        refuse: refuseBalanced,
      }),
      health: async (id, call) => {
        const bounds = new Bounds(call);
        await Promise.all([southbound.look(bounds), northbound.look(bounds)]);
        return healthOf(id, inventory, southbound);
      },
      watch: (wentOut) => southbound.watchBackends(wentOut),
    },
    dnsRecords: keeperOf<DnsRecordSpec>(northbound, { sort: 'dnsRecords', check: checkDnsRecord, compile: compileDnsRecord }),
  };
}

function needEmpty(inventory: Inventory, id: string): void {
  const ports = inventory.tables.Logical_Switch.get(id)?.ports ?? [];
  const others = ports.filter((uuid) => inventory.marks(uuid)?.object !== `networks/${id}`);
  if (others.length > 0) throw new DriverError('conflict', `network ${id} has ${others.length} ports left`);
}

function observe(inventory: Inventory, id: string): NetworkObservation | undefined {
  const row = inventory.tables.Logical_Switch.get(id);
  if (row === undefined) return undefined;
  const marks = inventory.marks(id);
  if (marks === undefined) return { id, name: row.name, active: true, nicIds: [] };
  const keys = row.ports.flatMap((uuid) => inventory.marks(uuid)?.object ?? []);
  const nicIds = keys.flatMap((key) => (key.startsWith('ports/') ? key.slice('ports/'.length) : []));
  return { id, name: row.external_ids['pileus-name'] ?? row.name, active: true, owner: marks.owner, nicIds };
}
