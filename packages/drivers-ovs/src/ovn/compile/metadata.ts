import type { NetworkSpec } from '@pileus/core/strategy';
import { familyOf } from '../address.ts';

/** The metadata service, as guests ask for it. */
export const METADATA_ADDRESS = '169.254.169.254';
/** The same in IPv6: of the link, so that no route has to lead there. */
export const METADATA_ADDRESS_6 = 'fe80::a9fe:a9fe';

/** Of a guest's routes: who names it himself has a service of his own there. */
export const METADATA_ROUTE = `${METADATA_ADDRESS}/32`;

/**
 * Where hosts answer on the link of a network without a VPC. There is metadata alone, at the address that guests ask at, so that nothing of the subnet, which may
 * be somebody else's wire, is taken for it.
 */
export function metadataOnLink({ mode, subnets }: NetworkSpec): readonly string[] {
  if (mode === 'routed') return [];
  const families = new Set(subnets.map(({ gateway }) => familyOf(gateway)));
  const isElsewhere = subnets.some(({ hostRoutes = [] }) => hostRoutes.some(({ destination }) => destination === METADATA_ROUTE));
  return [...(families.has(4) && !isElsewhere ? [METADATA_ADDRESS] : []), ...(families.has(6) ? [METADATA_ADDRESS_6] : [])];
}
