import type { KeptSort } from '@pileus/core/strategy';
import { KEPT_SORTS } from '@pileus/core/testing';
import { MachineStage } from '../../compute/machine-stage.ts';

/** A cloud with something of every sort that a network driver keeps. */
export class WholeNetwork {
  readonly stage: MachineStage;
  networkId = '';
  nicIds: readonly string[] = [];

  private constructor(stage: MachineStage) {
    this.stage = stage;
  }

  static async made(): Promise<WholeNetwork> {
    const whole = new WholeNetwork(await MachineStage.with({ network: false }));
    const vpcId = await whole.#inside();
    await whole.#outside(vpcId);
    return whole;
  }

  get kept() {
    return this.stage.sim.world.fabric.kept;
  }
  get networks() {
    return this.stage.sim.world.fabric.networks;
  }

  /** All of it, in order of ids. */
  get picture(): object {
    const byId = (a: { readonly id: string }, b: { readonly id: string }) => (a.id < b.id ? -1 : 1);
    const objects = KEPT_SORTS.map((sort) => [sort, this.specs(sort).toSorted(byId)]);
    const networks = [...this.networks.values()].map(({ spec, ports }) => ({
      id: spec.id,
      spec,
      ports: [...ports.values()].toSorted((a, b) => (a.nicId < b.nicId ? -1 : 1)),
    }));
    return { objects, networks: networks.toSorted(byId) };
  }

  specs(sort: KeptSort) {
    return [...this.kept.of(sort).values()].map(({ spec }) => spec);
  }

  async #inside(): Promise<string> {
    const { sim } = this.stage;
    const vpcId = await sim.done('vpc.create', { name: 'vpc-1' });
    const peerVpcId = await sim.done('vpc.create', { name: 'vpc-2' });
    this.networkId = await sim.done('network.create', { name: 'inside', vpcId, subnets: [{ name: 'inside', cidr: '10.8.0.0/24' }] });
    await sim.done('network.create', { name: 'peers', vpcId: peerVpcId, subnets: [{ name: 'peers', cidr: '10.9.0.0/24' }] });
    await sim.done('route.create', { vpcId, destination: '172.16.0.0/12', nextHop: '10.8.0.9' });
    await sim.done('peering.create', { vpcId, peerVpcId });
    await sim.done('peering.create', { vpcId: peerVpcId, peerVpcId: vpcId });
    const [web, db] = [
      await sim.done('securityGroup.create', { name: 'web', vpcId }),
      await sim.done('securityGroup.create', { name: 'db', vpcId }),
    ];
    for (const [securityGroupId, remoteGroupId] of [
      [web, db],
      [db, web],
    ])
      await sim.done('securityGroupRule.create', { securityGroupId, remoteGroupId, direction: 'inbound', family: 4 });
    await sim.done('dnsRecord.create', { vpcId, hostname: 'db.vpc-1.internal', addresses: ['10.8.0.77'] });
    const machine = await this.stage.machine({
      nics: [{ networkId: this.networkId, securityGroupIds: [web] }, { networkId: this.networkId }],
    });
    this.nicIds = (await this.stage.nics(machine)).map(({ id }) => id);
    return vpcId;
  }

  async #outside(vpcId: string): Promise<void> {
    const { sim, clusterId } = this.stage;
    const cables = { name: 'uplink', label: 'physnet1', role: 'external', clusterId };
    const physicalNetworkId = await sim.done('physicalNetwork.create', cables);
    const externalNetworkId = await sim.done('network.create', {
      name: 'internet',
      physicalNetworkId,
      subnets: [{ cidr: '192.0.2.0/24' }],
    });
    const natGatewayId = await sim.done('natGateway.create', { vpcId, externalNetworkId });
    const [nicId, otherId] = this.nicIds;
    await sim.done('elasticIp.bind', { nicId }, await sim.done('elasticIp.create', { externalNetworkId }));
    await sim.done('portForward.create', { natGatewayId, protocol: 'tcp', externalPort: 8080, nicId: otherId, port: 80 });
    const [subnetId] = (await this.stage.rows(sim.kernel.registry.kind('subnet')))
      .filter(({ name }) => name === 'inside')
      .map(({ id }) => id);
    const loadBalancerId = await sim.done('loadBalancer.create', { subnetId });
    const listenerId = await sim.done('listener.create', { loadBalancerId, protocol: 'tcp', port: 80 });
    for (const each of this.nicIds) await sim.done('backend.create', { listenerId, nicId: each });
  }
}
