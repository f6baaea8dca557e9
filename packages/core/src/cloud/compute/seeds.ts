import { equals, type Reader, type RowOf } from '../../kernel/index.ts';
import type { Attachment, Call } from '../../strategy/index.ts';
import { given } from '../naming.ts';
import { type Fabrics, nic, nicConfig } from '../network/contract.ts';
import { giveSecret, type ReachContext } from '../storage/contract.ts';
import { instance } from './instance.ts';
import { noCloudSeed } from './seed.ts';

type SeedContext = ReachContext & { readonly reader: Reader; readonly fabrics: Pick<Fabrics, 'haveDhcp' | 'hasDhcp'> };

/** Writes the seed of a machine into a pool: that of its root disk. It is found again by the machine's id. */
export async function writeSeed(
  ctx: SeedContext,
  row: RowOf<typeof instance>,
  hostId: string,
  nics: readonly RowOf<typeof nic>[],
  poolId: string,
  call: Call,
): Promise<Attachment> {
  const userData = row.userData === undefined ? undefined : await ctx.secrets.open(row.userData);
  const bytes = noCloudSeed({
    instanceId: row.id,
    hostname: row.hostname,
    sshKeys: row.sshKeys,
    nics: await Promise.all(nics.map(async (each) => ({ mac: each.mac, ...given({ config: await nicConfig(ctx, each) }) }))),
    ...(userData === undefined ? {} : { userData }),
  });
  const pool = await ctx.pools.open(poolId);
  const seed = await pool.putSeed(row.id, bytes, call);
  await giveSecret(ctx, pool, hostId, seed, call);
  return seed;
}

/** What storage may ask for of the seeds of machines. A service and no function that it imports: machines are made of what storage makes. */
export class Seeds {
  readonly #ctx: SeedContext;

  constructor(ctx: SeedContext) {
    this.#ctx = ctx;
  }

  /** The root disk of a machine that is on has come into another pool: its seed follows. */
  async move({ id, hostId }: { readonly id: string; readonly hostId: string }, poolId: string, call: Call): Promise<void> {
    const { reader, hosts } = this.#ctx;
    const row = await reader.get(instance, id);
    const plugged = (await reader.list(nic, equals('instanceId', id))).filter(({ state }) => state === 'attached');
    const nics = plugged.sort((a, b) => a.slot - b.slot);
    await (await hosts.hypervisor(hostId)).changeSeed(id, await writeSeed(this.#ctx, row, hostId, nics, poolId, call), call);
  }
}
