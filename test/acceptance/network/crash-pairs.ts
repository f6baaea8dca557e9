import type { Order } from '../stepped-cloud.ts';
import type { CrashStage } from './crash-stage.ts';

/** What is made or changed, and how it is taken back. */
export interface CrashPair {
  readonly kind: string;
  /** What has to be there for it. */
  readonly prepare?: () => Promise<void>;
  readonly make: () => Order;
  readonly takeBack: () => Order;
  /** Things stay the same ones: what they hold tells what has become of them. */
  readonly isChange?: true;
}

type Stage = Pick<CrashStage, 'ids' | 'named' | 'rowsOf' | 'nicOf' | 'made' | 'instance' | 'guestImage' | 'booted'>;

/** Each saga that tells OVN anything, but those of machines that move or come back, and of a fabric that was lost. */
export function crashPairs(stage: Stage): {
  readonly always: readonly CrashPair[];
  /** One of them with each commit. */
  readonly further: readonly CrashPair[];
  /** For the full form alone: machines boot for these. */
  readonly whole: readonly CrashPair[];
} {
  const tools = new Tools(stage);
  return {
    always: alwaysPlayed(stage, tools),
    further: [
      ...gatewayPairs(stage, tools),
      ...balancingPairs(stage, tools),
      ...networkPairs(stage, tools),
      ...firewallPairs(stage, tools),
    ],
    whole: [pluggedPair(stage, tools)],
  };
}

