import { expect } from 'chai';
import { nic, securityGroup, securityGroupMember, securityGroupRule } from '../../../../src/cloud/index.ts';
import { groupSpec } from '../../../../src/cloud/network/firewall/group-kept.ts';
import { operation, type RowBase } from '../../../../src/kernel/index.ts';
import { SimRandom } from '../../../../testing/index.ts';
import { RoutedStage } from '../routed-stage.ts';

const ROUNDS = 12;
const AT_ONCE = 6;
const MACHINES = 3;
const ENDED = ['succeeded', 'failed', 'cancelled'];

/** Requests about groups, rules, members, NICs and machines, drawn from what is there. */
class Chaos {
  readonly at: RoutedStage;
  readonly random: SimRandom;
  #made = 0;

  private constructor(at: RoutedStage, random: SimRandom) {
    this.at = at;
    this.random = random;
  }

  static async open(seed: number): Promise<Chaos> {
    const at = await RoutedStage.ready({ seed: `chaos-${seed}` });
    for (let count = 0; count < MACHINES; count += 1) await at.machine();
    return new Chaos(at, new SimRandom(seed));
  }

  async draw(): Promise<{ readonly action: string; readonly input: object; readonly resourceId?: string }> {
    const { stage, vpcId, networkId } = this.at;
    const groups = await stage.rows(securityGroup);
    const one = <T extends RowBase>(rows: readonly T[]): string => rows[this.random.below(rows.length)]?.id ?? vpcId;
    this.#made += 1;
    const port = 1 + this.random.below(4);
    const rule = {
      securityGroupId: one(groups),
      direction: 'inbound',
      protocol: 'tcp',
      firstPort: port,
      lastPort: port + this.random.below(2),
    };
    const machines = stage.sim.rows('instance') as unknown as readonly RowBase[];
    const wishes = [
      () => ({ action: 'securityGroup.create', input: { vpcId, name: `group-${this.#made}` } }),
      () => ({ action: 'securityGroupRule.create', input: this.random.chance(0.5) ? rule : { ...rule, remoteGroupId: one(groups) } }),
      async () => ({ action: 'securityGroupRule.delete', input: {}, resourceId: one(await stage.rows(securityGroupRule)) }),
      async () => ({
        action: 'securityGroupRule.update',
        input: { cidrs: [`10.${port}.0.0/16`] },
        resourceId: one(await stage.rows(securityGroupRule)),
      }),
      async () => ({ action: 'securityGroupMember.create', input: { nicId: one(await stage.rows(nic)), securityGroupId: one(groups) } }),
      async () => ({ action: 'securityGroupMember.delete', input: {}, resourceId: one(await stage.rows(securityGroupMember)) }),
      () => ({ action: 'securityGroup.delete', input: {}, resourceId: one(groups) }),
      () => ({ action: 'instance.attachNic', input: { networkId, securityGroupIds: [one(groups)] }, resourceId: one(machines) }),
      async () => ({ action: 'instance.detachNic', input: { nicId: one(await stage.rows(nic)) }, resourceId: one(machines) }),
      () => ({ action: this.random.chance(0.5) ? 'instance.stop' : 'instance.start', input: {}, resourceId: one(machines) }),
    ];
    return (wishes[this.random.below(wishes.length)] ?? wishes[0])?.() as never;
  }

  async round(): Promise<void> {
    const { sim } = this.at;
    const requests = [];
    for (let count = 0; count < AT_ONCE; count += 1) requests.push(await this.draw());
    let crashes = this.random.chance(0.5) ? 1 : 0;
    sim.around = async (_, body) => {
      const result = await body();
      if (crashes === 0 || !this.random.chance(0.2)) return result;
      crashes -= 1;
      sim.crash();
      return new Promise<never>(() => undefined);
    };
    for (const { action, input, resourceId } of requests) {
      if (!sim.alive) await sim.start();
      await sim.submit(action, input, resourceId).catch(() => undefined);
    }
    await sim.run(30_000);
    if (!sim.alive) await sim.start();
    sim.around = undefined;
    await sim.run(60_000);
  }

  /** The fabric has what the rows say, and nothing waits. */
  async check(): Promise<void> {
    const { stage, sim } = this.at;
    const open = (await stage.rows(operation)).filter(({ state }) => !ENDED.includes(state));
    expect(open.map(({ action, state, attention }) => [action, state, attention])).to.deep.equal([]);
    const [groups, members, nics] = [await stage.rows(securityGroup), await stage.rows(securityGroupMember), await stage.rows(nic)];
    for (const { state } of [...groups, ...members]) expect(state).to.equal('available');
    const ctx = { reader: sim.kernel.reader, cloudId: '' };
    const wanted = await Promise.all(groups.map(async (row) => (await sim.environment.complete(groupSpec(ctx, row))).rules));
    const { kept, networks } = sim.world.fabric;
    expect([...kept.of('securityGroups').keys()]).to.have.members(groups.map(({ id }) => id));
    for (const [index, { id }] of groups.entries())
      expect(kept.of('securityGroups').get(id)?.spec).to.deep.include({ rules: wanted[index] });
    const ports = [...networks.values()].flatMap((network) => [...network.ports.values()]);
    expect(ports.map(({ nicId }) => nicId)).to.have.members(nics.map(({ id }) => id));
    const filters = ports.flatMap(({ nicId, securityGroupIds = [] }) => securityGroupIds.map((id) => `${nicId} ${id}`));
    expect(filters).to.have.members(members.map(({ nicId, securityGroupId }) => `${nicId} ${securityGroupId}`));
    expect(await sim.quotaProblems()).to.deep.equal([]);
  }
}

describe('security groups under random requests and crashes', () => {
  for (const seed of [1, 2, 3, 4, 5])
    it(`are in the fabric what they are in the rows (seed ${seed})`, async function () {
      this.timeout(300_000);
      const chaos = await Chaos.open(seed);
      for (let round = 0; round < ROUNDS; round += 1) {
        await chaos.round();
        await chaos.check();
      }
    });
});
