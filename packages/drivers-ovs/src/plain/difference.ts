import { randomUUID } from 'node:crypto';
import { DriverError } from '../ovn/driver-error.ts';
import { everyRow, type Operation, openVswitch } from '../ovsdb/index.ts';
import type { CompiledBridge, CompiledPort } from './compile.ts';
import { NETWORK, PEER } from './stored-network.ts';
import type { BridgeRow, PortRow, SwitchView } from './switch-view.ts';

const { Bridge, Port, Interface, Open_vSwitch } = openVswitch.tables;
type Ids = Readonly<Record<string, string | undefined>>;

/** What NICs a bridge is to have more, or less. */
export interface NicChange {
  readonly put?: Readonly<Record<string, string>>;
  readonly delete?: readonly string[];
}

/**
 * The operations that make a host as it was compiled, nothing where it is. They hold only while the network's bridge is as it was seen.
 * @throws DriverError conflict for what belongs to others
 */
export function differenceOf(view: SwitchView, compiled: CompiledBridge, networkId: string, nics: NicChange = {}): readonly Operation[] {
  const seen = view.bridge(compiled.name);
  const foreign = seen !== undefined && seen.external_ids[NETWORK] !== networkId;
  if (foreign) throw new DriverError('conflict', `the name ${compiled.name} is that of a bridge of others`);
  const ports = [...portChanges(view, compiled, networkId), ...portRemovals(view, compiled, networkId)];
  if (seen === undefined) return [...newBridge(compiled, nics), ...ports];
  const changes = [...bridgeChanges(seen, compiled, nics), ...ports];
  return changes.length === 0 ? [] : [asSeen(seen), ...changes];
}

/** Takes a network's bridge away, with what it has elsewhere. */
export function removalOf(view: SwitchView, networkId: string): readonly Operation[] {
  const seen = view.networkBridge(networkId);
  const elsewhere = view.portsOf(networkId).filter(({ bridge }) => bridge._uuid !== seen?._uuid);
  const removals = elsewhere.map(({ bridge, port }) => removal(bridge, port));
  if (seen === undefined) return removals;
  return [asSeen(seen), Open_vSwitch.mutate(everyRow, { bridges: { delete: [seen._uuid] } }), ...removals];
}

/** Changes the NICs that a host has, and nothing else. */
export function nicDifferenceOf(view: SwitchView, networkId: string, nics: NicChange): readonly Operation[] {
  const seen = view.networkBridge(networkId);
  const mutation = seen === undefined ? undefined : idsChange(seen.external_ids, nics);
  return seen === undefined || mutation === undefined ? [] : [asSeen(seen), Bridge.mutate(seen._uuid, { external_ids: mutation })];
}

/** Compare and set: others may have been faster. */
const asSeen = ({ _uuid, external_ids, ports }: BridgeRow): Operation =>
  Bridge.wait(_uuid, { until: '==', columns: ['external_ids', 'ports'], rows: [{ external_ids, ports }] });

const removal = (bridge: BridgeRow, port: PortRow): Operation => Bridge.mutate(bridge._uuid, { ports: { delete: [port._uuid] } });

function idsChange(actual: Ids, { put = {}, delete: gone = [] }: NicChange): NicChange | undefined {
  const changed = Object.fromEntries(Object.entries(put).filter(([key, value]) => actual[key] !== value));
  const there = gone.filter((key) => key in actual);
  return Object.keys(changed).length === 0 && there.length === 0 ? undefined : { put: changed, delete: there };
}

function newBridge({ name, datapathType, marks }: CompiledBridge, { put = {} }: NicChange): readonly Operation[] {
  const uuid = randomUUID();
  const row = { name, datapath_type: datapathType, fail_mode: 'standalone', external_ids: { ...marks, ...put } } as const;
  return [Bridge.insert(row, uuid), Open_vSwitch.mutate(everyRow, { bridges: { insert: [uuid] } })];
}

