import { CloudError, type KernelServices, type RowOf } from '../../kernel/index.ts';
import type { Attachment, Call } from '../../strategy/index.ts';
import type { Hosts } from '../topology/contract.ts';
import type { Pools } from './pools.ts';
import type { StoragePool } from './storage-pool.ts';
import type { volume } from './volume.ts';
import { openedKey } from './volume-key.ts';

/** What makes disks reachable for hosts. */
export interface ReachContext extends Pick<KernelServices, 'secrets'> {
  readonly hosts: Pick<Hosts, 'hypervisor' | 'endpoint'>;
  readonly pools: Pick<Pools, 'open'>;
}

type Reached = Pick<RowOf<typeof volume>, 'id' | 'name' | 'encryptionKey'>;

/** What a pool has of a volume, made reachable from a host, which is given what opens it. Repeatable. */
export async function reachVolume(ctx: ReachContext, row: Reached, poolId: string, hostId: string, call: Call): Promise<Attachment> {
  const pool = await ctx.pools.open(poolId);
  const attachment = await pool.attachVolume(row.id, await ctx.hosts.endpoint(hostId), call);
  await giveSecret(ctx, pool, hostId, attachment, call);
  await giveKey(ctx, row, hostId, attachment, call);
  return attachment;
}

/** The host is given what an attachment asks for before it meets it. The value goes from the pool to the host, and is kept nowhere between. */
export async function giveSecret(
  ctx: Pick<ReachContext, 'hosts'>,
  pool: Pick<StoragePool, 'secret'>,
  hostId: string,
  attachment: Attachment,
  call: Call,
): Promise<void> {
  const secretRef = 'secretRef' in attachment ? attachment.secretRef : undefined;
  if (secretRef === undefined) return;
  await (await ctx.hosts.hypervisor(hostId)).putSecret(secretRef, await pool.secret(secretRef, call), call);
}

/** Ciphertext is never shown as content, nor content encrypted once more. @throws CloudError conflict where pool and row do not say the same */
async function giveKey(
  ctx: Pick<ReachContext, 'hosts' | 'secrets'>,
  row: Reached,
  hostId: string,
  { encryption }: Attachment,
  call: Call,
): Promise<void> {
  const { key } = await openedKey(ctx, row.encryptionKey);
  if ((encryption === undefined) !== (key === undefined))
    throw new CloudError(
      'conflict',
      encryption === undefined
        ? `Volume ${row.name} is encrypted, and what is in its pool is not.`
        : `What is in the pool of volume ${row.name} is encrypted with a key that is not known.`,
    );
  if (encryption !== undefined && key !== undefined)
    await (await ctx.hosts.hypervisor(hostId)).putSecret(encryption.secretRef, key, call, 'luks');
}
