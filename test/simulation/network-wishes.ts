import type { JsonObject } from '@pileus/core/kernel';
import { machine } from './machine-wishes.ts';
import type { Drawing, Wish, Wishes } from './wish.ts';

/** Kinds of rows around VPCs that requests make, change and take away. */
export const NETWORK_KINDS = [
  'vpc',
  'subnet',
  'nic',
  'route',
  'peering',
  'securityGroup',
  'securityGroupRule',
  'securityGroupMember',
  'dnsRecord',
  'natGateway',
  'elasticIp',
  'portForward',
  'reservedAddress',
  'loadBalancer',
  'listener',
  'backend',
] as const;

/** All VPCs have it, or a name could not be told before it is known which VPC it is in. */
export const DOMAIN = 'cloud.internal';
/** Of a project's first VPC: no other project has the same, so that they may be linked. */
export const ownRange = (index: number): string => `10.${200 + index}.0.0/24`;
/** Of physical networks, by what hosts call them: one that leads out, and a wire for machines of all tenants. */
export const LABELS = ['physnet1', 'physnet2'] as const;
/** Of the network that leads out. */
export const OUTSIDE = { ipv4: '192.0.2.0/25', ipv6: '2001:db8:ffff::/64' } as const;
export const WIRE = '10.253.0.0/22';

const FOREIGN = 0.04;
const HEALTH = { intervalSeconds: 5, timeoutSeconds: 5, successes: 1 };

/** VPCs and all that lies around networks. Few addresses and ports: what clashes is part of the history. */
export const networkWishes = (drawing: Drawing): Wishes => new NetworkWishes(drawing).all;

class NetworkWishes {
  readonly #at: Drawing;
  readonly #random: Drawing['random'];
  readonly #number: number;
  readonly #other: number;

  constructor(at: Drawing) {
    this.#at = at;
    this.#random = at.random;
    this.#number = at.random.below(6);
    this.#other = at.random.below(6);
  }

  get all(): Wishes {
    return [
      ...this.#vpcs(),
      ...this.#subnets(),
      ...this.#machines(),
      ...this.#links(),
      ...this.#firewall(),
      ...this.#outside(),
      ...this.#balancing(),
      ...this.#names(),
    ];
  }

