import { expect } from 'chai';
import { FULL, share } from '../../../tools/test/slice.ts';
import { eventually } from '../lab-cloud.ts';
import { faultsOf, titleOf } from '../stepped.ts';
import type { Order } from '../stepped-cloud.ts';
import { crashPairs } from './crash-pairs.ts';
import { CrashStage, SETTLE_MS } from './crash-stage.ts';

/** What of it is taken back, step by step, where its making fails at the end. */
const UNDONE = [
  ...['a VPC', 'a machine with a NIC', 'a NIC of a machine that is there', 'a NIC of a machine that runs'],
  ...['an elastic IP', 'an elastic IP of a load balancer'],
  ...['a load balancer', 'a listener', 'what a listener asks', 'a backend', 'the weight of a backend'],
];
/** Faults of each pair that `npm test` plays, others with each commit. */
const FAULTS = 2;

describe('networks on real OVN and libvirt, each step of their sagas failing and killed', function () {
  this.timeout(FULL ? 3_600_000 : 900_000);
  const stage = new CrashStage();

  before(async () => {
    await stage.up(1);
    const { ids, hostIds, made } = stage;
    await made('pool.create', { hostId: hostIds[0], settings: { path: '/var/lib/libvirt/images/pool' } });
    ids.instance = await made('instance.create', stage.instance('standing'));
    ids.nic = stage.nicOf(ids.instance);
    ids.elasticIp = await made('elasticIp.create', { externalNetworkId: ids.external });
    ids.closed = await made('vpc.create', { name: 'closed' });
    ids.closedNetwork = await made('network.create', { vpcId: ids.closed, subnets: [{ cidr: '10.8.0.0/24' }] });
    ids.group = await made('securityGroup.create', { vpcId: ids.vpc, name: 'standing' });
    // The other side has agreed.
    await made('peering.create', { vpcId: ids.closed, peerVpcId: ids.vpc });
  });
  after(() => stage[Symbol.asyncDispose]());

  const { always, further, whole } = crashPairs(stage);
  for (const pair of [...always, ...share(1, further, ({ kind }) => kind), ...(FULL ? whole : [])])
    it(`leave ${pair.kind} as it was or as it should be, and nothing in between`, () =>
      stage.playPair(pair, (faults, titleOf) => share(FAULTS, faults, titleOf)));

  const pairs = [...always, ...further, ...whole];
  for (const kind of FULL ? UNDONE : [])
    it(`leave nothing of ${kind} that fails at the end, wherever its way back is cut short`, async () => {
      const pair = pairs.find((each) => each.kind === kind);
      if (pair === undefined) throw new Error(`there is no pair of ${kind}`);
      expect(await stage.playUndone(pair)).to.be.at.least(4);
    });

  if (FULL)
    it('leave a fabric that was lost as it was, wherever its rebuilding is cut short', async () => {
      const before = await stage.held();
      const lost = async (): Promise<Order> => {
        await stage.lab.ovn.central.loseNorthbound();
        const id = await eventually('the fabric to be lost', async () => stage.rowsOf('fabric').find(({ state }) => state === 'lost')?.id);
        return { action: 'fabric.rebuild', input: {}, resourceId: String(id) };
      };
      const whole = async (title: string) => {
        const same = async () => (JSON.stringify(await stage.held()) === JSON.stringify(before) ? true : undefined);
        await eventually(title, same, SETTLE_MS).catch(async () => expect(await stage.held(), title).to.deep.equal(before));
      };
      const undisturbed = await stage.cloud.perform(await lost());
      await whole('undisturbed');
      const faults = faultsOf(undisturbed?.places ?? []);
      expect(faults).to.not.have.length(0);
      for (const fault of faults) {
        const order = await lost();
        if (!(await stage.cloud.toTheEnd({ ...order, fault }))) expect(await stage.cloud.toTheEnd(order)).to.equal(true);
        await whole(titleOf('rebuild', fault));
      }
    });
});
