/**
 * A small ISO 9660 image with Joliet names, enough for a handful of files in the root directory. Layout by ECMA-119: sectors of 2,048 bytes; 16 primary
 * descriptor, 17 Joliet descriptor, 18 terminator, then path tables, the two root directories and the files. Without time stamps: same files, same bytes.
 */
export interface IsoFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

const SECTOR = 2048;
const sectors = (bytes: number): number => Math.ceil(bytes / SECTOR);

/** What is before it is left empty. */
const HEAD_AT = 16;
const PATH_TABLES_AT = HEAD_AT + 3;
const ROOTS_AT = PATH_TABLES_AT + 4;
const FILES_AT = ROOTS_AT + 2;
/** 68 KiB: busybox looks for labels in as much at once, and passes over a shorter disk. */
const SECTORS_MIN = 34;

interface Name {
  /** As bytes of the directory record. */
  readonly bytes: Uint8Array;
}
interface Placed extends Name {
  readonly sector: number;
  readonly sizeBytes: number;
}

interface PlacedFile {
  readonly file: IsoFile;
  readonly sector: number;
}

/** @throws Error when names or their number do not fit into one sector of directory: a mistake of the caller. */
export function isoImage(label: string, files: readonly IsoFile[]): Uint8Array {
  let next = FILES_AT;
  const placed = files.map((file): PlacedFile => {
    const sector = next;
    next += Math.max(1, sectors(file.bytes.length));
    return { file, sector };
  });
  const image = new Uint8Array(Math.max(next, SECTORS_MIN) * SECTOR);
  image.set(frontOf(label, image.length / SECTOR, placed), HEAD_AT * SECTOR);
  for (const { file, sector } of placed) image.set(file.bytes, sector * SECTOR);
  return image;
}

/** Those made last. Files of the same names and sizes have the same, as the seeds of most machines do: hostnames of a few lengths. */
const fronts = new Map<string, Uint8Array>();
const FRONTS_KEPT = 16;

/** All that lies ahead of the files: descriptors, path tables and directories, which say nothing of what is in them. */
function frontOf(label: string, total: number, placed: readonly PlacedFile[]): Uint8Array {
  const key = JSON.stringify([label, total, placed.map(({ file }) => [file.name, file.bytes.length])]);
  const known = fronts.get(key);
  if (known !== undefined) return known;
  const front = new Uint8Array((FILES_AT - HEAD_AT) * SECTOR);
  const put = (sector: number, bytes: Uint8Array) => front.set(bytes, (sector - HEAD_AT) * SECTOR);
  put(HEAD_AT, makeHead(label, total));
  for (const [root, nameOf] of [
    [ROOTS_AT, (name: string, index: number) => ascii(shortName(name, index))],
    [ROOTS_AT + 1, ucs2],
  ] as const)
    put(
      root,
      directory(
        root,
        placed.map(({ file, sector }, index) => ({ bytes: nameOf(file.name, index), sector, sizeBytes: file.bytes.length })),
      ),
    );
  if (fronts.size >= FRONTS_KEPT) fronts.clear();
  fronts.set(key, front);
  return front;
}

function makeHead(label: string, total: number): Uint8Array {
  const bytes = new Uint8Array((ROOTS_AT - HEAD_AT) * SECTOR);
  const put = (sector: number, part: Uint8Array) => bytes.set(part, (sector - HEAD_AT) * SECTOR);
  put(HEAD_AT, descriptor(1, label, total, PATH_TABLES_AT, ROOTS_AT));
  put(HEAD_AT + 1, descriptor(2, label, total, PATH_TABLES_AT + 2, ROOTS_AT + 1));
  put(HEAD_AT + 2, Uint8Array.of(255, ...ascii('CD001'), 1));
  for (const [offset, root] of [
    [0, ROOTS_AT],
    [2, ROOTS_AT + 1],
  ] as const) {
    put(PATH_TABLES_AT + offset, pathTable(root, true));
    put(PATH_TABLES_AT + offset + 1, pathTable(root, false));
  }
  return bytes;
}