  #on(action: string, kind: string, input: JsonObject = {}): Wish {
    return this.#at.on(action, kind, input);
  }

  #make(kind: string, input: JsonObject): Wish {
    return { action: `${kind}.create`, input: { name: this.#at.name(), ...input } };
  }

  #gone(kind: string, input: JsonObject = {}): Wish {
    return this.#on(`${kind}.delete`, kind, input);
  }

  #described(kind: string): Wish {
    return this.#on(`${kind}.update`, kind, { description: `by ${this.#at.name()}` });
  }

  /** Whose: now and then another's. */
  #whose(): string {
    return this.#random.chance(FOREIGN) ? this.#random.pick<string>([...this.#at.projects]) : this.#at.project;
  }

  /** Mostly the project's first. */
  #vpc(): string {
    return this.#random.chance(0.6) ? `@vpc/${this.#whose()}` : this.#at.one('vpc');
  }

  /** What is in a VPC, where there are others of the kind outside of one. */
  #within(kind: 'network' | 'nic' | 'subnet'): string {
    return `@routed/${kind}/${this.#whose()}/${this.#random.below(1000)}`;
  }

  /** A network of others that is shared with the project. */
  #guests(): string {
    return `@guest/network/${this.#at.project}/${this.#random.below(1000)}`;
  }

  #nic(): JsonObject {
    const random = this.#random;
    const networkId = random.chance(0.2) ? this.#guests() : this.#within('network');
    return {
      networkId,
      ...(random.chance(0.2) ? { securityGroupIds: random.chance(0.2) ? [] : [this.#at.one('securityGroup')] } : {}),
      ...(random.chance(0.1) ? { address: `10.${this.#number}.${this.#other}.${8 + random.below(4)}` } : {}),
      ...(random.chance(0.1) ? { allowedAddresses: [{ cidr: `10.${this.#number}.0.0/24` }] } : {}),
      ...(random.chance(0.15) ? { ipv6SubnetId: this.#within('subnet') } : {}),
    };
  }

  #vpcs(): Wishes {
    const [number, other] = [this.#number, this.#other];
    const network = (subnets: readonly JsonObject[]) => this.#make('network', { vpcId: this.#vpc(), subnets: [...subnets] });
    return [
      [4, () => this.#make('vpc', { domain: DOMAIN })],
      [1, () => this.#described('vpc')],
      [2, () => this.#gone('vpc')],
      [1, () => this.#gone('vpc', { recursive: true })],
      [8, () => network([{ cidr: `10.${number}.${other}.0/24` }])],
      [4, () => network([{ cidr: `10.${number}.0.0/20` }, { cidr: `fd00:${number}::/64` }])],
      [2, () => network([{ cidr: `10.${number}.${other}.0/28` }])],
      [2, () => this.#gone('network', this.#random.chance(0.3) ? { recursive: true } : {})],
      [1, () => this.#on('network.update', 'network', { description: `by ${this.#at.name()}` })],
      [
        4,
        () => ({
          action: 'share.create',
          by: 'accountAdmin',
          input: {
            name: this.#at.name(),
            resourceKind: 'network',
            resourceId: this.#within('network'),
            with: `@project/${this.#random.pick<string>([...this.#at.projects])}`,
          },
        }),
      ],
    ];
  }

  #subnets(): Wishes {
    const [number, other] = [this.#number, this.#other];
    const hostRoutes = [{ destination: `172.16.${number}.0/24`, nextHop: `10.${number}.${other}.9` }];
    return [
      [5, () => this.#make('subnet', { networkId: this.#within('network'), cidr: `10.${number}.${other * 2}.0/23` })],
      [2, () => this.#make('subnet', { networkId: this.#within('network'), cidr: `fd00:${number}:${other}::/64`, ipv6Mode: 'slaac' })],
      [3, () => this.#on('subnet.update', 'subnet', { dnsServers: number === 0 ? null : [`192.0.2.${number}`] })],
      [2, () => this.#on('subnet.update', 'subnet', { hostRoutes: number === 0 ? null : hostRoutes })],
      [3, () => this.#gone('subnet')],
      [3, () => this.#make('reservedAddress', { subnetId: this.#within('subnet') })],
      [2, () => this.#make('reservedAddress', { subnetId: this.#within('subnet'), address: `10.${number}.${other}.${8 + other}` })],
      [1, () => this.#on('reservedAddress.update', 'reservedAddress', { name: `${this.#at.name()}-kept` })],
      [2, () => this.#gone('reservedAddress')],
    ];
  }

  /** Machines, which others move about and switch on and off. */
  #machines(): Wishes {
    const random = this.#random;
    const plugged = (...nics: readonly JsonObject[]) => machine(this.#at, { nics: [...nics] });
    const [nicId, bytes] = [this.#within('nic'), random.below(3) * 1_000_000];
    const limits = random.chance(0.5) ? { outboundBytesPerSecond: bytes } : { inboundBytesPerSecond: bytes };
    return [
      [20, () => plugged(this.#nic())],
      [8, () => plugged(this.#nic(), this.#nic())],
      [6, () => plugged({ networkId: '@wire' })],
      [2, () => plugged({ networkId: '@wire' }, this.#nic())],
      [3, () => this.#on('instance.attachNic', 'instance', { networkId: '@wire' })],
      [4, () => this.#on('instance.start', 'instance')],
      [3, () => this.#on('instance.stop', 'instance', { force: true })],
      [1, () => this.#on('instance.delete', 'instance', { force: true })],
      [3, () => this.#on('instance.recover', 'instance')],
      [5, () => ({ ...this.#on('instance.migrate', 'instance'), by: 'operator' })],
      [1, () => ({ ...this.#on('instance.evacuate', 'instance'), by: 'operator' })],
      [10, () => this.#on('instance.attachNic', 'instance', this.#nic())],
      // Its own, or one of another machine.
      [5, () => this.#detach()],
      [4, () => ({ action: 'nic.setLimits', on: nicId, input: { limits } })],
    ];
  }

  #detach(): Wish {
    const on = `@live/instance/${this.#whose()}/${this.#random.below(1000)}`;
    return { action: 'instance.detachNic', on, input: { nicId: `${on.replace('@', '@nic/')}/${this.#random.below(3)}` } };
  }

  /** Routes, and links between VPCs of whomever: one side asks, the other agrees, or two ask one another. */
  #links(): Wishes {
    const random = this.#random;
    const [number, other] = [this.#number, this.#other];
    const sharesNames = random.chance(0.5);
    const peer = random.pick<string>([...this.#at.projects]);
    const [place, vpcId] = [random.below(1000), this.#vpc()];
    const asked = (which: string) => `@asked/${which}/${this.#at.project}/${place}`;
    return [
      [4, () => this.#make('route', { vpcId: this.#vpc(), destination: `10.${number}.${other}.128/25` })],
      [3, () => this.#make('route', { vpcId: this.#vpc(), destination: `172.16.${number}.0/24`, nextHop: `10.${number}.0.${8 + other}` })],
      [3, () => this.#gone('route')],
      [4, () => this.#make('peering', { vpcId: `@vpc/${this.#at.project}`, peerVpcId: `@vpc/${peer}`, sharesNames })],
      [2, () => this.#make('peering', { vpcId, peerVpcId: `@live/vpc/${peer}/${place}` })],
      [8, () => this.#make('peering', { vpcId: asked('own'), peerVpcId: asked('their'), sharesNames })],
      [3, () => this.#on('peering.update', 'peering', { sharesNames })],
      [4, () => this.#gone('peering')],
    ];
  }

  #firewall(): Wishes {
    const random = this.#random;
    const [number, one] = [this.#number, this.#at.one];
    const rule = (input: JsonObject) => this.#make('securityGroupRule', { direction: random.pick(['inbound', 'outbound']), ...input });
    const group = () => ({ securityGroupId: one('securityGroup') });
    return [
      [5, () => this.#make('securityGroup', { vpcId: this.#vpc() })],
      // In a VPC of others of which a network is shared with the project.
      [1, () => this.#make('securityGroup', { vpcId: `@vpc/${random.pick<string>([...this.#at.projects])}` })],
      [1, () => this.#described('securityGroup')],
      [3, () => this.#gone('securityGroup')],
      [5, () => rule({ ...group(), remoteGroupId: one('securityGroup') })],
      [3, () => rule({ ...group(), protocol: 'tcp', firstPort: 80 + number, cidrs: [`10.${number}.0.0/16`] })],
      [3, () => this.#on('securityGroupRule.update', 'securityGroupRule', { cidrs: number === 0 ? null : [`10.${number}.0.0/16`] })],
      [3, () => this.#gone('securityGroupRule')],
      [6, () => ({ action: 'securityGroupMember.create', input: { ...group(), nicId: this.#within('nic') } })],
      [3, () => this.#gone('securityGroupMember')],
    ];
  }

  #outside(): Wishes {
    const random = this.#random;
    const [number, other, one] = [this.#number, this.#other, this.#at.one];
    const outside = { externalNetworkId: '@outside' };
    const address = () => (random.chance(0.3) ? { address: `192.0.2.${10 + number + other}` } : {});
    const distributed = () => (random.chance(0.3) ? { distributed: random.chance(0.7) } : {});
    const portsPerSubnet = () => (random.chance(0.3) ? { portsPerSubnet: 1024 * (1 + number) } : {});
    const bind = (input: JsonObject) => this.#on('elasticIp.bind', 'elasticIp', input);
    return [
      [6, () => this.#make('natGateway', { vpcId: this.#vpc(), ...outside, ...address(), ...portsPerSubnet() })],
      [2, () => this.#on('natGateway.update', 'natGateway', { snat: random.chance(0.5) })],
      [2, () => this.#on('natGateway.update', 'natGateway', { portsPerSubnet: number === 0 ? null : 1024 * number })],
      [2, () => this.#gone('natGateway')],
      [10, () => this.#make('elasticIp', { ...outside, ...address(), ...distributed() })],
      [2, () => this.#make('elasticIp', { ...outside, subnetId: '@outside/ipv6' })],
      [1, () => this.#described('elasticIp')],
      [12, () => bind({ nicId: this.#within('nic'), ...distributed() })],
      [4, () => bind({ loadBalancerId: one('loadBalancer') })],
      [6, () => this.#on('elasticIp.unbind', 'elasticIp')],
      [4, () => this.#gone('elasticIp')],
      [
        8,
        () =>
          this.#make('portForward', {
            ...{ natGatewayId: one('natGateway'), protocol: random.pick(['tcp', 'udp']), externalPort: 8000 + number },
            ...{ nicId: this.#within('nic'), port: 80 },
          }),
      ],
      [3, () => this.#on('portForward.update', 'portForward', { name: `${this.#at.name()}-in` })],
      [3, () => this.#gone('portForward')],
    ];
  }

  #balancing(): Wishes {
    const random = this.#random;
    const [number, other, one] = [this.#number, this.#other, this.#at.one];
    const health = () => ({ healthCheck: { ...HEALTH, failures: 1 + other } });
    return [
      [5, () => this.#make('loadBalancer', { subnetId: this.#within('subnet') })],
      [1, () => this.#described('loadBalancer')],
      [2, () => this.#gone('loadBalancer')],
      [
        7,
        () =>
          this.#make('listener', {
            ...{ loadBalancerId: one('loadBalancer'), protocol: 'tcp', port: 80 + number },
            ...(random.chance(0.4) ? health() : {}),
          }),
      ],
      [3, () => this.#on('listener.update', 'listener', number < 3 ? { healthCheck: null } : health())],
      [2, () => this.#gone('listener')],
      [10, () => this.#make('backend', { listenerId: one('listener'), nicId: this.#within('nic'), weight: other })],
      [6, () => this.#on('backend.update', 'backend', { weight: number })],
      [3, () => this.#gone('backend')],
    ];
  }

  #names(): Wishes {
    const [number, other] = [this.#number, this.#other];
    const hostname = `db-${number}.${DOMAIN}`;
    return [
      [4, () => this.#make('dnsRecord', { vpcId: this.#vpc(), hostname, addresses: [`10.0.0.${10 + other}`] })],
      [2, () => this.#on('dnsRecord.update', 'dnsRecord', { addresses: [`10.0.0.${20 + other}`] })],
      [2, () => this.#gone('dnsRecord')],
    ];
  }
}
