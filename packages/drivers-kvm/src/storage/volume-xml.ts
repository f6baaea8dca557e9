import type { DiskFormat } from '@pileus/core/strategy';
import { encryptionElement } from '../secrets.ts';
import { child, descend, element, render, sizeInBytes } from '../xml/element.ts';
import { parse } from '../xml/reader.ts';

/** A pool that is a folder of the host. */
export function poolXml(name: string, path: string): string {
  return render(element('pool', { type: 'dir' }, element('name', {}, name), element('target', {}, element('path', {}, path))));
}

export function poolPath(xml: string): string | undefined {
  return descend(parse(xml), 'target', 'path')?.text;
}

export interface Backing {
  readonly path: string;
  readonly format: DiskFormat;
}

/** A volume that takes room only as it is written; with `backing` it shows that file's content until then. */
export function volumeXml(request: {
  readonly name: string;
  readonly sizeBytes: number;
  readonly format: DiskFormat;
  readonly backing?: Backing;
  /** Of one whose content is encrypted: what libvirt knows its key by. */
  readonly secretRef?: string;
}): string {
  const { name, sizeBytes, format, backing, secretRef } = request;
  return render(
    element(
      'volume',
      {},
      element('name', {}, name),
      element('capacity', { unit: 'bytes' }, sizeBytes),
      element('allocation', { unit: 'bytes' }, 0),
      element(
        'target',
        {},
        element('format', { type: format }),
        // Of itself libvirt makes version 2, whose header has no room for marks.
        format === 'qcow2' ? element('compat', {}, '1.1') : undefined,
        secretRef === undefined ? undefined : encryptionElement(secretRef),
      ),
      backing && element('backingStore', {}, element('path', {}, backing.path), element('format', { type: backing.format })),
    ),
  );
}

export interface VolumeView {
  readonly capacityBytes: number;
  readonly path: string;
  /** True for a qcow2 file that shows no size of its own: its header is not written yet, or the file is by chance as long as its disk is large. */
  readonly unfinished: boolean;
  /** The file whose content shows through, if there is one. */
  readonly backingPath: string | undefined;
  readonly isEncrypted: boolean;
  /** And not a folder. */
  readonly isFile: boolean;
  /** What libvirt takes it for, by what is in it: `raw`, `qcow2` and many more. */
  readonly format: string | undefined;
  readonly fileBytes: number;
  /** When what is in it, and what is known of it, was changed last, to the nanosecond: of a link, those of what it leads to. */
  readonly changedAt: string;
}

export function viewVolume(xml: string): VolumeView {
  const root = parse(xml);
  const capacityBytes = sizeInBytes(child(root, 'capacity'));
  const fileBytes = sizeInBytes(child(root, 'physical'));
  const sizeless = capacityBytes === 0 || capacityBytes === fileBytes;
  const format = descend(root, 'target', 'format')?.attributes.type;
  return {
    capacityBytes,
    unfinished: sizeless && format === 'qcow2',
    path: descend(root, 'target', 'path')?.text ?? '',
    backingPath: descend(root, 'backingStore', 'path')?.text,
    isEncrypted: descend(root, 'target', 'encryption') !== undefined,
    isFile: root.attributes.type === 'file',
    format,
    fileBytes,
    changedAt: ['mtime', 'ctime'].map((each) => descend(root, 'target', 'timestamps', each)?.text ?? '').join(' '),
  };
}
