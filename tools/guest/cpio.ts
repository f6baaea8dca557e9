export type ArchiveEntry =
  | { readonly kind: 'dir'; readonly path: string }
  | { readonly kind: 'file'; readonly path: string; readonly content: Uint8Array; readonly executable: boolean }
  | { readonly kind: 'link'; readonly path: string; readonly target: string };

const DIR_MODE = 0o040755;
const LINK_MODE = 0o120777;
const FILE_MODE = 0o100644;
const EXECUTABLE_MODE = 0o100755;

/** Packs entries as a cpio archive of the "newc" form, which the kernel unpacks as its first root. Parents come before children. */
export function packCpio(entries: readonly ArchiveEntry[]): Buffer {
  const parts: Buffer[] = [];
  for (const [index, entry] of entries.entries()) parts.push(...packEntry(index + 1, entry.path, modeOf(entry), contentOf(entry)));
  parts.push(...packEntry(0, 'TRAILER!!!', 0, Buffer.alloc(0)));
  return Buffer.concat(parts);
}

function packEntry(inode: number, path: string, mode: number, content: Uint8Array): Buffer[] {
  const name = Buffer.from(`${path}\0`);
  // Owner root, one link, time 0: the same input always packs to the same bytes.
  const fields = [inode, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length, 0];
  const header = Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`);
  return [header, name, padding(header.length + name.length), Buffer.from(content), padding(content.length)];
}

function padding(length: number): Buffer {
  return Buffer.alloc((4 - (length % 4)) % 4);
}

function modeOf(entry: ArchiveEntry): number {
  if (entry.kind === 'dir') return DIR_MODE;
  if (entry.kind === 'link') return LINK_MODE;
  return entry.executable ? EXECUTABLE_MODE : FILE_MODE;
}

function contentOf(entry: ArchiveEntry): Uint8Array {
  if (entry.kind === 'dir') return Buffer.alloc(0);
  return entry.kind === 'link' ? Buffer.from(entry.target) : entry.content;
}
