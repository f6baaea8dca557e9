import type { Content, DiskFormat, StorageDriver, StoredObject } from '@pileus/core/strategy';
import { Deadline } from '../deadline.ts';
import { DriverError } from '../driver-error.ts';
import type { StorageVolume } from '../libvirt/index.ts';
import { imageMarkName, imageName, readName } from './names.ts';
import type { DirPool } from './pool.ts';
import type { Backing } from './volume-xml.ts';

const FORMATS: readonly DiskFormat[] = ['qcow2', 'raw'];

export interface CachedImage extends Backing {
  readonly virtualSizeBytes: number;
  /** Length of the content. */
  readonly sizeBytes: number;
}

/** An image that is here whole: its mark, whose size is the size of the disk in the image, and its content. */
export async function findImage(pool: DirPool, id: string, deadline: Deadline): Promise<CachedImage | undefined> {
  const [mark, ...contents] = await Promise.all([
    pool.find(imageMarkName(id), deadline),
    ...FORMATS.map(async (format) => ({ format, volume: await pool.find(imageName(id, format), deadline) })),
  ]);
  const content = contents.find((each) => each.volume !== undefined);
  if (mark === undefined || content?.volume === undefined) return undefined;
  const [marked, sizeBytes] = await Promise.all([pool.view(mark, deadline), pool.fileBytes(content.volume, deadline)]);
  return marked && { path: content.volume.key, format: content.format, virtualSizeBytes: marked.capacityBytes, sizeBytes };
}

export async function inspectImage(pool: DirPool, id: string, deadline: Deadline): Promise<StoredObject | undefined> {
  const image = await findImage(pool, id, deadline);
  return image && { kind: 'image', id, sizeBytes: image.sizeBytes };
}

export function imageVerbs(pool: DirPool): StorageDriver['images'] {
  return {
    async put(request, call) {
      const deadline = new Deadline(call);
      const { id, format, virtualSizeBytes, content } = request;
      if ((await findImage(pool, id, deadline)) !== undefined) return call.onProgress?.(1);
      // A mark without content is one that arrived late. With it, what we write now would show before it is whole.
      const name = imageName(id, format);
      if ((await pool.find(name, deadline)) === undefined) await pool.delete(imageMarkName(id), deadline);
      await upload(pool, { name, content, onProgress: call.onProgress }, deadline);
      await pool.create({ name: imageMarkName(id), sizeBytes: virtualSizeBytes, format: 'raw' }, deadline);
    },

    async delete(id, call) {
      const deadline = new Deadline(call);
      const paths = await contentPaths(pool, id, deadline);
      const dependent = await findDependent(pool, paths, deadline);
      if (dependent !== undefined) throw new DriverError('conflict', `image ${id} shows through in ${dependent}`);
      // The mark first: the image is either whole or not there.
      await pool.delete(imageMarkName(id), deadline);
      for (const format of FORMATS) await pool.delete(imageName(id, format), deadline);
    },

    async attach(id, call) {
      const image = await findImage(pool, id, new Deadline(call));
      if (image === undefined) throw new DriverError('not_found', `the pool has no image ${id}`);
      return { type: 'file', path: image.path, format: image.format };
    },
  };
}

interface Upload {
  readonly name: string;
  readonly content: Content;
  readonly onProgress?: ((fraction: number) => void) | undefined;
}

/** Fills a volume whose file is as long as the content. What an earlier attempt left there is written over. */
export async function upload(pool: DirPool, request: Upload, deadline: Deadline): Promise<StorageVolume> {
  const { name, content, onProgress } = request;
  const { sizeBytes } = content;
  await pool.create({ name, sizeBytes, format: 'raw' }, deadline);
  const volume = await pool.find(name, deadline);
  if (volume === undefined) throw new DriverError('conflict', `${name} was deleted while it was to be written`);
  if ((await pool.fileBytes(volume, deadline)) !== sizeBytes) throw new DriverError('conflict', `${name} is there with another size`);
  const progress = (bytes: number) => onProgress?.(Math.min(1, bytes / sizeBytes));
  const bytes = await pool.write(volume, { source: () => content.open(), lengthBytes: sizeBytes, onProgress: progress }, deadline);
  if (bytes !== sizeBytes) throw new DriverError('invalid', `${name}: the content has ${bytes} bytes, not the ${sizeBytes} announced`);
  return volume;
}

async function contentPaths(pool: DirPool, id: string, deadline: Deadline): Promise<ReadonlySet<string>> {
  const found = await Promise.all(FORMATS.map((format) => pool.find(imageName(id, format), deadline)));
  return new Set(found.flatMap((volume) => (volume === undefined ? [] : [volume.key])));
}

/** The name of a volume that shows one of these files. */
async function findDependent(pool: DirPool, paths: ReadonlySet<string>, deadline: Deadline): Promise<string | undefined> {
  if (paths.size === 0) return undefined;
  const volumes = (await pool.list(deadline)).filter((volume) => readName(volume.name)?.kind === 'volume');
  const views = await Promise.all(volumes.map(async (volume) => ({ volume, view: await pool.view(volume, deadline) })));
  return views.find(({ view }) => view?.backingPath !== undefined && paths.has(view.backingPath))?.volume.name;
}
