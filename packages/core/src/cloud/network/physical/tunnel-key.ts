import { CloudError, type Environment, equals, type Reader, type RowOf } from '../../../kernel/index.ts';
import { network } from '../network.ts';
import { invalid } from '../refusal.ts';
import { type physicalNetwork, TUNNEL_KEY_MAX } from './physical-network.ts';

type PhysicalRow = RowOf<typeof physicalNetwork>;

/** Of a range that is almost empty the first try is free; of a full one all have to be known. */
const TRIES = 8;

/** The one asked for, or one that is free. That it is nobody else's in the whole cloud is decided by the unique key of the row. */
export async function chooseTunnelKey(
  reader: Reader,
  physical: PhysicalRow,
  { asked, random }: { readonly asked: number | undefined; readonly random: Environment['random'] },
): Promise<number> {
  const { firstTunnelKey: first = 1, lastTunnelKey: last = TUNNEL_KEY_MAX } = physical;
  const isTaken = async (key: number) => (await reader.list(network, equals('tunnelKey', key), { limit: 1 })).length > 0;
  if (asked !== undefined) {
    if (asked < first || asked > last) throw invalid('/tunnelKey', `Physical network ${physical.name} has the keys ${first} to ${last}.`);
    if (!(await isTaken(asked))) return asked;
    throw new CloudError('name_taken', `Key ${asked} is taken.`, {
      pointer: '/tunnelKey',
      params: { field: 'tunnelKey', kind: network.name },
    });
  }
  // Not the first that is free: a key that was given back may still be on a host that was out of reach.
  for (let tries = 0; tries < TRIES; tries += 1) {
    const key = first + Math.floor(random.next() * (last - first + 1));
    if (!(await isTaken(key))) return key;
  }
  const taken = new Set((await reader.list(network)).map(({ tunnelKey }) => tunnelKey));
  for (let key = first; key <= last; key += 1) if (!taken.has(key)) return key;
  throw new CloudError('no_capacity', `Physical network ${physical.name} has no free key.`, {
    pointer: '/physicalNetworkId',
    params: { reasons: [`has the keys ${first} to ${last}`] },
  });
}
