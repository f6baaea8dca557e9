import type { SimCloudOptions } from '@pileus/core/testing';
import { DEFAULT_ACCOUNT_ID, type nic, type nic as nicKind, type vpc, vpc as vpcKind } from '../../../../src/cloud/index.ts';
import { ANY_PROJECT, type Id, type Principal, type RowOf } from '../../../../src/kernel/index.ts';
import { MachineStage } from '../../compute/machine-stage.ts';

export interface Told {
  readonly verdict: 'reachable' | 'blocked' | 'unknown';
  readonly reason?: string;
  readonly message: string;
  readonly ids: Readonly<Record<string, string>>;
  readonly from: object;
  readonly to: object;
  readonly hops: readonly { readonly at: string; readonly outcome: string; readonly ids: Readonly<Record<string, string>> }[];
}

/** A cloud in which it is asked who reaches whom. */
export class ReachStage {
  readonly stage: MachineStage;
  #made = 0;

  private constructor(stage: MachineStage) {
    this.stage = stage;
  }

  static async ready(options: Partial<SimCloudOptions> = {}): Promise<ReachStage> {
    return new ReachStage(await MachineStage.with({ hosts: 2 }, options));
  }

  get sim() {
    return this.stage.sim;
  }

  async vpc(name: string): Promise<RowOf<typeof vpc>> {
    return this.stage.row(vpcKind, await this.sim.done('vpc.create', { name }));
  }
  network(vpcId: string, ...cidrs: readonly string[]): Promise<string> {
    this.#made += 1;
    return this.sim.done('network.create', { name: `net-${this.#made}`, vpcId, subnets: cidrs.map((cidr) => ({ cidr })) });
  }
  /** A running machine; answers its NIC. */
  async nic(networkId: string, more: object = {}): Promise<RowOf<typeof nic>> {
    const [row] = await this.stage.nics(await this.stage.machine({ nics: [{ networkId, ...more }] }));
    return row as RowOf<typeof nic>;
  }
  group(vpcId: string, name: string): Promise<string> {
    return this.sim.done('securityGroup.create', { name, vpcId });
  }
  rule(securityGroupId: string, more: object): Promise<string> {
    return this.sim.done('securityGroupRule.create', { securityGroupId, direction: 'inbound', ...more });
  }

  /** An external network, 192.0.2.0/24. */
  async outside(): Promise<string> {
    const { clusterId } = this.stage;
    const cables = { name: 'uplink', label: 'physnet1', role: 'external', clusterId, mtuBytes: 1500 };
    const physicalNetworkId = await this.sim.done('physicalNetwork.create', cables);
    const subnets = [{ cidr: '192.0.2.0/24', gateway: '192.0.2.1' }];
    return this.sim.done('network.create', { name: 'internet', driver: 'simulated-shared', physicalNetworkId, subnets });
  }

  ask(body: object, principal: Principal = this.sim.principal): Promise<Told> {
    return this.stage.ask('POST', '/reachability/explain', { principal, body: { protocol: 'tcp', port: 443, ...body } }) as Promise<Told>;
  }
  /** The verdict, with the reason where there is one. */
  async verdict(body: object, principal?: Principal): Promise<readonly (string | undefined)[]> {
    const { verdict, reason } = await this.ask(body, principal);
    return reason === undefined ? [verdict] : [verdict, reason];
  }

  /** Somebody of another project, with an image of his own. */
  async stranger() {
    const projectId = (await this.sim.done('project.create', { name: 'strangers' })) as Id<'project'>;
    const principal: Principal = {
      ...{ actor: 'user:stranger', projectId, accountId: DEFAULT_ACCOUNT_ID as Id<'account'> },
      allows: (permission) => permission !== ANY_PROJECT,
    };
    const done = async (action: string, input: object, id?: string) => {
      const request = { action, input, principal, ...(id === undefined ? {} : { resourceId: id }) };
      const { operationId, resourceId } = await this.sim.environment.complete(this.sim.kernel.submit(request));
      const { state, error } = await this.sim.ended(operationId);
      if (state !== 'succeeded') throw new Error(`${action} ${state}: ${JSON.stringify(error)}`);
      return resourceId;
    };
    const imageId = await done('image.create', { name: 'theirs' });
    await this.stage.upload(imageId, new Uint8Array(4096));
    const nic = async (networkId: string) => {
      const instanceId = await done('instance.create', { name: 'afar', instanceType: 'small', imageId, nics: [{ networkId }] });
      const [row] = await this.stage.nics(instanceId);
      return row as RowOf<typeof nicKind>;
    };
    return { principal, done, nic, projectId, imageId };
  }
}
