import type { NetworkSpec, PortSpec, SegmentSpec } from '@pileus/core/strategy';
import { DriverError } from '../ovn/driver-error.ts';

const VLAN_MAX = 4094;
const KEY_MAX = 2 ** 24 - 1;
/** Ids are in names and in keys of maps, which are typed by people, too. */
const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const within = (value: number, min: number, max: number): boolean => Number.isInteger(value) && value >= min && value <= max;

function refuse(pointer: string, message: string, fault: 'invalid' | 'unsupported' = 'invalid'): never {
  throw new DriverError(fault, message, { pointer });
}

function checkId(id: string, pointer: string): void {
  if (!ID.test(id)) refuse(pointer, 'this is no id');
}

/** @throws DriverError invalid or unsupported, with the field at fault */
export function checkNetwork(spec: NetworkSpec): NetworkSpec & { readonly segment: SegmentSpec } {
  checkId(spec.id, '/id');
  const { segment, mode, vpcId } = spec;
  if (mode !== 'provider') refuse('/mode', `Open vSwitch alone makes no networks of mode ${mode}`, 'unsupported');
  if (vpcId !== undefined) refuse('/vpcId', 'Open vSwitch alone makes no VPCs', 'unsupported');
  if (segment === undefined) refuse('/segment', 'a provider network is a segment of a physical one');
  const { physicalNetwork, vlanId, tunnel } = segment;
  if (physicalNetwork === '') refuse('/segment/physicalNetwork', 'it has no name');
  if (vlanId !== undefined && !within(vlanId, 1, VLAN_MAX)) refuse('/segment/vlanId', `VLANs are 1 to ${VLAN_MAX}`);
  if (vlanId !== undefined && tunnel !== undefined) refuse('/segment/vlanId', 'a network of tunnels has no VLAN');
  if (tunnel !== undefined && !within(tunnel.key, 1, KEY_MAX)) refuse('/segment/tunnel/key', `keys are 1 to ${KEY_MAX}`);
  return { ...spec, segment };
}

/** @throws DriverError invalid or unsupported, with the field at fault */
export function checkPort({ nicId, networkId, vpcId, securityGroupIds }: PortSpec): void {
  checkId(nicId, '/nicId');
  checkId(networkId, '/networkId');
  if (vpcId !== undefined) refuse('/vpcId', 'Open vSwitch alone makes no VPCs', 'unsupported');
  if (securityGroupIds !== undefined) refuse('/securityGroupIds', 'Open vSwitch alone filters nothing', 'unsupported');
}
