import { CloudError, type Id, type Reader, type RowOf, type Statement } from '../../../kernel/index.ts';
import { given } from '../../naming.ts';
import type { CloudServices } from '../../services.ts';
import type { Asked } from '../addresses.ts';
import type { network } from '../network.ts';
import { invalid } from '../refusal.ts';
import type { subnet } from '../subnet.ts';
import { externalSubnet, type Family, firstOf } from './external.ts';
import type { natGateway } from './nat-gateway.ts';
import { reserve } from './reservation.ts';

type GatewayRow = RowOf<typeof natGateway>;

/** Where a gateway is, or is to be, on its external network. */
export interface AskedSides {
  readonly subnetId?: string;
  readonly address?: string;
  readonly ipv6SubnetId?: string;
  readonly ipv6Address?: string;
}

const FAMILIES: readonly Family[] = [4, 6];
/** What the fields of a family are called. */
const FIELDS = {
  4: { subnetId: 'subnetId', address: 'address' },
  6: { subnetId: 'ipv6SubnetId', address: 'ipv6Address' },
} as const;

/** What is to be had in one family: a subnet, and an address there. */
interface Side {
  readonly family: Family;
  readonly subnet: RowOf<typeof subnet>;
  readonly asked: Asked | undefined;
}

const isAsked = (input: AskedSides, family: Family): boolean =>
  input[FIELDS[family].subnetId] !== undefined || input[FIELDS[family].address] !== undefined;

/**
 * Of a new gateway: both families, as far as the external network has them.
 * @throws CloudError not_found, invalid_input
 */
export async function newSides(reader: Reader, external: RowOf<typeof network>, input: AskedSides): Promise<readonly Side[]> {
  const wanted: Family[] = [];
  for (const family of FAMILIES) if (isAsked(input, family) || (await firstOf(reader, external, family)) !== undefined) wanted.push(family);
  if (wanted.length === 0) throw invalid('/externalNetworkId', `Network ${external.name} has no subnet.`);
  return Promise.all(wanted.map((family) => sideOf(reader, external, input, family)));
}

/**
 * Of a gateway that is there: what it is to have beside what it has.
 * @throws CloudError not_found, invalid_input, conflict where it has another already
 */
export async function furtherSides(
  reader: Reader,
  row: GatewayRow,
  external: RowOf<typeof network>,
  input: AskedSides,
): Promise<readonly Side[]> {
  const wanted = FAMILIES.filter((family) => isAsked(input, family) && !isSo(row, input, family));
  for (const family of wanted) {
    const there = row[FIELDS[family].address];
    const field = input[FIELDS[family].address] === undefined ? FIELDS[family].subnetId : FIELDS[family].address;
    if (there !== undefined)
      throw new CloudError('conflict', `NAT gateway ${row.name} has the address ${there} already, and keeps it.`, {
        pointer: `/${field}`,
        params: { address: there },
      });
  }
  return Promise.all(wanted.map((family) => sideOf(reader, external, input, family)));
}

const isSo = (row: GatewayRow, input: AskedSides, family: Family): boolean =>
  Object.values(FIELDS[family]).every((field) => input[field] === undefined || input[field] === row[field]);

async function sideOf(reader: Reader, external: RowOf<typeof network>, input: AskedSides, family: Family): Promise<Side> {
  const fields = FIELDS[family];
  const { [fields.subnetId]: subnetId, [fields.address]: address } = input;
  return {
    family,
    subnet: await externalSubnet(reader, external, { family, ...given({ subnetId, address }), fields }),
    asked: address === undefined ? undefined : { address, pointer: `/${fields.address}` },
  };
}

/** Addresses that are kept for a gateway: fields of its row, what keeps them, and the ids of that. */
export interface KeptSides {
  readonly fields: Partial<Pick<GatewayRow, 'subnetId' | 'address' | 'ipv6SubnetId' | 'ipv6Address'>>;
  readonly statements: readonly Statement[];
  readonly reservedIds: readonly string[];
}

export async function keepSides(
  services: CloudServices,
  sides: readonly Side[],
  { projectId, natGatewayId }: { readonly projectId: Id<'project'>; readonly natGatewayId: Id<'natGateway'> },
  mint: (kind: 'reservedAddress') => Id<'reservedAddress'>,
): Promise<KeptSides> {
  let kept: KeptSides = { fields: {}, statements: [], reservedIds: [] };
  for (const { family, subnet: of, asked } of sides) {
    const made = await reserve(services, of, { id: mint('reservedAddress'), projectId, natGatewayId }, { asked, rests: true });
    kept = {
      fields: { ...kept.fields, [FIELDS[family].subnetId]: of.id, [FIELDS[family].address]: made.address },
      statements: [...kept.statements, ...made.statements],
      reservedIds: [...kept.reservedIds, made.id],
    };
  }
  return kept;
}
