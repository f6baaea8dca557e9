import { expect } from 'chai';
import type { Call, Keeper, KeptSort, NetworkDriver, NetworkExtras, NetworkObject } from '../../src/strategy/index.ts';
import { KEPT_SORTS } from '../sim/kept.ts';
import { type Changes, type Complete, frozenCalls, type PreparedCall, type Verbs } from './frozen.ts';
import { type Harness, type Setup, Stage, UNANSWERED } from './harness.ts';
import { type GroundTools, KEPT_CASES, type KeeperGround, type KeptCase, keeperGround } from './keeper-ground.ts';

/** Each sort of objects that a driver keeps, and what else it offers beside networks and ports. */
export const KEEPER_FEATURES = [...KEPT_SORTS, 'readiness', 'continuity', 'hosts'] as const;
export type KeeperFeature = (typeof KEEPER_FEATURES)[number];

export interface KeepersHarness extends Harness<NetworkDriver>, Omit<GroundTools, 'newId'> {
  /** The object as the backend has it, in any form that can be compared; undefined when it is not there. */
  seen(sort: KeptSort, id: string): Promise<unknown>;
  /** Takes a part of the object away, or changes it, behind the driver's back. Answers false for a sort that has no parts. */
  spoil(sort: KeptSort, id: string): Promise<boolean>;
  /** Makes an object without our mark; its id. The harness removes it at the end. */
  foreign(sort: KeptSort): Promise<string>;
}
export type KeepersSetup = Setup<KeeperFeature, KeepersHarness>;

/** The order in which they can be taken away. */
const OUTSIDE_IN = KEPT_SORTS.toReversed();

class KeeperStage extends Stage<NetworkDriver, KeepersHarness> {
  readonly #made: { readonly sort: KeptSort; readonly id: string }[] = [];
  #ground: KeeperGround | undefined;

