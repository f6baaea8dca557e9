import { type Static, Type } from 'typebox';
import { type Endpoint, isCloudError, lookUp, type Reader, type RowOf, readPermission } from '../../kernel/index.ts';
import { needContents, pool, type StoragePool, usersOf, volume } from '../storage/contract.ts';
import { canLayAside } from './aside.ts';
import type { BackupContext } from './context.ts';

type VolumeRow = RowOf<typeof volume>;

const reason = Type.Union([Type.Literal('pool'), Type.Literal('hypervisor'), Type.Literal('encrypted'), Type.Literal('shareable')], {
  description:
    'Why not: `pool`, which keeps no snapshots and has nothing laid aside in it; `hypervisor`, that of its host copies no disks in use; `encrypted`, what would be laid aside would lie in the clear; `shareable`, several machines may write to it: it is detached first.',
});

const answer = Type.Object({
  snapshots: Type.Boolean({ description: 'Whether snapshots of it can be taken.' }),
  backups: Type.Object({
    possible: Type.Boolean({ description: 'Whether it can be backed up at all: what is in it can be read.' }),
    whileOn: Type.Boolean({
      description:
        'Whether it can be backed up while a machine that has it runs or is suspended. Where not, that is refused with `in_use`: stop the machine first, or detach the volume.',
    }),
    reason: Type.Optional(reason),
  }),
});
export type WhyNotWhileOn = Static<typeof reason>;

/**
 * Why the volume cannot be read while a machine is on that has it; undefined where it can. The one place that decides it: for backups, and for who asks before. `hostId`: of the machine, or where there is none
 * of the pool; a volume that many hosts reach and none has is told by its pool alone.
 */
export async function whyNotWhileOn(
  { hosts }: Pick<BackupContext, 'hosts'>,
  row: Pick<VolumeRow, 'encrypted' | 'shareable'>,
  pool: StoragePool,
  hostId: string | undefined,
): Promise<WhyNotWhileOn | undefined> {
  if (pool.hasSnapshots) return undefined;
  if (row.shareable === true) return 'shareable';
  if (!pool.tellsWritten) return 'pool';
  if (row.encrypted === true) return 'encrypted';
  return hostId === undefined || canLayAside(await hosts.hypervisor(hostId), pool) ? undefined : 'hypervisor';
}

/** So that nobody has to find out by a refusal in the night. */
export const volumeCapabilities = (context: BackupContext): Endpoint => ({
  type: 'value',
  method: 'GET',
  path: '/volumes/{id}/capabilities',
  summary:
    'What its pool and the host of its machine can do for a volume: whether snapshots can be taken of it, and backups made of it while its machine is on.',
  permission: readPermission(volume),
  scope: 'project',
  answer,
  handle: async ({ principal, params }): Promise<Static<typeof answer>> => {
    const row = (await lookUp(context.reader, volume, params.id ?? '', principal)).row as VolumeRow;
    const opened = await context.pools.open(row.poolId);
    const possible = await isReadable(context, row);
    const why = await whyNotWhileOn(context, row, opened, await hostOf(context.reader, row));
    return {
      snapshots: opened.hasSnapshots,
      backups: { possible, whileOn: possible && why === undefined, ...(why === undefined ? {} : { reason: why }) },
    };
  },
});

async function hostOf(reader: Reader, row: VolumeRow): Promise<string | undefined> {
  const [user] = await usersOf(reader, row);
  return user?.hostId ?? (await reader.find(pool, row.poolId))?.hostId;
}

async function isReadable(context: BackupContext, row: VolumeRow): Promise<boolean> {
  try {
    await needContents(context, row, '/volumeId');
    return true;
  } catch (error) {
    if (!isCloudError(error) || error.code !== 'unsupported') throw error;
    return false;
  }
}
