import { setTimeout as pause } from 'node:timers/promises';
import type { Bounds } from '../ovn/bounds.ts';
import { DriverError } from '../ovn/driver-error.ts';
import type { Operation } from '../ovsdb/index.ts';
import { type CompiledBridge, compileNetwork, lacking, type Other, type Others } from './compile.ts';
import { differenceOf, type NicChange, nicDifferenceOf, removalOf } from './difference.ts';
import type { Change } from './host-switch.ts';
import type { StoredNetwork } from './stored-network.ts';
import type { Carried } from './switch-view.ts';
import type { KnownSwitch, Realm, Switches } from './switches.ts';

/** Who keeps being overtaken waits longer and longer, so that of many somebody gets on. */
const PAUSE_MS_MAX = 100;
/** Others may see other hosts than we do, as these come and go: then the next look at the network goes on. */
const PASSES_MAX = 20;

/** Networks over several hosts, each of which has its part of them in a database of its own. */
export class Mesh {
  readonly #switches: Switches;

  constructor(switches: Switches) {
    this.#switches = switches;
  }

  look(bounds: Bounds): Promise<Realm> {
    return this.#switches.look(bounds);
  }

  /** Makes a network as it was told on all hosts that answer and can carry it. */
  async ensure(network: StoredNetwork, bounds: Bounds): Promise<void> {
    await this.#once(bounds, (realm) => (one) => (isConnected(network, one) ? compiledDifference(network, one, realm) : []));
    await this.#settle(network.id, bounds);
  }

  /** @throws DriverError conflict while ports are left */
  async remove(networkId: string, bounds: Bounds): Promise<void> {
    await this.#once(bounds, (realm) => {
      for (const { at, known } of realm.answering) refuseUsed(at.view.carried(networkId), known.host);
      return ({ at, known }) => {
        refuseUsed(at.view.carried(networkId), known.host);
        return removalOf(at.view, networkId);
      };
    });
  }

  /** Has the NIC on its host and no other: others that answer forget it. Answers the host. */
  async ensureNic(networkId: string, { key, told, host }: Nic, bounds: Bounds): Promise<KnownSwitch> {
    let at: KnownSwitch | undefined;
    await this.#once(bounds, (realm) => {
      const network = find(realm, networkId)?.network;
      if (network === undefined) throw new DriverError('not_found', `there is no network ${networkId}`);
      const chosen = hostFor(realm, network, key, host);
      at = chosen;
      return (one) =>
        one.known.host === chosen.known.host
          ? compiledDifference(network, one, realm, { put: { [key]: told } })
          : nicDifferenceOf(one.at.view, networkId, { delete: [key] });
    });
    await this.#settle(networkId, bounds);
    return at as KnownSwitch;
  }

  async removeNic(networkId: string, key: string, bounds: Bounds): Promise<void> {
    await this.#once(bounds, () => (one) => nicDifferenceOf(one.at.view, networkId, { delete: [key] }));
    await this.#settle(networkId, bounds);
  }

  /**
   * Compares the network on all hosts until nothing differs. What one host has decides what another is to have, and no transaction spans two: who has written
   * last looks once more, and so the last of several who write at the same time sees what all have done.
   */
  async #settle(networkId: string, bounds: Bounds): Promise<void> {
    for (let pass = 1; pass <= PASSES_MAX; pass += 1) {
      const ends = await this.#pass(bounds, (realm) => {
        const network = find(realm, networkId)?.network;
        return (one) => (network === undefined || !isConnected(network, one) ? [] : compiledDifference(network, one, realm));
      });
      if (ends.every((end) => end === 'same')) return;
      if (ends.includes('overtaken')) await breathe(pass, bounds);
    }
  }

  /** Changes all hosts that answer; when one was overtaken by others, all are looked at again. */
  async #once(bounds: Bounds, decide: Decide): Promise<void> {
    for (let pass = 1; (await this.#pass(bounds, decide)).includes('overtaken'); pass += 1) await breathe(pass, bounds);
  }

  async #pass(bounds: Bounds, decide: Decide): Promise<readonly Change[]> {
    const realm = await this.look(bounds);
    const difference = decide(realm);
    const ends = await Promise.allSettled(realm.answering.map((one) => one.at.change(bounds, () => difference(one))));
    return ends.map((end) => {
      if (end.status === 'rejected') throw end.reason;
      return end.value;
    });
  }
}

