import type { Reader, RowOf } from '../../kernel/index.ts';
import type { DiskLimits } from '../../strategy/index.ts';
import { pool } from './pool.ts';
import { type ClassRow, limitsInForce, storageClass } from './storage-class.ts';
import type { volume } from './volume.ts';

/** What limits volumes now, their classes included. Each pool and class is read once, so it is for one look or one step. */
export class ClassLimits {
  readonly #reader: Reader;
  readonly #classes = new Map<string, Promise<ClassRow | undefined>>();

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async of(row: Pick<RowOf<typeof volume>, 'limits' | 'sizeBytes' | 'poolId'>): Promise<DiskLimits | undefined> {
    const { poolId } = row;
    let found = this.#classes.get(poolId);
    if (found === undefined) {
      found = this.#classOf(poolId);
      this.#classes.set(poolId, found);
    }
    return limitsInForce(await found, row);
  }

  async #classOf(poolId: string): Promise<ClassRow | undefined> {
    const { classId } = (await this.#reader.find(pool, poolId)) ?? {};
    const row = classId === undefined ? undefined : await this.#reader.find(storageClass, classId);
    return row?.deletedAt === undefined ? row : undefined;
  }
}
