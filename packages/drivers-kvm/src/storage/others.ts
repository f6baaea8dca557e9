import { basename } from 'node:path';
import type { StorageDriver } from '@pileus/core/strategy';
import { Deadline } from '../deadline.ts';
import { except } from '../faults.ts';
import type { HostLink } from '../host-links.ts';
import type { StorageVolume } from '../libvirt/index.ts';
import { type DiskFiles, openFile, readFrom } from './contents.ts';
import { readName, volumeName } from './names.ts';
import { cannotBe, type FoundDisk, foundDisk, HEAD_BYTES_MAX, isDisk, mayBeDisk, noDisk, OTHERS_PAGE, refuseUnfit } from './others-disk.ts';
import type { DirPool } from './pool.ts';
import { IN_USE, machineWith } from './volume-in-use.ts';
import type { DirVolumes } from './volumes.ts';

/**
 * Files of a folder that have no name of ours. Libvirt renames no file, so one that is adopted keeps its name, and is never written to again: the volume is a qcow2
 * file that shows it through, as volumes of images show those, and takes it along when it is deleted. So to give one back changes nothing of it.
 */
export function othersVerbs(
  pool: DirPool,
  volumes: DirVolumes,
  link: HostLink,
  files: DiskFiles<StorageVolume>,
): NonNullable<StorageDriver['others']> {
  const find = async (name: string, deadline: Deadline): Promise<StorageVolume> => {
    if (readName(name) !== undefined || !mayBeDisk(name, 1)) throw noDisk(name);
    const known = await pool.find(name, deadline);
    // Libvirt knows what others have put there from its last look alone.
    if (known === undefined) await pool.refresh(deadline);
    const file = known ?? (await pool.find(name, deadline));
    if (file === undefined || (await pool.glance(file, deadline))?.isFile !== true) throw noDisk(name);
    return file;
  };
  const need = async (name: string, deadline: Deadline): Promise<FoundDisk & { readonly file: StorageVolume }> => {
    const file = await find(name, deadline);
    const read = (at: number, length: number) => pool.readPart(file, at, length, deadline);
    const found = await foundDisk(read, await pool.fileBytes(file, deadline));
    if (found === undefined) throw noDisk(name);
    return { ...found, file };
  };

  return {
    async list({ after = '' }, call) {
      const deadline = new Deadline(call);
      await pool.refresh(deadline);
      const all = await pool.list(deadline);
      const taken = await volumes.shown(all, 'by volumes', deadline);
      const others = all
        .filter(({ name, key }) => name > after && readName(name) === undefined && !taken.has(key))
        .sort((a, b) => (a.name < b.name ? -1 : 1));
      const page = others.slice(0, OTHERS_PAGE);
      const disks = await Promise.all(page.map((file) => shown(pool, file, deadline)));
      const last = page.at(-1)?.name;
      return { disks: disks.flat(), ...(others.length > OTHERS_PAGE && last !== undefined ? { next: last } : {}) };
    },

    async look(name, headBytes, call) {
      const deadline = new Deadline(call);
      const found = await need(name, deadline);
      if ((await volumes.shown(await pool.list(deadline), 'by volumes', deadline)).has(found.file.key)) throw noDisk(name);
      refuseUnfit(name, found);
      const disk = await openFile(files, found.file, found.format, deadline);
      const lengthBytes = Math.min(headBytes, HEAD_BYTES_MAX, found.sizeBytes);
      return { sizeBytes: found.sizeBytes, head: await readFrom(disk, 0, lengthBytes, deadline) };
    },

    async adopt(name, id, call) {
      const deadline = new Deadline(call);
      const isOurs = (await volumes.find(id, deadline)) !== undefined;
      const found = await need(name, deadline);
      refuseUnfit(name, found);
      const { file, format, sizeBytes } = found;
      const user = await machineWith(link, file, deadline);
      if (user !== undefined) throw cannotBe(name, `Machine ${user} of the host has it as a disk: detach it there first.`);
      await pool.refresh(deadline);
      const files = await pool.list(deadline);
      const twin = await twinOf(pool, file, files, deadline);
      if (twin !== undefined)
        throw cannotBe(
          name,
          `It seems to be ${twin} by another name (a link): remove one of the two. If they are two files, \`touch\` one.`,
        );
      const shower = (await volumes.shown(files, 'by any', deadline)).get(file.key);
      if (shower !== undefined && shower !== volumeName(id))
        throw cannotBe(name, `It shows through in ${shower}, which would change with it: flatten that first.`);
      await volumes.createOver({ id, sizeBytes, below: { path: file.key, format } }, deadline);
      // QEMU opens the two, and is refused what another one has open for writing.
      const open = () => volumes.settle(id, deadline);
      await except(['internalError'], open, async (error) => {
        if (!IN_USE.test(error.message)) throw error;
        if (!isOurs) await volumes.giveUp(id, deadline);
        throw cannotBe(name, 'Somebody has it open: stop what uses it first.');
      });
    },

    async giveBack(name, id, call) {
      const deadline = new Deadline(call);
      const volume = await volumes.find(id, deadline);
      const path = volume && (await pool.view(volume, deadline))?.backingPath;
      if (path !== undefined && basename(path) === name) await volumes.giveUp(id, deadline);
    },
  };
}

/** The name of another file that may be the same one, by a link: libvirt follows those, and tells no two names of one file apart. */
async function twinOf(
  pool: DirPool,
  file: StorageVolume,
  files: readonly StorageVolume[],
  deadline: Deadline,
): Promise<string | undefined> {
  const own = await pool.glance(file, deadline);
  const others = files.filter(({ key }) => key !== file.key);
  const views = await Promise.all(others.map(async (other) => ({ name: other.name, view: await pool.glance(other, deadline) })));
  return views.find(({ view }) => view?.fileBytes === own?.fileBytes && view?.changedAt === own?.changedAt)?.name;
}

/** As libvirt tells it, without a look at what is in it. */
async function shown(pool: DirPool, file: StorageVolume, deadline: Deadline) {
  const view = await pool.glance(file, deadline);
  if (view?.isFile !== true || !mayBeDisk(file.name, view.fileBytes)) return [];
  const sizeBytes = view.format === 'qcow2' ? view.capacityBytes : view.fileBytes;
  return isDisk(sizeBytes) ? [{ name: file.name, sizeBytes }] : [];
}