  get ground(): KeeperGround {
    if (this.#ground === undefined) throw new Error('the ground is not made');
    return this.#ground;
  }

  get tools(): GroundTools {
    const { owner, hosts, physicalNetwork } = this.harness;
    return { newId: () => this.newId(), owner, hosts, physicalNetwork };
  }

  keeper(sort: KeptSort, driver = this.driver): Keeper<NetworkObject> {
    return driver[sort] as Keeper<NetworkObject>;
  }

  /** An object that is only described; removed after the test. */
  describe(sort: KeptSort): KeptCase {
    const made = KEPT_CASES[sort](this.ground, this.tools);
    this.#made.push({ sort, id: made.spec.id });
    return made;
  }

  async ensured(sort: KeptSort): Promise<KeptCase> {
    const made = this.describe(sort);
    await this.keeper(sort).ensure(made.spec, this.call());
    return made;
  }

  async listed(sort: KeptSort, id: string): Promise<readonly { readonly id: string; readonly owner?: string }[]> {
    return (await this.keeper(sort).list(this.call())).filter((each) => each.id === id);
  }

  /** It is there once, with our mark. */
  async expectThere(sort: KeptSort, { id, owner }: NetworkObject): Promise<void> {
    expect(await this.listed(sort, id)).to.deep.equal([{ id, owner }]);
  }

  async expectAbsent(sort: KeptSort, id: string): Promise<void> {
    expect(await this.listed(sort, id)).to.deep.equal([]);
    expect(await this.harness.seen(sort, id)).to.equal(undefined);
  }

  async sweep(): Promise<void> {
    for (const { sort, id } of this.#made.splice(0)) await this.insist((call) => this.keeper(sort).remove(id, call));
  }

  /** What objects are kept around. */
  async lay(): Promise<void> {
    const ground = keeperGround(this.tools);
    this.#ground = ground;
    const { driver } = this;
    for (const vpc of [ground.vpc, ground.otherVpc]) await driver.vpcs?.ensure(vpc, this.call());
    await driver.ensureNetwork(ground.network, this.call());
    for (const port of ground.ports) await driver.ensurePort(port, this.call());
    if (driver.gateways === undefined) return;
    await driver.ensureNetwork(ground.external, this.call());
    await driver.gateways.ensure(ground.gateway, this.call());
  }

  async clear(): Promise<void> {
    const { vpc, otherVpc, network, ports, external, gateway } = this.ground;
    const { driver } = this;
    const gateways = driver.gateways;
    if (gateways !== undefined) {
      await this.insist((call) => gateways.remove(gateway.id, call));
      await this.insist((call) => driver.deleteNetwork(external.id, call));
    }
    for (const port of ports) await this.insist((call) => driver.deletePort(port, call));
    await this.insist((call) => driver.deleteNetwork(network.id, call));
    for (const { id } of [otherVpc, vpc]) await this.insist((call) => this.keeper('vpcs').remove(id, call));
  }
}

/** The contract of what a `NetworkDriver` keeps beside networks and ports, for the sorts it has. Mocha's globals must be there. */
export function describeKeepers(name: string, setup: KeepersSetup): void {
  describe(`NetworkDriver keepers conformance: ${name}`, function () {
    const stage = new KeeperStage(setup);
    this.timeout(stage.timeouts.testMs);
    before(async () => {
      await stage.begin();
      await stage.lay();
    });
    afterEach(() => stage.sweep());
    after(async () => {
      await stage.clear();
      await stage.end();
    });

    it('offers exactly what it says', () => {
      const offered = KEEPER_FEATURES.filter((feature) => stage.driver[feature] !== undefined);
      expect(offered).to.have.members([...setup.features]);
    });
    for (const sort of KEPT_SORTS)
      if (setup.features.includes(sort)) {
        describe(sort, () => keeperTests(stage, sort));
        describe(`${sort} on a frozen backend`, () => frozenCalls(stage, freezeTable(stage, sort)));
      }
    if (setup.features.includes('continuity')) describe('its mark on a frozen backend', () => frozenCalls(stage, otherFreezeTable(stage)));
    describe('what it tells', () => tellingTests(stage, setup));
  });
}

function keeperTests(stage: KeeperStage, sort: KeptSort): void {
  it('ensure makes it so, and again changes nothing', async () => {
    const { spec } = await stage.ensured(sort);
    await stage.expectThere(sort, spec);
    const seen = await stage.harness.seen(sort, spec.id);
    expect(seen).to.not.equal(undefined);
    await stage.keeper(sort).ensure(spec, stage.call());
    await stage.expectThere(sort, spec);
    expect(await stage.harness.seen(sort, spec.id)).to.deep.equal(seen);
  });

  it('ensure follows what is wanted, there and back', async () => {
    const { spec, changed } = await stage.ensured(sort);
    const seen = await stage.harness.seen(sort, spec.id);
    await stage.keeper(sort).ensure(changed, stage.call());
    await stage.expectThere(sort, spec);
    expect(await stage.harness.seen(sort, spec.id)).to.not.deep.equal(seen);
    await stage.keeper(sort).ensure(spec, stage.call());
    await stage.expectThere(sort, spec);
    expect(await stage.harness.seen(sort, spec.id)).to.deep.equal(seen);
  });

  it('ensure repairs what was changed behind its back', async () => {
    const { changed } = await stage.ensured(sort);
    await stage.keeper(sort).ensure(changed, stage.call());
    const seen = await stage.harness.seen(sort, changed.id);
    if (!(await stage.harness.spoil(sort, changed.id))) return;
    expect(await stage.harness.seen(sort, changed.id)).to.not.deep.equal(seen);
    await stage.keeper(sort).ensure(changed, stage.call());
    expect(await stage.harness.seen(sort, changed.id)).to.deep.equal(seen);
  });

  it('remove forgets it, and succeeds when it is absent', async () => {
    const { spec } = await stage.ensured(sort);
    await stage.keeper(sort).remove(spec.id, stage.call());
    await stage.expectAbsent(sort, spec.id);
    await stage.keeper(sort).remove(spec.id, stage.call());
    await stage.keeper(sort).remove(stage.newId(), stage.call());
  });

  it('lists what is not ours without an owner, if at all, and leaves it alone', async () => {
    const id = await stage.harness.foreign(sort);
    const [seen, listed] = [await stage.harness.seen(sort, id), await stage.listed(sort, id)];
    expect(seen).to.not.equal(undefined);
    expect(listed.map(({ owner }) => owner)).to.be.deep.oneOf([[], [undefined]]);
    const { spec } = await stage.ensured(sort);
    await stage.keeper(sort).remove(spec.id, stage.call());
    expect(await stage.harness.seen(sort, id)).to.deep.equal(seen);
    expect(await stage.listed(sort, id)).to.deep.equal(listed);
  });

  it('is kept by whichever driver object made it, and the same call twice in parallel has one effect', async () => {
    const { spec } = stage.describe(sort);
    const other = await stage.open();
    await Promise.all([stage.driver, other].map((driver) => stage.keeper(sort, driver).ensure(spec, stage.call())));
    await stage.expectThere(sort, spec);
    await other.close();
    await stage.expectThere(sort, spec);
    await Promise.all([1, 2].map(() => stage.keeper(sort).remove(spec.id, stage.call())));
    await stage.expectAbsent(sort, spec.id);
  });
}

type KeeperVerb = Verbs<Keeper<NetworkObject>>;
type OtherLooks = 'gateways.activeHost' | 'loadBalancers.health' | 'readiness.port' | 'continuity.read' | 'hosts.list' | 'health.troubles';
type OtherChange = Exclude<Changes<NetworkExtras, OtherLooks>, `${KeptSort}.${KeeperVerb}`>;

/** Every verb that changes something and is none of a keeper. */
function otherFreezeTable(stage: KeeperStage): Complete<OtherChange> {
  return {
    'continuity.write': async () => {
      const { continuity } = stage.driver;
      const life = stage.newId();
      const write = (serial: number) => async (call: Call) => continuity?.write({ life, serial }, call);
      await write(1)(stage.call());
      return {
        act: write(2),
        done: async () => expect(await continuity?.read(stage.call())).to.deep.equal({ life, serial: 2 }),
        undo: write(3),
        left: async () => ((await continuity?.read(stage.call()))?.serial === 3 ? [] : [life]),
      };
    },
  };
}

function freezeTable(stage: KeeperStage, sort: KeptSort): Complete<Exclude<KeeperVerb, 'list'>> {
  const prepared = (spec: NetworkObject, act: (call: Call) => Promise<unknown>, done: () => Promise<unknown>): PreparedCall => ({
    act,
    done,
    undo: (call) => stage.keeper(sort).remove(spec.id, call),
    left: () => stage.listed(sort, spec.id),
  });
  return {
    ensure: async () => {
      const { spec } = stage.describe(sort);
      const act = (call: Call) => stage.keeper(sort).ensure(spec, call);
      return {
        ...prepared(spec, act, () => stage.expectThere(sort, spec)),
        lateArrival: async () => expect((await stage.listed(sort, spec.id)).length).to.be.at.most(1),
      };
    },
    remove: async () => {
      const { spec } = await stage.ensured(sort);
      const act = (call: Call) => stage.keeper(sort).remove(spec.id, call);
      return prepared(spec, act, () => stage.expectAbsent(sort, spec.id));
    },
  };
}

function tellingTests(stage: KeeperStage, { features }: KeepersSetup): void {
  it('a frozen backend makes every list fail, never answer that there is nothing', async () => {
    const sorts = OUTSIDE_IN.filter((sort) => features.includes(sort));
    await stage.whileFrozen(async () => {
      for (const sort of sorts) expect(await stage.fault(stage.keeper(sort).list(stage.brief()))).to.be.oneOf(UNANSWERED);
    });
  });

  if (features.includes('gateways'))
    it('names the host that carries a gateway, one of those that may, or none', async () => {
      const { gateway } = stage.ground;
      expect(await stage.driver.gateways?.activeHost(gateway.id, stage.call())).to.be.oneOf([...gateway.hosts, undefined]);
      expect(await stage.driver.gateways?.activeHost(stage.newId(), stage.call())).to.equal(undefined);
    });

  if (features.includes('loadBalancers'))
    it('tells of each backend that is not asked that it is unchecked', async () => {
      const { spec } = await stage.ensured('loadBalancers');
      const health = await stage.driver.loadBalancers?.health(spec.id, stage.call());
      expect(Object.values(health ?? {})).to.deep.equal(['unchecked']);
    });

  if (features.includes('readiness'))
    it('tells of a port whether it is there, and that nobody is plugged in', async () => {
      const [port] = stage.ground.ports;
      expect(await stage.driver.readiness?.port(port.nicId, stage.call())).to.include({ state: 'unplugged' });
      expect(await stage.driver.readiness?.port(stage.newId(), stage.call())).to.include({ state: 'absent' });
    });

  if (features.includes('continuity'))
    it('keeps the mark that was written last, and never takes a frozen backend for an empty one', async () => {
      const continuity = stage.driver.continuity;
      const life = stage.newId();
      for (const serial of [1, 2]) {
        await continuity?.write({ life, serial }, stage.call());
        expect(await continuity?.read(stage.call())).to.deep.equal({ life, serial });
      }
      await stage.whileFrozen(async () => {
        expect(await stage.fault(continuity?.read(stage.brief()) ?? Promise.resolve())).to.be.oneOf(UNANSWERED);
      });
    });

  if (features.includes('hosts'))
    it('tells what each host can', async () => {
      const hosts = (await stage.driver.hosts?.list(stage.call())) ?? [];
      expect(new Set(hosts.map(({ host }) => host)).size).to.equal(hosts.length);
      for (const { datapath } of hosts) expect(datapath).to.be.oneOf(['kernel', 'userspace']);
    });
}
