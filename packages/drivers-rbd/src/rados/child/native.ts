import koffi from 'koffi';
import { check, ERANGE, MissingFunction } from './failures.ts';
import { RADOS, RBD } from './signatures.ts';

/** A pointer, or 0. */
export type Pointer = bigint;
type Value = Pointer | number | string | boolean | Uint8Array | null;

/** librbd works on the stack of the call: koffi's own is too small for it. */
const STACK_BYTES = 1024 * 1024;
const HEAP_BYTES = 64 * 1024;
const CALLS_MAX = 1024;
koffi.config({ async_stack_size: STACK_BYTES, async_heap_size: HEAP_BYTES, max_async_calls: CALLS_MAX });

/** What calls in flight read and write, so that it stays where it is until they have answered. */
const held = new Set<readonly Value[]>();

type Later = (...values: readonly Value[]) => Promise<number>;
type Now = (...values: readonly Value[]) => number | bigint;

/** One function: `now` on this thread, for what does no I/O; `later` on a thread of its own. What lies behind a pointer in memory that is passed, its caller holds. */
export interface NativeFunction {
  readonly now: Now;
  readonly later: Later;
}

type Functions<S> = { readonly [N in keyof S]: NativeFunction };

/** Looks functions up as they are first used, so that one that this release lacks harms nobody who does not need it. */
export function library<S extends Readonly<Record<string, string>>>(file: string, signatures: S): Functions<S> {
  const handle = koffi.load(file);
  const found = new Map<string, NativeFunction>();
  const find = (name: string, signature: string): NativeFunction => {
    const known = found.get(name);
    if (known !== undefined) return known;
    const native = lookUp(handle, name, signature.replace('(', `${name}(`), file);
    const later: Later = (...values) =>
      new Promise((resolve, reject) => {
        held.add(values);
        native.async(...values, (error: Error | null, result: number | bigint | undefined) => {
          held.delete(values);
          if (error) reject(error);
          else resolve(Number(result ?? 0));
        });
      });
    const made = { now: native as unknown as Now, later };
    found.set(name, made);
    return made;
  };
  const functions = {};
  for (const [name, signature] of Object.entries(signatures)) Object.defineProperty(functions, name, { get: () => find(name, signature) });
  return functions as Functions<S>;
}

function lookUp(handle: ReturnType<typeof koffi.load>, name: string, prototype: string, file: string): ReturnType<typeof handle.func> {
  try {
    return handle.func(prototype);
  } catch {
    throw new MissingFunction(`${file} has no ${name}`);
  }
}

export const rados: Functions<typeof RADOS> = library('librados.so.2', RADOS);
export const rbd: Functions<typeof RBD> = library('librbd.so.1', RBD);

export function hasFunction(name: keyof typeof RBD): boolean {
  try {
    return rbd[name] !== undefined;
  } catch (error) {
    if (error instanceof MissingFunction) return false;
    throw error;
  }
}

/**
 * For functions that fill `count` entries of a table and answer -ERANGE, with the count that it takes, when there is no room. Answers the filled part; the
 * strings in it belong to the library until its clean-up is called.
 */
export async function filled(
  entryBytes: number,
  what: string,
  call: (table: Buffer, count: Buffer) => Promise<number>,
): Promise<{ readonly table: Buffer; readonly count: number }> {
  const cell = Buffer.alloc(8);
  for (let room = 16n; ; ) {
    const table = Buffer.alloc(Number(room) * entryBytes);
    cell.writeBigUInt64LE(room);
    const result = await call(table, cell);
    const count = cell.readBigUInt64LE();
    if (result === -ERANGE) {
      // A little more than it says: what is there may grow meanwhile.
      room = (count > room ? count : room * 2n) + 16n;
      continue;
    }
    check(result, what);
    return { table, count: Number(count) };
  }
}

export const textAt = (pointer: Pointer): string => (pointer === 0n ? '' : koffi.decode.string(pointer));

/** A copy of what is there. */
export const bytesAt = (pointer: Pointer, length: number): Buffer =>
  length === 0 ? Buffer.alloc(0) : Buffer.from(new Uint8Array(koffi.view(pointer, length)));

/** A text that begins at an offset of a structure, and ends with a zero byte. */
export function textIn(buffer: Buffer, from = 0): string {
  const end = buffer.indexOf(0, from);
  return buffer.toString('utf8', from, end < 0 ? buffer.length : end);
}

/** Texts one after the other, each ended by a zero byte. */
export const textsIn = (buffer: Buffer, length: number): readonly string[] =>
  length === 0 ? [] : buffer.toString('utf8', 0, length).replace(/\0$/, '').split('\0');

/** A `size_t` that says how much room there is, and is told how much was taken. */
export function sizeCell(size: number | bigint): Buffer {
  const cell = Buffer.alloc(8);
  cell.writeBigUInt64LE(BigInt(size));
  return cell;
}

/** A `struct timespec`. */
export const dateIn = (buffer: Buffer): Date =>
  new Date(Number(buffer.readBigInt64LE(0)) * 1_000 + Math.floor(Number(buffer.readBigInt64LE(8)) / 1e6));

export const addressOf = (buffer: Buffer): Pointer => koffi.address(buffer);

const PROGRESS = koffi.pointer(koffi.proto('int pileus_progress(uint64_t offset, uint64_t total, void *argument)'));
const EXTENT = koffi.pointer(koffi.proto('int pileus_extent(uint64_t offset, size_t length, int exists, void *argument)'));

/** For the time of `body`, a function that C can call. It runs on this thread while the thread that calls it waits. */
async function withCallback<T>(
  callback: (...values: readonly (number | bigint)[]) => number,
  type: ReturnType<typeof koffi.pointer>,
  body: (pointer: Pointer) => Promise<T>,
): Promise<T> {
  const pointer = koffi.register(callback, type);
  try {
    return await body(pointer);
  } finally {
    koffi.unregister(pointer);
  }
}

export type Progress = ((fraction: number) => void) | undefined;

/**
 * Each step told is a turn of this thread for which librbd waits, thousands in a large image: where nobody listens the form of a function is called that tells
 * nothing.
 */
export async function withProgress(
  progress: Progress,
  telling: (tell: Pointer) => Promise<number>,
  silent: () => Promise<number>,
): Promise<number> {
  return progress === undefined ? await silent() : await tellingProgress(progress, telling);
}

/** For functions that have no silent form. */
export async function tellingProgress(progress: Progress, telling: (tell: Pointer) => Promise<number>): Promise<number> {
  const tell = (offset: number | bigint = 0, total: number | bigint = 0): number => {
    if (Number(total) > 0) progress?.(Math.min(1, Number(offset) / Number(total)));
    return 0;
  };
  return await withCallback(tell, PROGRESS, telling);
}

export async function withExtents<T>(
  tell: (offset: bigint, length: bigint, exists: boolean) => void,
  body: (pointer: Pointer) => Promise<T>,
): Promise<T> {
  return await withCallback(
    (offset = 0, length = 0, exists = 0) => {
      tell(BigInt(offset), BigInt(length), exists !== 0);
      return 0;
    },
    EXTENT,
    body,
  );
}