/** Plain ISO 9660 knows eight capital letters; readers of Joliet see the real name. */
const shortName = (name: string, index: number): string =>
  `${name
    .toUpperCase()
    .replaceAll(/[^A-Z0-9]/g, '_')
    .slice(0, 7)}${index}.;1`;

const ascii = (text: string): Uint8Array => Buffer.from(text, 'latin1');
const ucs2 = (text: string): Uint8Array => Buffer.from(text, 'utf16le').swap16();

/** Both byte orders, one after the other. */
function both32(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, value, true);
  view.setUint32(offset + 4, value, false);
}
function both16(view: DataView, offset: number, value: number): void {
  view.setUint16(offset, value, true);
  view.setUint16(offset + 2, value, false);
}

function record(entry: Placed, isDirectory: boolean): Uint8Array {
  const length = 33 + entry.bytes.length + ((33 + entry.bytes.length) % 2);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  bytes[0] = length;
  both32(view, 2, entry.sector);
  both32(view, 10, entry.sizeBytes);
  // A fixed day: the content decides what the image is.
  bytes.set([100, 1, 1, 0, 0, 0, 0], 18);
  bytes[25] = isDirectory ? 2 : 0;
  both16(view, 28, 1);
  bytes[32] = entry.bytes.length;
  bytes.set(entry.bytes, 33);
  return bytes;
}

const rootRecord = (sector: number, name: number): Uint8Array => record({ bytes: Uint8Array.of(name), sector, sizeBytes: SECTOR }, true);

function directory(sector: number, entries: readonly Placed[]): Uint8Array {
  const sorted = [...entries].sort((a, b) => Buffer.compare(a.bytes, b.bytes));
  const records = [rootRecord(sector, 0), rootRecord(sector, 1), ...sorted.map((entry) => record(entry, false))];
  const bytes = Buffer.concat(records);
  if (bytes.length > SECTOR) throw new Error('too many files for one directory sector');
  return bytes;
}

function pathTable(root: number, littleEndian: boolean): Uint8Array {
  const bytes = new Uint8Array(10);
  const view = new DataView(bytes.buffer);
  bytes[0] = 1;
  view.setUint32(2, root, littleEndian);
  view.setUint16(6, 1, littleEndian);
  return bytes;
}

function descriptor(type: 1 | 2, label: string, totalSectors: number, pathTables: number, root: number): Uint8Array {
  const bytes = Buffer.alloc(SECTOR);
  const view = new DataView(bytes.buffer, bytes.byteOffset, SECTOR);
  const [encode, space] = type === 1 ? [ascii, ' '] : [ucs2, '\0 '];
  const text = (offset: number, length: number, value: string) => {
    bytes.fill(space, offset, offset + length - (length % space.length), 'latin1');
    bytes.set(encode(value), offset);
  };
  bytes[0] = type;
  bytes.set(ascii('CD001'), 1);
  bytes[6] = 1;
  text(8, 32, '');
  text(40, 32, type === 1 ? label.toUpperCase() : label);
  both32(view, 80, totalSectors);
  // Joliet level 3: names in UCS-2.
  if (type === 2) bytes.set([0x25, 0x2f, 0x45], 88);
  both16(view, 120, 1);
  both16(view, 124, 1);
  both16(view, 128, SECTOR);
  both32(view, 132, 10);
  view.setUint32(140, pathTables, true);
  view.setUint32(148, pathTables + 1, false);
  bytes.set(rootRecord(root, 0), 156);
  for (const offset of [190, 318, 446, 574]) text(offset, 128, '');
  for (const offset of [702, 739, 776]) text(offset, 37, '');
  for (const offset of [813, 830, 847, 864]) bytes.fill('0', offset, offset + 16, 'latin1');
  bytes[881] = 1;
  return bytes;
}
