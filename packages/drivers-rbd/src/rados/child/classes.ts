import { check } from './failures.ts';
import { type Pointer, rados } from './native.ts';
import type { MapAt } from './omap.ts';
import type { Session } from './session.ts';

/** A method of the class `rbd`, by which clients of all releases change what librbd keeps of images. */
export interface ClassCall {
  readonly method: string;
  readonly input: Buffer;
}

/** One call of the cluster that changes an object, all of it or nothing: what `fill` asks for. Answers what the cluster did. */
export async function operate(io: Pointer, object: string, fill: (operation: Pointer) => void): Promise<number> {
  const operation = BigInt(rados.rados_create_write_op.now());
  try {
    fill(operation);
    return await rados.rados_write_op_operate.later(operation, io, object, null, 0);
  } finally {
    rados.rados_release_write_op.now(operation);
  }
}

export function exec(operation: Pointer, { method, input }: ClassCall): void {
  rados.rados_write_op_exec.now(operation, 'rbd', method, input, input.length, null);
}

/** All of them or none, in one call of the cluster. Of what was removed meanwhile nothing is made anew, unless it `mayBeNew`. */
export async function changeObject(
  session: Session,
  { mayBeNew = false, ...at }: MapAt & { readonly mayBeNew?: boolean },
  calls: readonly ClassCall[],
): Promise<void> {
  await session.within(at, async (io) => {
    const result = await operate(io, at.object, (operation) => {
      if (!mayBeNew) rados.rados_write_op_assert_exists.now(operation);
      for (const call of calls) exec(operation, call);
    });
    check(result, `${at.object} of ${at.pool}`);
  });
}

/** Removes an object that has these bytes at its beginning; another is left alone. Answers whether it was that. */
export async function removeIf(session: Session, at: MapAt, bytes: Buffer): Promise<boolean> {
  return await session.within(at, async (io) => {
    const result = await operate(io, at.object, (operation) => {
      rados.rados_write_op_cmpext.now(operation, bytes, bytes.length, 0, null);
      rados.rados_write_op_remove.now(operation);
    });
    if (result <= -DIFFERS) return false;
    check(result, `${at.object} of ${at.pool}`);
    return true;
  });
}

/** From here on an error is the place of the first byte that differs. */
const DIFFERS = 4_095;

/** As Ceph writes what it sends. */
export const encoded = {
  u8: (value: number): Buffer => Buffer.of(value),
  u32(value: number): Buffer {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    return bytes;
  },
  u64(value: bigint): Buffer {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(value);
    return bytes;
  },
  text(value: string): Buffer {
    const bytes = Buffer.from(value);
    return Buffer.concat([encoded.u32(bytes.length), bytes]);
  },
  /** Seconds and nanoseconds. */
  time: (ms: number): Buffer => Buffer.concat([encoded.u32(Math.floor(ms / 1_000)), encoded.u32(Math.floor(ms % 1_000) * 1_000_000)]),
};
