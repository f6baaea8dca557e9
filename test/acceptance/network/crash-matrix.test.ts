import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { buildGuestImage, haltImage } from '../../../tools/guest/image.ts';
import { CACHE_DIR, ensureSystem } from '../../../tools/system/ensure.ts';
import { ovnContents } from '../../../tools/system/ovn-rows.ts';
import { TEST_PACKAGES } from '../../../tools/system/packages.ts';
import { FULL, share } from '../../../tools/test/slice.ts';
import { virsh } from '../../lab/guest-domain.ts';
import { type Lab, labUp } from '../../lab/lab.ts';
import { PHYSICAL_NETWORK } from '../../lab/ovn/host-switch.ts';
import { EXTERNAL } from '../../lab/ovn/internet.ts';
import { networkInventory } from '../../lab/ovn/inventory.ts';
import { eventually, MIB } from '../lab-cloud.ts';
import { faultsOf, Stepped, titleOf } from '../stepped.ts';
import type { Fault, Order } from '../stepped-cloud.ts';
import { CephGuest } from '../storage/ceph-guest.ts';
import { readStore } from '../store-witness.ts';
import { crashPairs } from './crash-pairs.ts';

/** Faults of each pair that `npm test` plays, others with each commit. */
const FAULTS = 2;
const SETTLE_MS = 120_000;
/** What of the southbound database is made of what is wanted, and not learned by the way. */
const MADE = /^southbound (Port_Binding|Datapath_Binding|Port_Group|Address_Set|DNS|Load_Balancer) /;

