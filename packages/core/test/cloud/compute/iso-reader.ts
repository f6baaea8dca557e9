/** A reader of ISO 9660 of its own, written from ECMA-119 and the Joliet supplement alone: what `isoImage` writes is checked against it. */
const SECTOR = 2048;

export interface IsoVolume {
  readonly label: string;
  readonly sectors: number;
  readonly files: Readonly<Record<string, Buffer>>;
}

/** The volume as a reader of Joliet sees it, or with `primary` one that knows only the plain names. */
export function readIso(image: Uint8Array, names: 'joliet' | 'primary'): IsoVolume {
  const bytes = Buffer.from(image);
  for (let sector = 16; ; sector += 1) {
    const at = bytes.subarray(sector * SECTOR, (sector + 1) * SECTOR);
    if (at.toString('latin1', 1, 6) !== 'CD001') throw new Error(`sector ${sector} is no descriptor`);
    if (at[0] === 255) throw new Error(`no ${names} descriptor`);
    if (at[0] === (names === 'joliet' ? 2 : 1)) return volumeOf(bytes, at, names);
  }
}

function both(bytes: Buffer, offset: number): number {
  const value = bytes.readUInt32LE(offset);
  if (bytes.readUInt32BE(offset + 4) !== value) throw new Error(`the two byte orders at ${offset} differ`);
  return value;
}

function volumeOf(bytes: Buffer, descriptor: Buffer, names: 'joliet' | 'primary'): IsoVolume {
  const text = (part: Buffer) => (names === 'joliet' ? Buffer.from(part).swap16().toString('utf16le') : part.toString('latin1'));
  if (names === 'joliet' && descriptor.toString('latin1', 88, 91) !== '%/E') throw new Error('no Joliet escape');
  const root = descriptor.subarray(156, 190);
  const directory = bytes.subarray(both(root, 2) * SECTOR, both(root, 2) * SECTOR + both(root, 10));
  const files: Record<string, Buffer> = {};
  for (let at = 0; (directory[at] ?? 0) > 0; at += directory[at] ?? 0) {
    const record = directory.subarray(at, at + (directory[at] ?? 0));
    if (((record[25] ?? 0) & 2) !== 0) continue;
    const from = both(record, 2) * SECTOR;
    files[text(record.subarray(33, 33 + (record[32] ?? 0)))] = bytes.subarray(from, from + both(record, 10));
  }
  return { label: text(descriptor.subarray(40, 72)).trimEnd(), sectors: both(descriptor, 80), files };
}
