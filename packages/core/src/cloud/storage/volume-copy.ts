import type { KernelServices } from '../../kernel/index.ts';
import type { Call, Extent } from '../../strategy/index.ts';
import { given } from '../naming.ts';
import { patiently } from '../patient-call.ts';
import type { ContentAt, StoragePool } from './storage-pool.ts';

/** Read and written at once. */
const PIECE_BYTES = 4 * 2 ** 20;
/** Pieces on their way at once: all that is in memory. */
const LANES = 4;

const ZEROES = Buffer.alloc(PIECE_BYTES);
const isZero = (bytes: Uint8Array): boolean => ZEROES.subarray(0, bytes.length).equals(bytes);

interface Piece {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

type Source = Pick<StoragePool, 'eachChange' | 'readContent'>;

interface CopyRequest {
  readonly from: Source;
  readonly of: ContentAt;
  readonly to: Pick<StoragePool, 'writeVolume' | 'needsZeroes'>;
  /** Reads as zeroes, but for what an earlier try of the same copy has written. Its key is that of what is read. */
  readonly volumeId: string;
  readonly sizeBytes: number;
}

/** Copies what a content has, from pool to pool. What reads as zeroes is neither sent nor kept, unless it would not read so there. Answers the bytes written. */
export async function copyContent(
  context: Pick<KernelServices, 'environment'>,
  { from, of, to, volumeId, sizeBytes }: CopyRequest,
  call: Call,
): Promise<number> {
  let writtenBytes = 0;
  const into = { volumeId, ...given({ key: of.key }) };
  const isWhole = to.needsZeroes(into);
  await eachPiece(context, { pool: from, of, sizeBytes, isWhole }, call, async ({ offsetBytes }, bytes) => {
    if (!isWhole && isZero(bytes)) return;
    await patiently(context, call, (c) => to.writeVolume(into, offsetBytes, bytes, c));
    writtenBytes += bytes.length;
  });
  return writtenBytes;
}

/** Whether two contents differ anywhere. */
export async function contentsDiffer(
  context: Pick<KernelServices, 'environment'>,
  { from, of, to, volumeId, sizeBytes }: CopyRequest & { readonly to: Source },
  call: Call,
): Promise<boolean> {
  let isOther = false;
  const there = { volumeId, ...given({ key: of.key }) };
  const compare = (one: Source, its: ContentAt, other: Source, others: ContentAt, within: Call) =>
    eachPiece(context, { pool: one, of: its, sizeBytes }, within, async ({ offsetBytes, lengthBytes }, bytes) => {
      const beside = await patiently(context, call, (c) => other.readContent(others, offsetBytes, lengthBytes, c));
      isOther ||= !Buffer.from(bytes).equals(beside);
    });
  await compare(from, of, to, there, call);
  // What the first does not tell of, the other may have.
  const { requestId, signal, timeoutMs } = call;
  if (!isOther) await compare(to, there, from, of, { requestId, signal, timeoutMs });
  return isOther;
}

interface ReadRequest {
  readonly pool: Source;
  readonly of: ContentAt;
  readonly sizeBytes: number;
  /** What has none is read, too. */
  readonly isWhole?: boolean;
}

/** Reads what has data, a few pieces at once. Ends with the first failure, when the others have ended, too. */
function eachPiece(
  context: Pick<KernelServices, 'environment'>,
  { pool, of, sizeBytes, isWhole = false }: ReadRequest,
  call: Call,
  take: (piece: Piece, bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  return pool.eachChange(of, undefined, call, async (found, { signal }) => {
    const pieces = piecesOf(isWhole ? allOf(sizeBytes) : found, sizeBytes);
    let hasFailed = false;
    let furthestBytes = 0;
    const lane = async (): Promise<void> => {
      for (let next = await pieces.next(); next.done !== true && !hasFailed; next = await pieces.next()) {
        signal.throwIfAborted();
        const { offsetBytes, lengthBytes } = next.value;
        const bytes = await patiently(context, { ...call, signal }, (c) => pool.readContent(of, offsetBytes, lengthBytes, c));
        await take(next.value, bytes);
        furthestBytes = Math.max(furthestBytes, offsetBytes + lengthBytes);
        call.onProgress?.(furthestBytes / sizeBytes);
      }
    };
    const lanes = await Promise.allSettled(
      Array.from({ length: LANES }, () =>
        lane().catch((error: unknown) => {
          hasFailed = true;
          throw error;
        }),
      ),
    );
    await pieces.return();
    for (const each of lanes) if (each.status === 'rejected') throw each.reason;
  });
}

async function* allOf(lengthBytes: number): AsyncGenerator<Extent, void, undefined> {
  yield { offsetBytes: 0, lengthBytes, hasData: true };
}

/** Extents with data, joined and cut so that each piece lies within one stretch of `PIECE_BYTES`. */
async function* piecesOf(found: AsyncIterable<Extent>, sizeBytes: number): AsyncGenerator<Piece, void, undefined> {
  let ready: { offsetBytes: number; endBytes: number } | undefined;
  for await (const { offsetBytes, lengthBytes, hasData } of found) {
    if (!hasData) continue;
    // One in a pool that rounds up has more.
    const endBytes = Math.min(sizeBytes, offsetBytes + lengthBytes);
    for (let at = offsetBytes; at < endBytes; ) {
      const upTo = Math.min(endBytes, (Math.floor(at / PIECE_BYTES) + 1) * PIECE_BYTES);
      if (ready !== undefined && Math.floor(ready.offsetBytes / PIECE_BYTES) === Math.floor(at / PIECE_BYTES)) ready.endBytes = upTo;
      else {
        if (ready !== undefined) yield pieceOf(ready);
        ready = { offsetBytes: at, endBytes: upTo };
      }
      at = upTo;
    }
  }
  if (ready !== undefined) yield pieceOf(ready);
}

const pieceOf = ({ offsetBytes, endBytes }: { readonly offsetBytes: number; readonly endBytes: number }): Piece => ({
  offsetBytes,
  lengthBytes: endBytes - offsetBytes,
});
