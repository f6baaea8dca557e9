/** The kind of qcow2 that is written here: version 3, clusters of 64 KiB, nothing packed, nothing below. */
export const CLUSTER_BYTES = 65_536;
const CLUSTER_BITS = 16;
const ENTRIES_PER_TABLE = CLUSTER_BYTES / 8;
const COUNTS_PER_BLOCK = CLUSTER_BYTES / 2;
const HEADER_BYTES = 104;
/** Of a table or cluster that nothing else refers to. */
const OWN = 1n << 63n;
/** Read at once. */
const RUN_CLUSTERS = 64;

/** Which clusters of a disk have data. */
export class ClusterMap {
  readonly sizeBytes: number;
  readonly #bits: Uint8Array;

  constructor(sizeBytes: number) {
    this.sizeBytes = sizeBytes;
    this.#bits = new Uint8Array(Math.ceil(sizeBytes / CLUSTER_BYTES / 8));
  }

  mark(offsetBytes: number, lengthBytes: number): void {
    const end = Math.ceil(Math.min(this.sizeBytes, offsetBytes + lengthBytes) / CLUSTER_BYTES);
    for (let index = Math.floor(offsetBytes / CLUSTER_BYTES); index < end; index += 1)
      this.#bits[index >> 3] = this.#byte(index) | (1 << (index & 7));
  }

  has(index: number): boolean {
    return (this.#byte(index) & (1 << (index & 7))) !== 0;
  }

  get length(): number {
    return Math.ceil(this.sizeBytes / CLUSTER_BYTES);
  }

  #byte(index: number): number {
    return this.#bits[index >> 3] ?? 0;
  }
}

/** What is where in the file, in clusters: header, counts, tables, and then the data, each in one piece. */
interface Layout {
  readonly countTable: number;
  readonly countBlocks: number;
  readonly firstTable: number;
  readonly tables: number;
  readonly total: number;
}

function layOut(map: ClusterMap): Layout {
  const tableCount = Math.ceil(map.length / ENTRIES_PER_TABLE);
  const firstTable = Math.ceil((tableCount * 8) / CLUSTER_BYTES);
  let [tables, data] = [0, 0];
  for (let table = 0; table < tableCount; table += 1) {
    const used = usedIn(map, table);
    data += used;
    if (used > 0) tables += 1;
  }
  const body = 1 + firstTable + tables + data;
  // The counts count themselves.
  let [countBlocks, countTable] = [1, 1];
  while (countBlocks * COUNTS_PER_BLOCK < body + countBlocks + countTable) {
    countBlocks += 1;
    countTable = Math.ceil((countBlocks * 8) / CLUSTER_BYTES);
  }
  return { countTable, countBlocks, firstTable, tables, total: body + countBlocks + countTable };
}

function usedIn(map: ClusterMap, table: number): number {
  let used = 0;
  for (let at = table * ENTRIES_PER_TABLE; at < Math.min(map.length, (table + 1) * ENTRIES_PER_TABLE); at += 1) if (map.has(at)) used += 1;
  return used;
}

/** A qcow2 file of a disk from its beginning to its end; only clusters with data are in it. `read` is asked in ascending order, within the disk. */
export async function* qcow2Stream(
  map: ClusterMap,
  read: (offsetBytes: number, lengthBytes: number) => Promise<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const layout = layOut(map);
  yield header(map, layout);
  yield tableOf(layout.countTable, layout.countBlocks, (at) => BigInt((1 + layout.countTable + at) * CLUSTER_BYTES));
  for (let block = 0; block < layout.countBlocks; block += 1) yield counts(layout.total - block * COUNTS_PER_BLOCK);
  yield* tables(map, layout);
  for (let at = 0; at < map.length; ) {
    let end = at;
    while (end < map.length && end - at < RUN_CLUSTERS && map.has(end)) end += 1;
    if (end > at) yield await clusters(map, at, end, read);
    at = Math.max(end, at + 1);
  }
}

async function clusters(map: ClusterMap, from: number, to: number, read: Parameters<typeof qcow2Stream>[1]): Promise<Uint8Array> {
  const offsetBytes = from * CLUSTER_BYTES;
  const bytes = await read(offsetBytes, Math.min(to * CLUSTER_BYTES, map.sizeBytes) - offsetBytes);
  if (bytes.length % CLUSTER_BYTES === 0) return bytes;
  const padded = Buffer.alloc((to - from) * CLUSTER_BYTES);
  padded.set(bytes);
  return padded;
}

function header(map: ClusterMap, { countTable, countBlocks }: Layout): Uint8Array {
  const bytes = Buffer.alloc(CLUSTER_BYTES);
  bytes.write('QFI\xfb', 'latin1');
  bytes.writeUInt32BE(3, 4);
  bytes.writeUInt32BE(CLUSTER_BITS, 20);
  bytes.writeBigUInt64BE(BigInt(map.sizeBytes), 24);
  bytes.writeUInt32BE(Math.ceil(map.length / ENTRIES_PER_TABLE), 36);
  bytes.writeBigUInt64BE(BigInt((1 + countTable + countBlocks) * CLUSTER_BYTES), 40);
  bytes.writeBigUInt64BE(BigInt(CLUSTER_BYTES), 48);
  bytes.writeUInt32BE(countTable, 56);
  // Counts of 16 bits.
  bytes.writeUInt32BE(4, 96);
  bytes.writeUInt32BE(HEADER_BYTES, 100);
  return bytes;
}

function tableOf(lengthClusters: number, entries: number, entry: (at: number) => bigint): Uint8Array {
  const bytes = Buffer.alloc(lengthClusters * CLUSTER_BYTES);
  for (let at = 0; at < entries; at += 1) bytes.writeBigUInt64BE(entry(at), at * 8);
  return bytes;
}

/** Everything in the file is referred to once. */
function counts(used: number): Uint8Array {
  const bytes = Buffer.alloc(CLUSTER_BYTES);
  for (let at = 0; at < Math.min(used, COUNTS_PER_BLOCK); at += 1) bytes.writeUInt16BE(1, at * 2);
  return bytes;
}

function* tables(
  map: ClusterMap,
  { countTable, countBlocks, firstTable, tables: tableCount }: Layout,
): Generator<Uint8Array, void, undefined> {
  const entries = Math.ceil(map.length / ENTRIES_PER_TABLE);
  let nextTable = 1 + countTable + countBlocks + firstTable;
  let nextCluster = nextTable + tableCount;
  yield tableOf(firstTable, entries, (table) => {
    if (usedIn(map, table) === 0) return 0n;
    nextTable += 1;
    return BigInt((nextTable - 1) * CLUSTER_BYTES) | OWN;
  });
  for (let table = 0; table < entries; table += 1) {
    if (usedIn(map, table) === 0) continue;
    yield tableOf(1, ENTRIES_PER_TABLE, (at) => {
      if (!map.has(table * ENTRIES_PER_TABLE + at)) return 0n;
      nextCluster += 1;
      return BigInt((nextCluster - 1) * CLUSTER_BYTES) | OWN;
    });
  }
}