function bridgeChanges(seen: BridgeRow, { marks, datapathType }: CompiledBridge, nics: NicChange): readonly Operation[] {
  const ids = idsChange(seen.external_ids, { ...nics, put: { ...marks, ...nics.put } });
  const isSame = seen.datapath_type === datapathType && seen.fail_mode === 'standalone' && seen.controller.length === 0;
  return [
    ...(ids === undefined ? [] : [Bridge.mutate(seen._uuid, { external_ids: ids })]),
    ...(isSame ? [] : [Bridge.update(seen._uuid, { datapath_type: datapathType, fail_mode: 'standalone', controller: [] })]),
  ];
}

function portChanges(view: SwitchView, { name, ports }: CompiledBridge, networkId: string): readonly Operation[] {
  return ports.flatMap((port) => {
    const there = view.port(port.name);
    if (there === undefined) return newPort(view, port, name);
    if (there.external_ids[NETWORK] !== networkId) throw new DriverError('conflict', `the name ${port.name} is that of a port of others`);
    return portChange(view, port, there, name);
  });
}

function newPort(view: SwitchView, port: CompiledPort, own: string): readonly Operation[] {
  const [device, uuid] = [randomUUID(), randomUUID()];
  return [
    Interface.insert({ name: port.name, type: port.type, options: port.options }, device),
    Port.insert({ name: port.name, interfaces: [device], external_ids: port.ids, ...modeOf(port) }, uuid),
    joining(view, port, own, uuid),
  ];
}

/** The network's own bridge may be new, too: it has its name in the same transaction. */
function joining(view: SwitchView, { bridge }: CompiledPort, own: string, uuid: string): Operation {
  if (bridge !== own && view.bridge(bridge) === undefined) throw new DriverError('conflict', `there is no bridge ${bridge}`);
  return Bridge.mutate([['name', '==', bridge]], { ports: { insert: [uuid] } });
}

const modeOf = ({ tag, isProtected }: CompiledPort) =>
  ({ tag, vlan_mode: tag === undefined ? undefined : 'access', protected: isProtected }) as const;

function portChange(view: SwitchView, wanted: CompiledPort, there: PortRow, own: string): readonly Operation[] {
  const mode = modeOf(wanted);
  const isSame =
    there.tag === mode.tag &&
    there.vlan_mode === mode.vlan_mode &&
    there.protected === mode.protected &&
    there.trunks.length === 0 &&
    sameMap(there.external_ids, wanted.ids);
  const device = view.interfaceOf(there);
  const isSameDevice = device !== undefined && device.type === wanted.type && sameMap(device.options, wanted.options);
  const isHome = view.bridge(wanted.bridge)?.ports.includes(there._uuid) === true;
  const home = isHome ? undefined : view.bridgeOf(there);
  return [
    ...(isSame ? [] : [Port.update(there._uuid, { ...mode, trunks: [], external_ids: wanted.ids })]),
    ...(isSameDevice || device === undefined ? [] : [Interface.update(device._uuid, { type: wanted.type, options: wanted.options })]),
    ...(home === undefined ? [] : [removal(home, there)]),
    ...(isHome ? [] : [joining(view, wanted, own, there._uuid)]),
  ];
}

/** Ports of the network that nothing asks for, but for tunnels to those of whom nothing is known. */
function portRemovals(view: SwitchView, { ports, keeps }: CompiledBridge, networkId: string): readonly Operation[] {
  const wanted = new Set(ports.map(({ name }) => name));
  const surplus = view.portsOf(networkId).filter(({ port }) => !wanted.has(port.name) && !keeps(port.external_ids[PEER] ?? ''));
  return surplus.map(({ bridge, port }) => removal(bridge, port));
}

const sameMap = (a: Ids, b: Ids): boolean =>
  Object.keys(a).length === Object.keys(b).length && Object.entries(a).every(([key, value]) => b[key] === value);
