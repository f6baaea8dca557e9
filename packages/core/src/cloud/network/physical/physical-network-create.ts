import { Type } from 'typebox';
import { create, defineAction, expectState, resourceName, updateAction } from '../../../kernel/index.ts';
import { given, nameOr } from '../../naming.ts';
import { rowCreate, rowDeletion, rowTakenBack } from '../../row-only.ts';
import { cluster } from '../../topology/contract.ts';
import { nearestCidr, parseCidr } from '../cidr.ts';
import { invalid } from '../refusal.ts';
import { physicalNetwork, TUNNEL_KEY_MAX } from './physical-network.ts';

const { properties } = physicalNetwork.schema;
export const PHYSICAL_MTU_BYTES = 1500;
/** What VXLAN and Geneve leave of it, over IPv4. */
const TUNNEL_MTU_BYTES = 1450;

export const createPhysicalNetwork = defineAction({
  kind: physicalNetwork,
  verb: 'create',
  description: 'Tells of a physical network that the hosts of a cluster are connected to.',
  target: 'collection',
  input: Type.Object({
    name: Type.Optional(resourceName()),
    description: properties.description,
    clusterId: properties.clusterId,
    label: properties.label,
    role: properties.role,
    cidr: properties.cidr,
    mtuBytes: Type.Optional({
      ...properties.mtuBytes,
      description: `Default: ${PHYSICAL_MTU_BYTES}, or ${TUNNEL_MTU_BYTES} with an encapsulation.`,
    }),
    firstVlanId: properties.firstVlanId,
    lastVlanId: properties.lastVlanId,
    encapsulation: properties.encapsulation,
    firstTunnelKey: Type.Optional({ ...properties.firstTunnelKey, description: 'Default, with an encapsulation: 1.' }),
    lastTunnelKey: Type.Optional({ ...properties.lastTunnelKey, description: `Default, with an encapsulation: ${TUNNEL_KEY_MAX}.` }),
  }),
  accept: async ({ id, input, reader }) => {
    await reader.get(cluster, input.clusterId, '/clusterId');
    checkVlans(input);
    checkCidr(input);
    const keys = tunnelKeys(input);
    const mtuBytes = keys === undefined ? PHYSICAL_MTU_BYTES : TUNNEL_MTU_BYTES;
    const row = { mtuBytes, ...given(input), ...keys, id, name: nameOr(input.name, physicalNetwork, id) };
    return {
      params: { kind: physicalNetwork.name, id },
      statements: [
        expectState(cluster, input.clusterId, ['available']),
        create(physicalNetwork, row as typeof row & { readonly role: typeof input.role }),
      ],
    };
  },
  saga: rowCreate,
  context: () => null,
  unwound: rowTakenBack,
});

/** @throws CloudError invalid_input for what is no network, and of machines' networks, whose subnets say it */
function checkCidr({ role, cidr }: { readonly role: string; readonly cidr?: string | null | undefined }): void {
  if (cidr === undefined || cidr === null) return;
  if (role !== 'storage' && role !== 'management') throw invalid('/cidr', 'Hosts have addresses on networks for storage and management.');
  if (parseCidr(cidr) === undefined) throw invalid('/cidr', `This is no network in canonical form; ${nearestCidr(cidr)} is.`);
}

/** @throws CloudError invalid_input for half a range, or one that is reversed */
function checkVlans({ firstVlanId, lastVlanId }: { readonly firstVlanId?: number; readonly lastVlanId?: number }): void {
  if (firstVlanId === undefined && lastVlanId === undefined) return;
  if (firstVlanId === undefined) throw invalid('/firstVlanId', 'A last VLAN needs a first one.');
  if (lastVlanId === undefined) throw invalid('/lastVlanId', 'A first VLAN needs a last one.');
  if (lastVlanId < firstVlanId) throw invalid('/lastVlanId', 'The last VLAN comes before the first.');
}

interface Tunnelled {
  readonly encapsulation?: 'vxlan' | 'geneve';
  readonly role: string;
  readonly firstVlanId?: number;
  readonly firstTunnelKey?: number;
  readonly lastTunnelKey?: number;
}

/** @throws CloudError invalid_input for keys without an encapsulation, a range that is reversed, or what only a wire has */
function tunnelKeys({ encapsulation, role, firstVlanId, ...asked }: Tunnelled) {
  if (encapsulation === undefined) {
    const field = (['firstTunnelKey', 'lastTunnelKey'] as const).find((each) => asked[each] !== undefined);
    if (field !== undefined) throw invalid(`/${field}`, 'Only a physical network with an encapsulation has keys.');
    return undefined;
  }
  const { firstTunnelKey = 1, lastTunnelKey = TUNNEL_KEY_MAX } = asked;
  if (firstVlanId !== undefined) throw invalid('/firstVlanId', 'Networks of tunnels have keys in place of VLANs.');
  if (role === 'external') throw invalid('/role', 'Tunnels between hosts lead to nobody outside.');
  if (role === 'storage') throw invalid('/encapsulation', 'Storage is on the wire itself, and not in tunnels.');
  if (lastTunnelKey < firstTunnelKey) throw invalid('/lastTunnelKey', 'The last key comes before the first.');
  return { firstTunnelKey, lastTunnelKey };
}

export const updatePhysicalNetwork = updateAction(physicalNetwork, ['description', 'cidr'], ({ row, input }) =>
  checkCidr({ role: String((row as { readonly role?: unknown }).role), ...(input as { readonly cidr?: string | null }) }),
);

export const physicalNetworkDeletion = rowDeletion(physicalNetwork, ['available']);
