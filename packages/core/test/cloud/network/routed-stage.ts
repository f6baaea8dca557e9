import { subnet } from '../../../src/cloud/index.ts';
import { type CloudError, equals, type Id, type Principal } from '../../../src/kernel/index.ts';
import type { KeptSort } from '../../../src/strategy/index.ts';
import { MachineStage } from '../compute/machine-stage.ts';
import { internetOf } from '../routed.ts';

interface Request {
  readonly action: string;
  readonly input: object;
  readonly resourceId?: string;
}
type Answer = { readonly operationId: string } | string;

/** A cloud with a VPC, an external network and machines: what leads out and in is added by its tests. */
export class RoutedStage {
  readonly stage: MachineStage;
  internetId = '';
  vpcId = '';
  networkId = '';
  subnetId = '';

  private constructor(stage: MachineStage) {
    this.stage = stage;
  }

  static async ready(
    options: Parameters<typeof MachineStage.with>[1] & {
      readonly hosts?: number;
      readonly internet?: string;
      readonly internet6?: string;
    } = {},
  ) {
    const { hosts = 1, internet = '203.0.113.0/24', internet6, ...rest } = options;
    const at = new RoutedStage(await MachineStage.with({ hosts, network: false, cpus: 64 }, rest));
    at.internetId = await internetOf(at.sim, { cidr: internet, ...(internet6 === undefined ? {} : { ipv6: internet6 }) });
    at.vpcId = await at.sim.done('vpc.create', { name: 'vpc-1' });
    at.networkId = await at.network('inside', '10.1.0.0/24');
    at.subnetId = await at.subnetIn(at.networkId);
    return at;
  }

  get sim() {
    return this.stage.sim;
  }

  network(name: string, cidr: string, vpcId = this.vpcId): Promise<string> {
    return this.sim.done('network.create', { name, vpcId, subnets: [{ name: `${name}-1`, cidr }] });
  }

  async subnetIn(networkId: string): Promise<string> {
    const [row] = await this.sim.environment.complete(this.sim.kernel.reader.list(subnet, equals('networkId', networkId)));
    return row?.id ?? '';
  }

  gateway(more: object = {}): Promise<string> {
    return this.sim.done('natGateway.create', { name: 'way-out', vpcId: this.vpcId, externalNetworkId: this.internetId, ...more });
  }

  elasticIp(more: object = {}): Promise<string> {
    return this.sim.done('elasticIp.create', { externalNetworkId: this.internetId, ...more });
  }

  /** A machine with one NIC. */
  async machine(networkId = this.networkId): Promise<{ readonly instanceId: string; readonly nicId: string; readonly address: string }> {
    const instanceId = await this.stage.machine({ nics: [{ networkId }] });
    const [row] = await this.stage.nics(instanceId);
    return { instanceId, nicId: row?.id ?? '', address: row?.address ?? '' };
  }

  /** As the fabric has it. */
  kept(sort: KeptSort, id: string): object | undefined {
    return this.sim.world.fabric.kept.of(sort).get(id)?.spec;
  }

  /** Code and field of a refusal that must change nothing. */
  async refused(action: string, input: object, resourceId?: string): Promise<readonly (string | undefined)[]> {
    const error: CloudError = await this.stage.refusal(action, input, resourceId);
    return [error.code, error.pointer];
  }

  /** What becomes of requests that are made at once. */
  atOnce(requests: readonly Request[]): Promise<readonly string[]> {
    return this.#ends(Promise.all(requests.map((each) => this.#submit(each))));
  }

  /** The same of requests each of which is made as soon as the one before it is accepted, and not a moment later. */
  inTurn(requests: readonly Request[]): Promise<readonly string[]> {
    const accepting = requests.reduce(
      async (before: Promise<readonly Answer[]>, each) => [...(await before), await this.#submit(each)],
      Promise.resolve([]),
    );
    return this.#ends(accepting);
  }

  #submit(request: Request): Promise<Answer> {
    const { kernel, principal } = this.sim;
    return kernel.submit({ ...request, principal }).catch((error: CloudError) => error.code);
  }

  async #ends(accepting: Promise<readonly Answer[]>): Promise<readonly string[]> {
    const ends: string[] = [];
    for (const each of await this.sim.environment.complete(accepting)) {
      if (typeof each === 'string') ends.push(each);
      else {
        const ended = await this.sim.ended(each.operationId);
        ends.push(ended.state === 'succeeded' ? ended.state : (ended.error?.code ?? ended.state));
      }
    }
    return ends;
  }

  /** Another project of the cloud, with which the external network is shared. */
  async neighbour(): Promise<Principal> {
    const projectId = (await this.sim.done('project.create', { name: 'neighbour' })) as Id<'project'>;
    await this.sim.done('share.create', { resourceKind: 'network', resourceId: this.internetId, with: projectId });
    return { ...this.sim.principal, projectId };
  }

  /** The row of a creation by somebody, or the code it is refused with. */
  async makes(principal: Principal, action: string, input: object): Promise<{ readonly id?: string; readonly error?: CloudError }> {
    const { kernel, environment } = this.sim;
    try {
      const { operationId, resourceId } = await environment.complete(kernel.submit({ action, input, principal }));
      await this.sim.ended(operationId);
      return { id: resourceId };
    } catch (error) {
      return { error: error as CloudError };
    }
  }
}
