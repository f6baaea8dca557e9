import { addressOf, library } from '../../packages/drivers-rbd/src/rados/child/native.ts';
import { Session } from '../../packages/drivers-rbd/src/rados/child/session.ts';
import { monHost } from '../../packages/drivers-rbd/src/rados/monitors.ts';
import type { CephCluster } from '../../tools/system/ceph-cluster.ts';

const rados = library('librados.so.2', {
  rados_create_write_op: 'void *(void)',
  rados_release_write_op: 'void (void *)',
  rados_write_op_omap_set: 'void (void *, void *, void *, void *, size_t)',
  rados_write_op_operate: 'int (void *, void *, const char *, void *, int)',
});

const BATCH = 5_000;

/** Names of images that are not there, in a pool's directory: what a listing reads, without the days that it takes to make so many images. */
export async function writeNames(ceph: CephCluster, pool: string, count: number): Promise<void> {
  const session = await Session.connect({
    type: 'connect',
    monitors: monHost(ceph.monitors),
    user: ceph.admin.name,
    key: ceph.admin.key,
    timeoutMs: 30_000,
  });
  await session.within({ pool, namespace: '' }, async (io) => {
    for (let first = 0; first < count; first += BATCH) {
      const ids = Array.from({ length: Math.min(BATCH, count - first) }, (_, index) => String(first + index).padStart(12, '0'));
      const keys = pointersTo(ids.map((id) => Buffer.from(`name_volume-${id}\0`)));
      const values = pointersTo(ids.map((id) => Buffer.concat([Buffer.from([id.length, 0, 0, 0]), Buffer.from(id)])));
      const operation = BigInt(rados.rados_create_write_op.now());
      rados.rados_write_op_omap_set.now(operation, keys.pointers, values.pointers, values.lengths, ids.length);
      const result = await rados.rados_write_op_operate.later(operation, io, 'rbd_directory', null, 0);
      rados.rados_release_write_op.now(operation);
      if (result < 0 || keys.bytes.length === 0) throw new Error(`names of images cannot be written: ${result}`);
    }
  });
  await session.disconnect();
}

/** A table of pointers into `bytes`, which must be held as long as the table is used. */
function pointersTo(parts: readonly Buffer[]): { readonly bytes: Buffer; readonly pointers: Buffer; readonly lengths: Buffer } {
  const bytes = Buffer.concat(parts);
  const [pointers, lengths] = [Buffer.alloc(parts.length * 8), Buffer.alloc(parts.length * 8)];
  let at = addressOf(bytes);
  for (const [index, { length }] of parts.entries()) {
    pointers.writeBigUInt64LE(at, index * 8);
    lengths.writeBigUInt64LE(BigInt(length), index * 8);
    at += BigInt(length);
  }
  return { bytes, pointers, lengths };
}