describe('networks on real OVN and libvirt, each step of their sagas failing and killed', function () {
  this.timeout(FULL ? 3_600_000 : 900_000);
  let lab: Lab;
  let dir: string;
  let cloud: Stepped;
  const ids: Record<string, string> = {};

  before(async () => {
    expect(await ensureSystem({ log: () => {}, also: TEST_PACKAGES })).to.deep.equal({ ok: true });
    lab = await labUp({ hosts: 1, ovn: true });
    dir = await mkdtemp('/tmp/pileus-ovn-matrix-');
    const { northbound, southbound } = lab.ovn;
    cloud = new Stepped(dir, { northbound, southbound });
    await cloud.start();
    await populate();
  });
  after(async () => {
    await cloud?.kill();
    await lab?.down();
    await rm(dir, { recursive: true, force: true });
  });

  async function made(action: string, input: object, more: Pick<Order, 'resourceId' | 'contentPath'> = {}): Promise<string> {
    const outcome = await cloud.perform({ action, input, ...more });
    if (outcome?.state !== 'succeeded') throw new Error(`${action}: ${JSON.stringify(outcome)}`);
    return outcome.resourceId;
  }

  async function populate(): Promise<void> {
    const zoneId = await made('zone.create', {});
    const clusterId = await made('cluster.create', { zoneId, allowEmulation: true });
    const hostId = await made('host.create', { clusterId, uri: `qemu+unix:///system?socket=${lab.host(0).socketPath}` });
    await made('pool.create', { hostId, settings: { path: '/var/lib/libvirt/images/pool' } });
    await made('instanceType.create', { name: 'tiny', vcpus: 1, memoryBytes: 64 * MIB });
    const imageId = await made('image.create', { name: 'halt' }, { contentPath: (await haltImage({ cacheDir: CACHE_DIR })).path });
    const physicalNetworkId = await made('physicalNetwork.create', { clusterId, label: PHYSICAL_NETWORK, role: 'external' });
    const subnets = [{ cidr: EXTERNAL.cidr, gateway: EXTERNAL.gateway }];
    ids.external = await made('network.create', { physicalNetworkId, vlanId: 0, subnets });
    ids.vpc = await made('vpc.create', { name: 'vpc' });
    ids.network = await made('network.create', { vpcId: ids.vpc, subnets: [{ cidr: '10.0.0.0/24' }] });
    ids.subnet = String(rowsOf('subnet').find(({ networkId }) => networkId === ids.network)?.id);
    ids.image = imageId;
    ids.instance = await made('instance.create', instance('standing'));
    ids.nic = String(rowsOf('nic')[0]?.id);
    ids.gateway = await made('natGateway.create', { vpcId: ids.vpc, externalNetworkId: ids.external });
    ids.elasticIp = await made('elasticIp.create', { externalNetworkId: ids.external });
    ids.closed = await made('vpc.create', { name: 'closed' });
    ids.closedNetwork = await made('network.create', { vpcId: ids.closed, subnets: [{ cidr: '10.8.0.0/24' }] });
    ids.group = await made('securityGroup.create', { vpcId: ids.vpc, name: 'standing' });
    // The other side has agreed.
    await made('peering.create', { vpcId: ids.closed, peerVpcId: ids.vpc });
  }

  const instance = (name: string) => ({ name, instanceType: 'tiny', imageId: ids.image, nics: [{ networkId: ids.network }] });
  const rowsOf = (kind: string) => readStore(join(dir, 'pileus.db')).live[kind] ?? [];
  const named = (kind: string, name: string) => String(rowsOf(kind).find((row) => row.name === name)?.id);
  const held = () => ovnContents(lab.ovn.central.northboundRemote, 'OVN_Northbound');

  /** What virsh, OVN's own programs and the database file say, without what differs between two of a kind; of things that stay the same ones all that they hold. */
  async function world(isChange = false): Promise<object> {
    const inventory = (await networkInventory(lab)).filter((line) => !line.startsWith('southbound') || MADE.test(line));
    const things: Record<string, number> = {};
    for (const line of inventory) {
      const what = line.replace(/ [0-9a-f-]{36}$/, '').replace(/vnet\d+$/, 'vnet');
      things[what] = (things[what] ?? 0) + 1;
    }
    const words = async (...args: string[]) => (await virsh(lab.host(0), ...args)).split('\n').flatMap((line) => line.trim() || []);
    const domains = await Promise.all((await words('list', '--all', '--uuid')).map((uuid) => virsh(lab.host(0), 'domstate', uuid)));
    const { live, counters } = readStore(join(dir, 'pileus.db'));
    const rows = Object.entries(live).flatMap(([kind, all]) => all.map(({ state }) => `${kind} ${state}`));
    const contents = isChange ? { held: await held() } : {};
    return { things, domains: domains.map((state) => state.trim()).sort(), rows: rows.sort(), counters, ...contents };
  }

  /** Late calls of a killed process land, and looks repair, within moments. */
  async function expectWorld(wanted: object, title: string): Promise<void> {
    const look = () => world('held' in wanted);
    const same = async () => (JSON.stringify(await look()) === JSON.stringify(wanted) ? true : undefined);
    await eventually(title, same, SETTLE_MS).catch(async () => expect(await look(), title).to.deep.equal(wanted));
  }

  const guestImage = async () =>
    made('image.create', { name: 'guest' }, { contentPath: (await buildGuestImage({ cacheDir: CACHE_DIR, log: () => {} })).path });
  const booted = async (instanceId: string) => void (await new CephGuest(lab.host(0), instanceId).booted());

  const { always, further, whole } = crashPairs({ ids, named, rowsOf, made, instance, guestImage, booted });
  const pairs = [...always, ...share(1, further, (pair) => pair.kind), ...(FULL ? whole : [])];
  for (const { kind, prepare, make, takeBack, isChange } of pairs)
    it(`leave ${kind} as it was or as it should be, and nothing in between`, async () => {
      await prepare?.();
      // Caches and what is learned are there from the first one on.
      expect(await cloud.toTheEnd(make())).to.equal(true);
      expect(await cloud.toTheEnd(takeBack())).to.equal(true);
      await lab.ovn.central.settle();
      const without = await world(isChange);
      const there = await cloud.perform(make());
      await lab.ovn.central.settle();
      const with_ = await world(isChange);
      expect(with_).to.not.deep.equal(without);
      const back = await cloud.perform(takeBack());
      await expectWorld(without, 'taken back undisturbed');
      const faults = [
        ...faultsOf(there?.places ?? []).map((fault) => ({ verb: 'make', fault })),
        ...faultsOf(back?.places ?? []).map((fault) => ({ verb: 'take back', fault })),
      ];
      expect(faults.length).to.be.greaterThan(FAULTS);
      for (const { verb, fault } of share(FAULTS, faults, (each) => `${kind} ${titleOf(each.verb, each.fault)}`))
        await play(verb === 'make' ? { make: fault } : { takeBack: fault });

      async function play(struck: { readonly make?: Fault; readonly takeBack?: Fault }): Promise<void> {
        const title = titleOf(struck.make === undefined ? 'take back' : 'make', struck.make ?? struck.takeBack);
        const isMade = await cloud.toTheEnd({ ...make(), ...(struck.make === undefined ? {} : { fault: struck.make }) });
        await expectWorld(isMade ? with_ : without, `${title} (${isMade ? 'made' : 'unwound'})`);
        if (!isMade) expect(await cloud.toTheEnd(make()), 'made after one that was unwound').to.equal(true);
        const isBack = await cloud.toTheEnd({ ...takeBack(), ...(struck.takeBack === undefined ? {} : { fault: struck.takeBack }) });
        await expectWorld(isBack ? without : with_, `${title} (${isBack ? 'gone' : 'unwound'})`);
        if (!isBack) expect(await cloud.toTheEnd(takeBack()), 'taken back after one that was unwound').to.equal(true);
      }
    });

  if (FULL)
    it('leave a fabric that was lost as it was, wherever its rebuilding is cut short', async () => {
      const before = await held();
      const lost = async (): Promise<Order> => {
        await lab.ovn.central.loseNorthbound();
        const id = await eventually('the fabric to be lost', async () => rowsOf('fabric').find(({ state }) => state === 'lost')?.id);
        return { action: 'fabric.rebuild', input: {}, resourceId: String(id) };
      };
      const whole = async (title: string) => {
        const same = async () => (JSON.stringify(await held()) === JSON.stringify(before) ? true : undefined);
        await eventually(title, same, SETTLE_MS).catch(async () => expect(await held(), title).to.deep.equal(before));
      };
      const undisturbed = await cloud.perform(await lost());
      await whole('undisturbed');
      const faults = faultsOf(undisturbed?.places ?? []);
      expect(faults).to.not.have.length(0);
      for (const fault of faults) {
        const order = await lost();
        if (!(await cloud.toTheEnd({ ...order, fault }))) expect(await cloud.toTheEnd(order)).to.equal(true);
        await whole(titleOf('rebuild', fault));
      }
    });
});
