import { Type } from 'typebox';
import { create, defineAction, expectState, resourceName, updateAction } from '../../../kernel/index.ts';
import { given, nameOr } from '../../naming.ts';
import { rowCreate, rowDeletion, rowTakenBack } from '../../row-only.ts';
import { cluster } from '../../topology/contract.ts';
import { invalid } from '../refusal.ts';
import { physicalNetwork } from './physical-network.ts';

const { properties } = physicalNetwork.schema;
export const PHYSICAL_MTU_BYTES = 1500;

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
    mtuBytes: Type.Optional({ ...properties.mtuBytes, description: `Default: ${PHYSICAL_MTU_BYTES}.` }),
    firstVlanId: properties.firstVlanId,
    lastVlanId: properties.lastVlanId,
  }),
  accept: async ({ id, input, reader }) => {
    await reader.get(cluster, input.clusterId, '/clusterId');
    checkVlans(input);
    const row = { mtuBytes: PHYSICAL_MTU_BYTES, ...given(input), id, name: nameOr(input.name, physicalNetwork, id) };
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

/** @throws CloudError invalid_input for half a range, or one that is reversed */
function checkVlans({ firstVlanId, lastVlanId }: { readonly firstVlanId?: number; readonly lastVlanId?: number }): void {
  if (firstVlanId === undefined && lastVlanId === undefined) return;
  if (firstVlanId === undefined) throw invalid('/firstVlanId', 'A last VLAN needs a first one.');
  if (lastVlanId === undefined) throw invalid('/lastVlanId', 'A first VLAN needs a last one.');
  if (lastVlanId < firstVlanId) throw invalid('/lastVlanId', 'The last VLAN comes before the first.');
}

export const updatePhysicalNetwork = updateAction(physicalNetwork, ['description']);

export const physicalNetworkDeletion = rowDeletion(physicalNetwork, ['available']);
