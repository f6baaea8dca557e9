import { expect } from 'chai';
import type { Call, NetworkDriver, NetworkExtras, NetworkObservation, NetworkSpec, PortSpec } from '../../src/strategy/index.ts';
import { expectTotal } from './classification.ts';
import type { Changes, Complete, PreparedCall } from './frozen.ts';
import { frozenCalls } from './frozen.ts';
import type { Harness, Setup } from './harness.ts';
import { Stage, UNANSWERED } from './harness.ts';

/** `stop`: a network can be stopped behind the driver's back; `foreign`: one can be made that is not ours. */
export type NetworkFeature = 'stop' | 'foreign';

export interface NetworkHarness extends Harness<NetworkDriver> {
  /** A network not made yet, with an id, name, owner and addresses of its own. */
  network(): Promise<NetworkSpec>;
  /** A port of the network not made yet, with a NIC id, MAC and address of its own. */
  port(network: NetworkSpec): Promise<PortSpec>;
  /** With feature `stop`: stops the network as an operator might, so that it is known but not active. */
  stopNetwork?(id: string): Promise<void>;
  /** With feature `foreign`: makes a network without our mark; its id. The harness removes it at the end. */
  foreignNetwork?(): Promise<string>;
}

export interface NetworkSetup extends Setup<NetworkFeature, NetworkHarness> {
  /** Those that its networks need nothing else for. Default: `nat` and `isolated`. */
  readonly modes?: readonly NetworkSpec['mode'][];
}

class NetworkStage extends Stage<NetworkDriver, NetworkHarness> {
  readonly #ports: PortSpec[] = [];
  readonly #networks: string[] = [];

  /** A fresh network that is only described; removed after the test. */
  async network(): Promise<NetworkSpec> {
    const spec = await this.harness.network();
    this.#networks.push(spec.id);
    return spec;
  }

  async ensured(): Promise<NetworkSpec> {
    const spec = await this.network();
    await this.driver.ensureNetwork(spec, this.call());
    return spec;
  }

  /** A fresh port that is only described; removed after the test. */
  async port(network: NetworkSpec): Promise<PortSpec> {
    const spec = await this.harness.port(network);
    this.#ports.push(spec);
    return spec;
  }

  look(id: string): Promise<NetworkObservation | undefined> {
    return this.driver.inspectNetwork(id, this.call());
  }

  async listedOf(id: string): Promise<readonly NetworkObservation[]> {
    return (await this.driver.listNetworks(this.call())).filter((network) => network.id === id);
  }

  /** The network is there once, active, ours, with these NICs. */
  async expectThere(spec: NetworkSpec, nicIds: readonly string[] = []): Promise<void> {
    const seen = await this.listedOf(spec.id);
    expect(seen.map((network) => ({ ...network, nicIds: [...network.nicIds].sort() }))).to.deep.equal([
      { id: spec.id, name: spec.name, active: true, owner: spec.owner, nicIds: [...nicIds].sort() },
    ]);
    expect(await this.look(spec.id)).to.deep.equal(seen[0]);
  }

  async expectAbsent(id: string): Promise<void> {
    expect(await this.look(id)).to.equal(undefined);
    expect(await this.listedOf(id)).to.deep.equal([]);
  }

