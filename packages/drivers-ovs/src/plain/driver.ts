import type { FabricHost, NetworkDriver, NetworkObservation, PortReadiness } from '@pileus/core/strategy';
import { Bounds } from '../ovn/bounds.ts';
import { DriverError } from '../ovn/driver-error.ts';
import { classify } from '../ovn/faults.ts';
import { checkNetwork, checkPort } from './check.ts';
import { missingFor } from './compile.ts';
import { troubles } from './health.ts';
import { Mesh } from './mesh.ts';
import { bridgeName } from './names.ts';
import { nicMark, storedOf } from './stored-network.ts';
import type { KnownSwitch, Realm, Switches } from './switches.ts';

/** Networks by Open vSwitch alone: what is to be there is written to the databases of the hosts that carry it. */
export function openVswitchDriver(switches: Switches): NetworkDriver {
  const mesh = new Mesh(switches);
  return {
    ensureNetwork: async (spec, call) => mesh.ensure(storedOf(checkNetwork(spec)), new Bounds(call)),
    deleteNetwork: (id, call) => mesh.remove(id, new Bounds(call)),
    inspectNetwork: async (id, call) => observe(sure(await mesh.look(new Bounds(call))), id),
    listNetworks: async (call) => {
      const bounds = new Bounds(call);
      const realm = sure(await mesh.look(bounds));
      // What was not taken away now is there at the next look.
      await Promise.all(realm.answering.map(({ at }) => at.clearLeft(bounds).catch(() => {})));
      const ids = new Set(realm.answering.flatMap(({ at }) => at.view.networkIds()));
      return [...ids].flatMap((id) => observe(realm, id) ?? []);
    },
    ensurePort: async (spec, call) => {
      checkPort(spec);
      const { nicId, networkId, mac, addresses, host } = spec;
      const nic = { key: nicMark(nicId), told: [mac, ...addresses].join(' '), ...(host === undefined ? {} : { host }) };
      const { at } = await mesh.ensureNic(networkId, nic, new Bounds(call));
      const isUserspace = at.view.facts().datapathType === 'netdev';
      return { type: 'ovsPort', bridge: bridgeName(networkId), interfaceId: nicId, ...(isUserspace ? { offloads: false } : {}) };
    },
    deletePort: ({ nicId, networkId }, call) => mesh.removeNic(networkId, nicMark(nicId), new Bounds(call)),
    classify,
    close: () => switches.close(),
    readiness: { port: async (nicId, call) => readinessOf(await mesh.look(new Bounds(call)), nicId) },
    health: { troubles: (hosts, call) => troubles(switches, hosts, call) },
    connections: {
      missing: (host, segment) => {
        const facts = switches.factsOf(host);
        return facts === undefined ? undefined : missingFor(segment, facts);
      },
    },
    hosts: { list: async (call) => (await mesh.look(new Bounds(call))).answering.map(factsOf) },
  };
}

/** That something is nowhere is not to be told by nobody. */
function sure(realm: Realm): Realm {
  if (realm.answering.length === 0 && realm.all.length > 0) throw new DriverError('unavailable', 'no host answers');
  return realm;
}

/** As the hosts that answer have it. One that has missed a change is put right by the next look. */
function observe({ answering }: Realm, id: string): NetworkObservation | undefined {
  const parts = answering.flatMap(({ at }) => at.view.carried(id) ?? []);
  const [first] = parts;
  if (first === undefined) return undefined;
  const { name, owner } = first.network;
  const active = parts.every(({ errors }) => errors.length === 0);
  return { id, name, active, owner, nicIds: [...new Set(parts.flatMap(({ nicIds }) => nicIds))] };
}

function readinessOf({ answering }: Realm, nicId: string): PortReadiness {
  for (const { at, known } of answering)
    for (const id of at.view.networkIds()) {
      const carried = at.view.carried(id);
      if (carried?.nicIds.includes(nicId) !== true) continue;
      const { host } = known;
      const plugged = carried.plugged.find(({ external_ids }) => external_ids['iface-id'] === nicId);
      if (plugged === undefined) return { state: 'unplugged', host };
      const isUp = (plugged.ofport ?? -1) > 0 && carried.errors.length === 0;
      const waitsFor = plugged.error ?? carried.errors[0] ?? `the switch of host ${host}`;
      return isUp ? { state: 'ready', host } : { state: 'waiting', host, waitsFor };
    }
  return { state: 'absent' };
}

function factsOf({ known: { host }, at }: KnownSwitch): FabricHost {
  const { datapathType, tunnelAddress = '', bridges } = at.view.facts();
  return { host, datapath: datapathType === 'netdev' ? 'userspace' : 'kernel', tunnelAddress, physicalNetworks: Object.keys(bridges) };
}