class Tools {
  readonly #stage: Stage;

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  gone(kind: string, name: string): Order {
    return { action: `${kind}.delete`, input: {}, resourceId: this.#stage.named(kind, name) };
  }

  /** There once, however many ask for it. */
  once(name: string, make: () => Promise<string>): () => Promise<void> {
    const { ids } = this.#stage;
    return async () => {
      ids[name] ??= await make();
    };
  }

  /** A change of what is there, and the change back. */
  change(action: string, id: () => string | undefined, to: object, back: object) {
    const order = (input: object) => ({ action, input, ...on(id()) });
    return { isChange: true as const, make: () => order(to), takeBack: () => order(back) };
  }
}

const on = (id: unknown) => ({ resourceId: String(id) });
const HEALTH = { intervalSeconds: 5, timeoutSeconds: 5, successes: 1, failures: 2 };

function alwaysPlayed({ ids, instance }: Stage, tools: Tools): readonly CrashPair[] {
  return [
    { kind: 'a VPC', make: () => ({ action: 'vpc.create', input: { name: 'other' } }), takeBack: () => tools.gone('vpc', 'other') },
    {
      kind: 'a network',
      make: () => ({ action: 'network.create', input: { name: 'more', vpcId: ids.vpc, subnets: [{ cidr: '10.0.1.0/24' }] } }),
      takeBack: () => tools.gone('network', 'more'),
    },
    {
      kind: 'a machine with a NIC',
      make: () => ({ action: 'instance.create', input: instance('late') }),
      takeBack: () => tools.gone('instance', 'late'),
    },
    {
      kind: 'an elastic IP',
      make: () => ({ action: 'elasticIp.bind', input: { nicId: ids.nic }, ...on(ids.elasticIp) }),
      takeBack: () => ({ action: 'elasticIp.unbind', input: {}, ...on(ids.elasticIp) }),
    },
    {
      kind: 'a load balancer',
      make: () => ({ action: 'loadBalancer.create', input: { name: 'spread', subnetId: ids.subnet } }),
      takeBack: () => tools.gone('loadBalancer', 'spread'),
    },
  ];
}

function gatewayPairs({ ids }: Stage, tools: Tools): readonly CrashPair[] {
  return [
    {
      kind: 'a NAT gateway',
      make: () => ({ action: 'natGateway.create', input: { name: 'way-out', vpcId: ids.closed, externalNetworkId: ids.external } }),
      takeBack: () => tools.gone('natGateway', 'way-out'),
    },
    { kind: 'what a NAT gateway translates', ...tools.change('natGateway.update', () => ids.gateway, { snat: false }, { snat: true }) },
    {
      kind: 'a forwarded port',
      make: () => ({
        action: 'portForward.create',
        input: { name: 'ssh', natGatewayId: ids.gateway, protocol: 'tcp', externalPort: 2222, nicId: ids.nic, port: 22 },
      }),
      takeBack: () => tools.gone('portForward', 'ssh'),
    },
    {
      kind: 'an elastic IP of nobody',
      make: () => ({ action: 'elasticIp.create', input: { name: 'spare', externalNetworkId: ids.external } }),
      takeBack: () => tools.gone('elasticIp', 'spare'),
    },
  ];
}

function balancingPairs({ ids, made }: Stage, tools: Tools): readonly CrashPair[] {
  const balancer = tools.once('balancer', () => made('loadBalancer.create', { name: 'standing', subnetId: ids.subnet }));
  const listener = async () => {
    await balancer();
    await tools.once('listener', () => made('listener.create', { loadBalancerId: ids.balancer, protocol: 'tcp', port: 80 }))();
  };
  const backend = async () => {
    await listener();
    await tools.once('backend', () => made('backend.create', { listenerId: ids.listener, nicId: ids.nic, port: 8080 }))();
  };
  return [
    {
      kind: 'an elastic IP of a load balancer',
      prepare: balancer,
      make: () => ({ action: 'elasticIp.bind', input: { loadBalancerId: ids.balancer }, ...on(ids.elasticIp) }),
      takeBack: () => ({ action: 'elasticIp.unbind', input: {}, ...on(ids.elasticIp) }),
    },
    {
      kind: 'a listener',
      prepare: balancer,
      make: () => ({
        action: 'listener.create',
        input: { name: 'dns', loadBalancerId: ids.balancer, protocol: 'udp', port: 53 },
      }),
      takeBack: () => tools.gone('listener', 'dns'),
    },
    {
      kind: 'what a listener asks',
      prepare: backend,
      ...tools.change('listener.update', () => ids.listener, { healthCheck: HEALTH }, { healthCheck: null }),
    },
    {
      kind: 'a backend',
      prepare: listener,
      make: () => ({ action: 'backend.create', input: { name: 'web', listenerId: ids.listener, nicId: ids.nic, port: 8081 } }),
      takeBack: () => tools.gone('backend', 'web'),
    },
    {
      kind: 'the weight of a backend',
      prepare: backend,
      ...tools.change('backend.update', () => ids.backend, { weight: 0 }, { weight: 1 }),
    },
  ];
}

function networkPairs({ ids, made, rowsOf, instance }: Stage, tools: Tools): readonly CrashPair[] {
  const record = tools.once('record', () =>
    made('dnsRecord.create', { vpcId: ids.vpc, hostname: 'db.vpc.internal', addresses: ['10.0.0.200'] }),
  );
  const resting = tools.once('resting', async () => {
    const id = await made('instance.create', instance('resting'));
    await made('instance.stop', { force: true }, { resourceId: id });
    return id;
  });
  const itsNicId = () => rowsOf('nic').find((row) => row.instanceId === ids.resting && row.networkId === ids.closedNetwork)?.id;
  return [
    {
      kind: 'a name',
      make: () => ({
        action: 'dnsRecord.create',
        input: { name: 'web', vpcId: ids.vpc, hostname: 'web.vpc.internal', addresses: ['10.0.0.201'] },
      }),
      takeBack: () => tools.gone('dnsRecord', 'web'),
    },
    {
      kind: 'what a name tells',
      prepare: record,
      ...tools.change('dnsRecord.update', () => ids.record, { addresses: ['10.0.0.9'] }, { addresses: ['10.0.0.200'] }),
    },
    {
      kind: 'a route',
      make: () => ({ action: 'route.create', input: { name: 'away', vpcId: ids.vpc, destination: '172.20.0.0/16' } }),
      takeBack: () => tools.gone('route', 'away'),
    },
    {
      kind: 'a subnet',
      make: () => ({ action: 'subnet.create', input: { name: 'second', networkId: ids.network, cidr: '10.0.3.0/24' } }),
      takeBack: () => tools.gone('subnet', 'second'),
    },
    {
      kind: 'what a subnet tells',
      ...tools.change('subnet.update', () => ids.subnet, { dnsServers: ['192.0.2.53'] }, { dnsServers: null }),
    },
    {
      kind: 'a machine that is started',
      prepare: resting,
      make: () => ({ action: 'instance.start', input: {}, ...on(ids.resting) }),
      takeBack: () => ({ action: 'instance.stop', input: { force: true }, ...on(ids.resting) }),
    },
    {
      kind: 'a NIC of a machine that is there',
      prepare: resting,
      make: () => ({ action: 'instance.attachNic', input: { networkId: ids.closedNetwork }, ...on(ids.resting) }),
      takeBack: () => ({ action: 'instance.detachNic', input: { nicId: itsNicId() }, ...on(ids.resting) }),
    },
    {
      kind: 'what a NIC may send',
      ...tools.change(
        'nic.setLimits',
        () => ids.nic,
        { limits: { outboundBytesPerSecond: 1_000_000 } },
        { limits: { outboundBytesPerSecond: 0 } },
      ),
    },
    {
      kind: 'a peering',
      make: () => ({ action: 'peering.create', input: { name: 'link', vpcId: ids.vpc, peerVpcId: ids.closed } }),
      takeBack: () => tools.gone('peering', 'link'),
    },
  ];
}

function pluggedPair({ ids, made, rowsOf, instance, guestImage, booted }: Stage, tools: Tools): CrashPair {
  const guest = tools.once('guest', async () => {
    await made('instanceType.create', { name: 'guest', vcpus: 1, memoryBytes: 96 * 2 ** 20 });
    const id = await made('instance.create', { ...instance('guest'), instanceType: 'guest', imageId: await guestImage() });
    await booted(id);
    return id;
  });
  const itsNicId = () => rowsOf('nic').find((row) => row.instanceId === ids.guest && row.networkId === ids.closedNetwork)?.id;
  return {
    kind: 'a NIC of a machine that runs',
    prepare: guest,
    make: () => ({ action: 'instance.attachNic', input: { networkId: ids.closedNetwork }, ...on(ids.guest) }),
    takeBack: () => ({ action: 'instance.detachNic', input: { nicId: itsNicId() }, ...on(ids.guest) }),
  };
}

function firewallPairs({ ids, made, rowsOf }: Stage, tools: Tools): readonly CrashPair[] {
  const ruleInput = (name: string) => ({
    ...{ name, securityGroupId: ids.group, direction: 'inbound', protocol: 'tcp', firstPort: 80, lastPort: 80 },
    cidrs: ['0.0.0.0/0'],
  });
  const rule = tools.once('rule', () => made('securityGroupRule.create', { ...ruleInput('standing'), firstPort: 22, lastPort: 22 }));
  const memberId = () => rowsOf('securityGroupMember').find(({ securityGroupId }) => securityGroupId === ids.group)?.id;
  return [
    {
      kind: 'a security group',
      make: () => ({ action: 'securityGroup.create', input: { name: 'more', vpcId: ids.vpc } }),
      takeBack: () => tools.gone('securityGroup', 'more'),
    },
    {
      kind: 'a rule of a security group',
      make: () => ({ action: 'securityGroupRule.create', input: ruleInput('web') }),
      takeBack: () => tools.gone('securityGroupRule', 'web'),
    },
    {
      kind: 'what a rule is about',
      prepare: rule,
      ...tools.change('securityGroupRule.update', () => ids.rule, { cidrs: ['192.0.2.0/24'] }, { cidrs: ['0.0.0.0/0'] }),
    },
    {
      kind: 'a member of a security group',
      make: () => ({ action: 'securityGroupMember.create', input: { securityGroupId: ids.group, nicId: ids.nic } }),
      takeBack: () => ({ action: 'securityGroupMember.delete', input: {}, ...on(memberId()) }),
    },
  ];
}
