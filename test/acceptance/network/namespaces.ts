import type { Environment } from '@pileus/core/kernel';
import type { DriverPlugin, HypervisorDriver, HypervisorFactory } from '@pileus/core/strategy';
import { SimError, SimWorld, simulated } from '@pileus/core/testing';
import type { LabHost } from '../../lab/host.ts';
import type { Lab } from '../../lab/lab.ts';
import { LabMachine } from '../../lab/ovn/machine.ts';

/** Simulated machines whose cards are real: each card of one that is on is a namespace, plugged into the switch of its lab host. */
export class Namespaces {
  readonly plugin: DriverPlugin;
  readonly #lab: Lab;
  readonly #world: SimWorld;
  readonly #cards = new Map<string, LabMachine>();
  /** Of machines that have come to another host, and stand still there yet. */
  readonly #still = new Set<string>();
  /** Work on cards, one after the other: plugging in and out of one card must not overtake each other. */
  #turn: Promise<unknown> = Promise.resolve();
  #named = 0;
  #awaited: ((card: LabMachine) => void)[] = [];

  constructor(lab: Lab, environment: Environment) {
    this.#lab = lab;
    this.#world = new SimWorld(environment, { latencyMs: [0, 0] });
    for (const { name } of lab.hosts) this.#world.addHost(name);
    const { strategies = {}, ...plugin } = simulated({ world: this.#world, environment });
    const { hypervisor = [], storage = [] } = strategies;
    this.plugin = { ...plugin, strategies: { hypervisor: hypervisor.map((factory) => this.#plugging(factory)), storage } };
  }

  /** The next card that is plugged in, as soon as it is. */
  coming(): Promise<LabMachine> {
    const { promise, resolve } = Promise.withResolvers<LabMachine>();
    this.#awaited.push(resolve);
    return promise;
  }

  /** The card of a NIC, which is plugged in. */
  card(nicId: string): LabMachine {
    const card = this.#cards.get(nicId);
    if (card === undefined) throw new Error(`the NIC ${nicId} is not plugged in`);
    return card;
  }

  #plugging(factory: HypervisorFactory): HypervisorFactory {
    return {
      ...factory,
      open: (endpoint) => {
        const driver = factory.open(endpoint);
        const hostname = endpoint.uri.slice('sim://'.length);
        const after = <A extends readonly unknown[]>(method: (...args: A) => Promise<void>) => {
          return async (...args: A) => {
            await method(...args);
            await this.#sync(hostname);
          };
        };
        const { power, machines, hotplug, migration } = driver;
        return {
          ...driver,
          machines: { ...machines, remove: after(machines.remove) },
          power: Object.fromEntries(Object.entries(power).map(([verb, act]) => [verb, after(act)])) as HypervisorDriver['power'],
          ...(migration && {
            migration: {
              ...migration,
              send: async (id, target, call) => {
                await migration.send(id, target, call);
                await this.#sync(target.uri.slice('sim://'.length));
              },
            },
          }),
          ...(hotplug && { hotplug: { ...hotplug, attachNic: after(hotplug.attachNic), detachNic: after(hotplug.detachNic) } }),
        };
      },
    };
  }

  #sync(hostname: string): Promise<void> {
    const turn = this.#turn
      .then(() => this.#plug(hostname))
      .catch((cause: Error) => {
        // As with a real hypervisor: it cannot be done now, and is asked for again.
        throw new SimError('unavailable', `cards on ${hostname} cannot be plugged: ${cause.message}`);
      });
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async #plug(hostname: string): Promise<void> {
    const host = this.#lab.hosts.find(({ name }) => name === hostname) as LabHost;
    const live = [...this.#world.host(hostname).machines.values()].filter((machine) => machine.live);
    const wanted = new Map(
      live.flatMap(({ spec, power }) =>
        spec.nics.map((nic) => [nic.nicId, { ...nic, label: spec.name, runs: power === 'running' }] as const),
      ),
    );
    for (const [nicId, card] of this.#cards) {
      if (wanted.has(nicId) || card.host.name !== hostname) continue;
      await card.unplug();
      this.#cards.delete(nicId);
    }
    for (const [nicId, { plug, mac, label, runs }] of wanted) {
      const card = this.#cards.get(nicId);
      if (card !== undefined && card.host.name !== hostname) {
        await card.leaveFor(host);
        this.#still.add(nicId);
      }
      if (card !== undefined && runs && this.#still.delete(nicId)) await card.goOn();
      if (card !== undefined || plug.type !== 'ovsPort') continue;
      const wires = { name: `m${this.#named++}`, label, mac, plug: { interfaceId: plug.interfaceId, bridge: plug.bridge } };
      const made = await LabMachine.plug(host, wires);
      this.#cards.set(nicId, made);
      for (const tell of this.#awaited.splice(0)) tell(made);
    }
  }
}