  async sweep(): Promise<void> {
    await this.calm(() => this.driver.listNetworks(this.call()));
    for (const port of this.#ports.splice(0)) await this.insist((call) => this.driver.deletePort(port, call));
    for (const id of this.#networks.splice(0)) await this.insist((call) => this.driver.deleteNetwork(id, call));
  }
}

/** The contract of `NetworkDriver`, sentence by sentence. Mocha's globals must be there. */
export function describeNetwork(name: string, setup: NetworkSetup): void {
  describe(`NetworkDriver conformance: ${name}`, function () {
    const stage = new NetworkStage(setup);
    this.timeout(stage.timeouts.testMs);
    before(() => stage.begin());
    afterEach(() => stage.sweep());
    after(() => stage.end());

    describe('networks', () => networkTests(stage, setup));
    describe('ports', () => portTests(stage));
    describe('driver objects', () => driverTests(stage));
    describe('several at once', () => concurrencyTests(stage));
    describe('frozen backend', () => frozenCalls(stage, freezeTable(stage)));
  });
}

function networkTests(stage: NetworkStage, { features, modes = ['nat', 'isolated'] }: NetworkSetup): void {
  it('ensureNetwork makes it so, and again changes nothing', async () => {
    const spec = await stage.ensured();
    await stage.expectThere(spec);
    await stage.driver.ensureNetwork(spec, stage.call());
    await stage.expectThere(spec);
  });

  it('makes networks of each mode', async () => {
    for (const mode of modes) {
      const spec = { ...(await stage.network()), mode };
      await stage.driver.ensureNetwork(spec, stage.call());
      await stage.expectThere(spec);
    }
  });

  it('ensureNetwork repairs what differs, and keeps the ports', async () => {
    const spec = await stage.ensured();
    const port = await stage.port(spec);
    await stage.driver.ensurePort(port, stage.call());
    const renamed = { ...spec, name: `${spec.name}-b`, domain: 'other.example' };
    await stage.driver.ensureNetwork(renamed, stage.call());
    await stage.expectThere(renamed, [port.nicId]);
  });

  if (features.includes('stop'))
    it('ensureNetwork starts a network that was stopped behind its back', async () => {
      const spec = await stage.ensured();
      await stage.harness.stopNetwork?.(spec.id);
      expect(await stage.look(spec.id)).to.include({ active: false, owner: spec.owner });
      await stage.driver.ensureNetwork(spec, stage.call());
      await stage.expectThere(spec);
    });

  if (features.includes('foreign'))
    it('lists networks that are not ours without an owner, and leaves them alone', async () => {
      const id = (await stage.harness.foreignNetwork?.()) ?? '';
      const foreign = await stage.listedOf(id);
      expect(foreign).to.have.length(1);
      expect(foreign[0]?.owner).to.equal(undefined);
      await stage.driver.deleteNetwork((await stage.ensured()).id, stage.call());
      expect(await stage.listedOf(id)).to.deep.equal(foreign);
    });

  it('deleteNetwork forgets it, and succeeds when it is absent', async () => {
    const spec = await stage.ensured();
    await stage.driver.deleteNetwork(spec.id, stage.call());
    await stage.expectAbsent(spec.id);
    await stage.driver.deleteNetwork(spec.id, stage.call());
    await stage.driver.deleteNetwork(stage.newId(), stage.call());
  });

  it('deleteNetwork is a conflict while ports are left, and changes nothing', async () => {
    const spec = await stage.ensured();
    const port = await stage.port(spec);
    await stage.driver.ensurePort(port, stage.call());
    expect(await stage.fault(stage.driver.deleteNetwork(spec.id, stage.call()))).to.equal('conflict');
    await stage.expectThere(spec, [port.nicId]);
    await stage.driver.deletePort(port, stage.call());
    await stage.driver.deleteNetwork(spec.id, stage.call());
    await stage.expectAbsent(spec.id);
  });

  it('inspectNetwork of an absent network answers undefined', () => stage.expectAbsent(stage.newId()));
}

function portTests(stage: NetworkStage): void {
  it('ensurePort says how to plug in, the same each time', async () => {
    const spec = await stage.ensured();
    const port = await stage.port(spec);
    const plug = await stage.driver.ensurePort(port, stage.call());
    expect(plug.type).to.be.oneOf(['libvirtNetwork', 'bridge', 'ovsPort', 'tap']);
    expect(await stage.driver.ensurePort(port, stage.call())).to.deep.equal(plug);
    await stage.expectThere(spec, [port.nicId]);
  });

  it('ensurePort with another address, or another MAC, repairs the port', async () => {
    const spec = await stage.ensured();
    const [port, other] = [await stage.port(spec), await stage.port(spec)];
    for (const change of [{}, { addresses: other.addresses }, { mac: other.mac }])
      await stage.driver.ensurePort({ ...port, ...change }, stage.call());
    await stage.expectThere(spec, [port.nicId]);
  });

  it('ports of one network are independent', async () => {
    const spec = await stage.ensured();
    const [a, b] = [await stage.port(spec), await stage.port(spec)];
    await stage.driver.ensurePort(a, stage.call());
    await stage.driver.ensurePort(b, stage.call());
    await stage.expectThere(spec, [a.nicId, b.nicId]);
    await stage.driver.deletePort(a, stage.call());
    await stage.expectThere(spec, [b.nicId]);
  });

  it('ensurePort in an absent network is not_found', async () => {
    const port = await stage.port(await stage.network());
    expect(await stage.fault(stage.driver.ensurePort(port, stage.call()))).to.equal('not_found');
  });

  it('deletePort succeeds when the port, or its whole network, is absent', async () => {
    const spec = await stage.ensured();
    const port = await stage.port(spec);
    await stage.driver.deletePort(port, stage.call());
    await stage.driver.ensurePort(port, stage.call());
    for (let round = 0; round < 2; round += 1) await stage.driver.deletePort(port, stage.call());
    await stage.expectThere(spec);
    await stage.driver.deletePort({ nicId: stage.newId(), networkId: stage.newId() }, stage.call());
  });
}

function driverTests(stage: NetworkStage): void {
  it('classifies whatever is thrown, and never throws itself', () => {
    expectTotal((error) => stage.driver.classify(error), stage.harness.environment.random);
  });

  it('a network and its ports outlive the driver object that made them', async () => {
    const maker = await stage.open();
    const spec = await stage.network();
    const port = await stage.port(spec);
    await maker.ensureNetwork(spec, stage.call());
    await maker.ensurePort(port, stage.call());
    await maker.close();
    await stage.fault(maker.listNetworks(stage.call()));
    expect((await (await stage.open()).inspectNetwork(spec.id, stage.call()))?.nicIds).to.deep.equal([port.nicId]);
  });

  it('does nothing for a call that is aborted before it begins', async () => {
    const spec = await stage.network();
    await stage.fault(stage.driver.ensureNetwork(spec, stage.call(undefined, { signal: AbortSignal.abort() })));
    await stage.harness.settle();
    await stage.expectAbsent(spec.id);
  });
}

function concurrencyTests(stage: NetworkStage): void {
  it('the same call twice in parallel has one effect', async () => {
    const spec = await stage.network();
    const port = await stage.port(spec);
    const twice = (act: () => Promise<unknown>) => Promise.all([act(), act()]);
    await twice(() => stage.driver.ensureNetwork(spec, stage.call()));
    await stage.expectThere(spec);
    await twice(() => stage.driver.ensurePort(port, stage.call()));
    await stage.expectThere(spec, [port.nicId]);
    await twice(() => stage.driver.deletePort(port, stage.call()));
    await twice(() => stage.driver.deleteNetwork(spec.id, stage.call()));
    await stage.expectAbsent(spec.id);
  });

  it('ports made in parallel, through different driver objects, are all there', async () => {
    const other = await stage.open();
    const spec = await stage.ensured();
    const ports: PortSpec[] = [];
    for (let count = 0; count < 6; count += 1) ports.push(await stage.port(spec));
    await Promise.all(ports.map((port, at) => (at % 2 ? other : stage.driver).ensurePort(port, stage.call())));
    await stage.expectThere(
      spec,
      ports.map((port) => port.nicId),
    );
  });

  it('a frozen backend makes every look fail, never answer "absent"', async () => {
    await stage.whileFrozen(async () => {
      expect(await stage.fault(stage.driver.inspectNetwork(stage.newId(), stage.brief()))).to.be.oneOf(UNANSWERED);
      expect(await stage.fault(stage.driver.listNetworks(stage.brief()))).to.be.oneOf(UNANSWERED);
    });
  });
}

type Plain = Omit<NetworkDriver, keyof NetworkExtras>;

/** Every verb that changes something, frozen; those of what is kept beside networks and ports are in `keepers.ts`. */
function freezeTable(stage: NetworkStage): Complete<Changes<Plain, 'inspectNetwork' | 'listNetworks'>> {
  const ofNetwork = (spec: NetworkSpec, act: (call: Call) => Promise<unknown>, done: () => Promise<unknown>): PreparedCall => ({
    act,
    done,
    undo: (call) => stage.driver.deleteNetwork(spec.id, call),
    left: () => stage.listedOf(spec.id),
  });
  const ofPort = (
    spec: NetworkSpec,
    port: PortSpec,
    act: (call: Call) => Promise<unknown>,
    done: () => Promise<unknown>,
  ): PreparedCall => ({
    act,
    done,
    undo: (call) => stage.driver.deletePort(port, call),
    left: async () => (await stage.look(spec.id))?.nicIds ?? [],
  });
  return {
    ensureNetwork: async () => {
      const spec = await stage.network();
      const act = (call: Call) => stage.driver.ensureNetwork(spec, call);
      return {
        ...ofNetwork(spec, act, () => stage.expectThere(spec)),
        lateArrival: async () => expect((await stage.listedOf(spec.id)).length).to.be.at.most(1),
      };
    },
    deleteNetwork: async () => {
      const spec = await stage.ensured();
      const act = (call: Call) => stage.driver.deleteNetwork(spec.id, call);
      return ofNetwork(spec, act, () => stage.expectAbsent(spec.id));
    },
    ensurePort: async () => {
      const spec = await stage.ensured();
      const port = await stage.port(spec);
      const act = (call: Call) => stage.driver.ensurePort(port, call);
      return {
        ...ofPort(spec, port, act, () => stage.expectThere(spec, [port.nicId])),
        lateArrival: async () => expect((await stage.look(spec.id))?.nicIds.length).to.be.at.most(1),
      };
    },
    deletePort: async () => {
      const spec = await stage.ensured();
      const port = await stage.port(spec);
      await stage.driver.ensurePort(port, stage.call());
      const act = (call: Call) => stage.driver.deletePort(port, call);
      return ofPort(spec, port, act, () => stage.expectThere(spec));
    },
  };
}
