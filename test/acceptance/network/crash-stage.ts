import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { buildGuestImage, haltImage } from '../../../tools/guest/image.ts';
import { CACHE_DIR, ensureSystem } from '../../../tools/system/ensure.ts';
import { ovnContents } from '../../../tools/system/ovn-rows.ts';
import { TEST_PACKAGES } from '../../../tools/system/packages.ts';
import { virsh } from '../../lab/guest-domain.ts';
import { type Lab, labUp } from '../../lab/lab.ts';
import { PHYSICAL_NETWORK } from '../../lab/ovn/host-switch.ts';
import { EXTERNAL } from '../../lab/ovn/internet.ts';
import { networkInventory } from '../../lab/ovn/inventory.ts';
import { eventually, MIB } from '../lab-cloud.ts';
import { faultsBack, faultsOf, Stepped, titleOf } from '../stepped.ts';
import type { Fault, Order } from '../stepped-cloud.ts';
import { CephGuest } from '../storage/ceph-guest.ts';
import { readStore } from '../store-witness.ts';
import type { CrashPair } from './crash-pairs.ts';

export const SETTLE_MS = 120_000;
/** One that has fewer has not been through its steps. */
const LEAST_FAULTS = 2;
/** What of the southbound database is made of what is wanted, and not learned by the way. */
const MADE = /^southbound (Port_Binding|Datapath_Binding|Port_Group|Address_Set|DNS|Load_Balancer) /;

/** A cloud on a lab of real OVN and libvirt in which steps fail or are killed, and all that is looked at afterwards. */
export class CrashStage implements AsyncDisposable {
  /** Of what was made, by what a test calls it. */
  readonly ids: Record<string, string> = {};
  hostIds: readonly string[] = [];
  readonly #parts = new AsyncDisposableStack();
  #lab: Lab | undefined;
  #cloud: Stepped | undefined;
  #dir = '';

