import type { PoolForm } from '../storage/pool.ts';
import { descend, element, render } from '../xml/element.ts';
import { parse } from '../xml/reader.ts';

/** A volume group that is there: it is never made by us, which would take its disks from whoever has them. */
export const GROUP: PoolForm = {
  xmlOf: (name, group) =>
    render(
      element(
        'pool',
        { type: 'logical' },
        element('name', {}, name),
        element('source', {}, element('name', {}, group), element('format', { type: 'lvm2' })),
        element('target', {}, element('path', {}, `/dev/${group}`)),
      ),
    ),
  placeOf: (xml) => descend(parse(xml), 'source', 'name')?.text,
  isMade: false,
  // After its own start libvirt knows a group by its folder in /dev, which is there as long as there is a volume in the group; and it stops one that it could not read.
  isWoken: true,
  refusals: [
    {
      pattern: /Storage source conflict with pool/,
      fault: 'conflict',
      told: 'Another pool of the host has this volume group: take another one.',
    },
    {
      pattern:
        /cannot find (?:logical volume group|any matching source)|Volume group "[^"]*" not found|Cannot process volume group|[Cc]hild process \(\S*(?:vgchange|vgs|lvs) /,
      fault: 'unavailable',
      told: 'The host shows no such volume group: it is not there, or its disks do not answer.',
    },
  ],
};

/** All of it has its place from the beginning: of anything else libvirt would make a snapshot. */
export function logicalVolumeXml(name: string, sizeBytes: number): string {
  const bytes = { unit: 'bytes' };
  return render(
    element(
      'volume',
      {},
      element('name', {}, name),
      element('capacity', bytes, sizeBytes),
      element('allocation', bytes, sizeBytes),
      element('target', {}, element('format', { type: 'raw' })),
    ),
  );
}