export interface Nic {
  readonly key: string;
  /** For operators. */
  readonly told: string;
  readonly host?: string;
}

type Decide = (realm: Realm) => (one: KnownSwitch) => readonly Operation[];

const breathe = (pass: number, { left: { signal } }: Bounds): Promise<void> =>
  pause(Math.min(pass, PAUSE_MS_MAX), undefined, signal === undefined ? {} : { signal });

/** What hosts that answer tell of it. */
export function find({ answering }: Realm, networkId: string): Carried | undefined {
  return answering.map(({ at }) => at.view.carried(networkId)).find((carried) => carried !== undefined);
}

/** Whether it is to be there: hosts of other clusters, and hosts that cannot carry it, are no part of it. */
const isConnected = (network: StoredNetwork, { known, at }: KnownSwitch): boolean =>
  (network.segment.clusterId ?? known.clusterId) === known.clusterId && lacking(network, at.view.facts()) === undefined;

const hasMachines = (carried: Carried | undefined): boolean =>
  carried !== undefined && (carried.nicIds.length > 0 || carried.plugged.length > 0);

function compiledDifference(
  network: StoredNetwork,
  { at: { view } }: KnownSwitch,
  realm: Realm,
  nics: NicChange = {},
): readonly Operation[] {
  const isIn = nics.put !== undefined || hasMachines(view.carried(network.id));
  const compiled: CompiledBridge = compileNetwork(network, view.facts(), isIn, othersOf(network, realm));
  return differenceOf(view, compiled, network.id, nics);
}

const othersOf = (network: StoredNetwork, { all, isComplete }: Realm): Others => ({
  all: all.map((one) => otherOf(network, one)),
  isComplete,
});

function otherOf(network: StoredNetwork, one: KnownSwitch): Other {
  const { host, answers } = one.known;
  if (!answers) return { host, part: 'unknown' };
  const { tunnelAddress } = one.at.view.facts();
  const isIn = isConnected(network, one) && hasMachines(one.at.view.carried(network.id));
  return isIn && tunnelAddress !== undefined ? { host, part: 'in', tunnelAddress } : { host, part: 'out' };
}

/** The host that was named; else the one that has it, or any that can. */
function hostFor(realm: Realm, network: StoredNetwork, key: string, named: string | undefined): KnownSwitch {
  if (named !== undefined) return namedHost(realm, network, named);
  const able = realm.answering.filter((one) => isConnected(network, one));
  const chosen = able.find(({ at }) => at.view.networkBridge(network.id)?.external_ids[key] !== undefined) ?? able[0];
  if (chosen === undefined) throw new DriverError('unavailable', `no host that answers can carry network ${network.id}`);
  return chosen;
}

function namedHost({ all }: Realm, { segment, id }: StoredNetwork, named: string): KnownSwitch {
  const one = all.find(({ known }) => known.host === named);
  if (one === undefined) throw new DriverError('not_found', `the cloud has no host ${named}`, { pointer: '/host' });
  if (!one.known.answers) throw new DriverError('unavailable', `host ${named} does not answer`);
  if (segment.clusterId !== undefined && segment.clusterId !== one.known.clusterId)
    throw new DriverError('conflict', `host ${named} is not connected to network ${id}: it is of another cluster`, { pointer: '/host' });
  return one;
}

function refuseUsed(carried: Carried | undefined, host: string): void {
  if (carried === undefined) return;
  const { nicIds, plugged, network } = carried;
  const ports = new Set([...nicIds, ...plugged.map(({ name }) => name)]).size;
  if (ports > 0) throw new DriverError('conflict', `network ${network.id} has ${ports} ports left on host ${host}`);
}