  get lab(): Lab {
    return present(this.#lab);
  }
  get cloud(): Stepped {
    return present(this.#cloud);
  }

  /** With hosts, a size, an image whose machines halt, an external network, and a VPC with a network and a gateway. */
  async up(hosts: number): Promise<void> {
    expect(await ensureSystem({ log: () => {}, also: TEST_PACKAGES })).to.deep.equal({ ok: true });
    const lab = this.#parts.adopt(await labUp({ hosts, ovn: true }), (each) => each.down());
    this.#lab = lab;
    this.#dir = this.#parts.adopt(await mkdtemp('/tmp/pileus-ovn-matrix-'), (path) => rm(path, { recursive: true, force: true }));
    const { northbound, southbound } = lab.ovn;
    this.#cloud = this.#parts.adopt(new Stepped(this.#dir, { northbound, southbound }), (each) => each.kill());
    await this.#cloud.start();
    await this.#populate();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#parts.disposeAsync();
  }

  async #populate(): Promise<void> {
    const { ids, made } = this;
    ids.zone = await made('zone.create', {});
    const clusterId = await made('cluster.create', { zoneId: ids.zone, allowEmulation: true });
    for (const { name, socketPath } of this.lab.hosts)
      this.hostIds = [...this.hostIds, await made('host.create', { name, clusterId, uri: `qemu+unix:///system?socket=${socketPath}` })];
    await made('instanceType.create', { name: 'tiny', vcpus: 1, memoryBytes: 64 * MIB });
    ids.image = await made('image.create', { name: 'halt' }, { contentPath: (await haltImage({ cacheDir: CACHE_DIR })).path });
    const physicalNetworkId = await made('physicalNetwork.create', { clusterId, label: PHYSICAL_NETWORK, role: 'external' });
    const subnets = [{ cidr: EXTERNAL.cidr, gateway: EXTERNAL.gateway }];
    ids.external = await made('network.create', { physicalNetworkId, vlanId: 0, subnets });
    ids.vpc = await made('vpc.create', { name: 'vpc' });
    ids.network = await made('network.create', { vpcId: ids.vpc, subnets: [{ cidr: '10.0.0.0/24' }] });
    ids.subnet = String(this.rowsOf('subnet').find(({ networkId }) => networkId === ids.network)?.id);
    ids.gateway = await made('natGateway.create', { vpcId: ids.vpc, externalNetworkId: ids.external });
  }

  // Those who make things take these by themselves.
  readonly made = async (action: string, input: object, more: Pick<Order, 'resourceId' | 'contentPath'> = {}): Promise<string> => {
    const outcome = await this.cloud.perform({ action, input, ...more });
    if (outcome?.state !== 'succeeded') throw new Error(`${action}: ${JSON.stringify(outcome)}`);
    return outcome.resourceId;
  };

  readonly instance = (name: string): object => ({
    ...{ name, instanceType: 'tiny', imageId: this.ids.image },
    nics: [{ networkId: this.ids.network }],
  });

  readonly rowsOf = (kind: string): readonly Readonly<Record<string, unknown>>[] =>
    readStore(join(this.#dir, 'pileus.db')).live[kind] ?? [];

  readonly named = (kind: string, name: string): string => String(this.rowsOf(kind).find((row) => row.name === name)?.id);

  readonly nicOf = (instanceId: string | undefined): string => String(this.rowsOf('nic').find((row) => row.instanceId === instanceId)?.id);

  /** An image with an operating system, which answers when a card is plugged in or out. */
  readonly guestImage = async (): Promise<string> =>
    this.made('image.create', { name: 'guest' }, { contentPath: (await buildGuestImage({ cacheDir: CACHE_DIR, log: () => {} })).path });

  readonly booted = async (instanceId: string): Promise<void> => {
    await new CephGuest(this.lab.host(0), instanceId).booted();
  };

  held(): Promise<readonly string[]> {
    return ovnContents(this.lab.ovn.central.northboundRemote, 'OVN_Northbound');
  }

  /**
   * What virsh, OVN's own programs, switches, links and the database file say, without what differs between two of a kind. Where things stay the same ones also
   * all that they hold, and which host has which port.
   */
  async world(isSame: boolean): Promise<object> {
    const inventory = (await networkInventory(this.lab)).filter((line) => !line.startsWith('southbound') || MADE.test(line));
    const things: Record<string, number> = {};
    for (const line of inventory) {
      const what = line.replace(/ [0-9a-f-]{36}$/, '').replace(/vnet\d+$/, 'vnet');
      things[what] = (things[what] ?? 0) + 1;
    }
    const domains = await Promise.all(this.lab.hosts.map(domainsOf));
    const { live, counters } = readStore(join(this.#dir, 'pileus.db'));
    const rows = Object.entries(live).flatMap(([kind, all]) => all.map(({ state }) => `${kind} ${state}`));
    const contents = isSame
      ? { held: await this.held(), bound: await this.#bound(), at: live.instance?.map(({ id, hostId }) => [id, hostId]) }
      : {};
    return { things, domains, rows: rows.sort(), counters, ...contents };
  }

  async #bound(): Promise<readonly string[]> {
    const bound = await this.lab.ovn.central.sbctl('--bare', '--columns=logical_port,chassis', 'find', 'Port_Binding', 'type=""');
    return bound.split('\n\n').sort();
  }

  /** Late calls of a killed process land, and looks repair, within moments. */
  async expectWorld(wanted: object, title: string): Promise<void> {
    const look = () => this.world('held' in wanted);
    const same = async () => (JSON.stringify(await look()) === JSON.stringify(wanted) ? true : undefined);
    await eventually(title, same, SETTLE_MS).catch(async () => expect(await look(), title).to.deep.equal(wanted));
  }

  /** What is there once OVN has all that it was told. */
  async settled(isSame: boolean): Promise<object> {
    await this.lab.ovn.central.settle();
    return this.world(isSame);
  }

  /** Makes and takes back, undisturbed and then with each of the faults that are chosen. */
  async playPair(pair: CrashPair, chosen: ChosenFaults): Promise<void> {
    const { cloud } = this;
    const { kind, prepare, make, takeBack } = pair;
    const isChange = pair.isChange === true;
    await prepare?.();
    // Caches and what is learned are there from the first one on.
    expect(await cloud.toTheEnd(make())).to.equal(true);
    expect(await cloud.toTheEnd(takeBack())).to.equal(true);
    // What many share stays, also where others of a kind come and go with other ids.
    const without = await this.settled(true);
    const there = await cloud.perform(make());
    const with_ = await this.settled(isChange);
    expect(await this.world(true)).to.not.deep.equal(without);
    const back = await cloud.perform(takeBack());
    await this.expectWorld(without, 'taken back undisturbed');
    const faults = [
      ...faultsOf(there?.places ?? []).map((fault) => ({ verb: 'make', fault })),
      ...faultsOf(back?.places ?? []).map((fault) => ({ verb: 'take back', fault })),
    ];
    expect(faults.length).to.be.greaterThan(LEAST_FAULTS);
    for (const { verb, fault } of chosen(faults, (each) => `${kind} ${titleOf(each.verb, each.fault)}`)) {
      const title = titleOf(verb, fault);
      const isMade = await cloud.toTheEnd(verb === 'make' ? { ...make(), fault } : make());
      await this.expectWorld(isMade ? with_ : without, `${title} (${isMade ? 'made' : 'unwound'})`);
      if (!isMade) expect(await cloud.toTheEnd(make()), 'made after one that was unwound').to.equal(true);
      const isBack = await cloud.toTheEnd(verb === 'make' ? takeBack() : { ...takeBack(), fault });
      await this.expectWorld(isBack ? without : with_, `${title} (${isBack ? 'gone' : 'unwound'})`);
      if (!isBack) expect(await cloud.toTheEnd(takeBack()), 'taken back after one that was unwound').to.equal(true);
    }
  }

  /** What fails there goes all the way back, wherever that is cut short. Answers in how many ways it was. */
  async goBack(order: () => Order, fault: Fault, end = (one: Order) => this.cloud.end(one)): Promise<number> {
    const before = await this.settled(true);
    const unwound = await this.cloud.perform({ ...order(), fault });
    const { action } = order();
    expect(unwound?.state, titleOf(action, fault)).to.equal('failed');
    await this.expectWorld(before, titleOf(action, fault));
    const faults = faultsBack(unwound?.places ?? []);
    expect(faults).to.not.have.length(0);
    for (const faultBack of faults) {
      const title = titleOf(action, faultBack);
      expect([undefined, 'failed'], title).to.include(await end({ ...order(), fault, faultBack }));
      await this.expectWorld(before, title);
    }
    return faults.length;
  }

  /** Makes and takes back once, to see what there is to undo, and then goes back from the last of it. */
  async playUndone({ prepare, make, takeBack }: CrashPair): Promise<number> {
    await prepare?.();
    const made = await this.cloud.perform(make());
    expect(made?.state, JSON.stringify(made?.error)).to.equal('succeeded');
    expect(await this.cloud.toTheEnd(takeBack())).to.equal(true);
    const last = made?.places.findLast(({ type, phase }) => type === 'effect' && phase === 'do');
    return this.goBack(make, { path: String(last?.path), phase: 'do', when: 'after', how: 'fails' });
  }
}

interface VerbFault {
  readonly verb: string;
  readonly fault: Fault;
}
/** Which of them are played, told by their titles. */
type ChosenFaults = (faults: readonly VerbFault[], titleOf: (one: VerbFault) => string) => readonly VerbFault[];

function present<T>(part: T | undefined): T {
  if (part === undefined) throw new Error('the stage is not up');
  return part;
}

async function domainsOf(host: Lab['hosts'][number]): Promise<readonly string[]> {
  const uuids = (await virsh(host, 'list', '--all', '--uuid')).split('\n').flatMap((line) => line.trim() || []);
  const states = await Promise.all(uuids.map((uuid) => virsh(host, 'domstate', uuid)));
  return states.map((state) => state.trim()).sort();
}
