import { type FileHandle, rename, rm } from 'node:fs/promises';
import type { CallOptions, NewImageOptions } from './calls.ts';
import type { RadosCluster } from './cluster.ts';
import { RadosError } from './errors.ts';
import type { Credentials } from './messages.ts';
import type { RbdPool } from './pool.ts';
import { CONF_PATH, openConf, openHidden, PASSPHRASE_PATH, runTool, ToolError } from './tool.ts';

export type FileFormat = 'raw' | 'qcow2';

export interface LocalFile {
  readonly path: string;
  readonly format: FileFormat;
}

const QEMU_IMG = 'qemu-img';
const TIMEOUT_MS = 3_600_000;
const CLEAN_UP_MS = 60_000;
/** At a time, in qemu-img. */
const REQUESTS = 16;
/** A client that was killed is shut out for as long as something that it sent could still arrive. */
const SHUT_OUT_MS = 300_000;

/** Whole files into images and back, by `qemu-img` in a process of its own. What ends early, by an error, a deadline or a signal, leaves nothing behind. */
export class RbdBulk {
  readonly #credentials: Credentials;
  readonly #cluster: RadosCluster;

  constructor(credentials: Credentials, cluster: RadosCluster) {
    this.#credentials = credentials;
    this.#cluster = cluster;
  }

  /** Makes an image of the file's virtual size. `EEXIST` when the name is taken. A file that refers to other files is refused. */
  async importFile(
    pool: RbdPool,
    name: string,
    file: LocalFile,
    { timeoutMs = TIMEOUT_MS, ...options }: CallOptions & NewImageOptions = {},
  ): Promise<void> {
    const { features, order, dataPool, signal, onProgress } = options;
    const call = { timeoutMs, signal };
    const sizeBytes = await virtualSize(file, call);
    const how = { ...(features && { features }), ...(order && { order }), ...(dataPool && { dataPool }) };
    await pool.create(name, { sizeBytes, ...how }, call);
    try {
      const source = optionsOf({ driver: file.format, 'file.driver': 'file', 'file.filename': file.path });
      // The image is new: what is zero in the file need not be written.
      const words = [
        '-n',
        '--target-is-zero',
        '-W',
        '-m',
        String(REQUESTS),
        '--image-opts',
        source,
        '--target-image-opts',
        this.#imageOf(pool, name),
      ];
      await this.#convert(words, { ...call, onProgress });
    } catch (error) {
      await this.#removePart(pool, { name, dataPool }, error);
      throw error;
    }
  }

  /** Of the image, or of a snapshot of it. The file appears when it is whole, over one that is there. */
  async exportFile(
    pool: RbdPool,
    source: { readonly image: string; readonly snapshot?: string },
    file: LocalFile,
    { timeoutMs = TIMEOUT_MS, signal, onProgress }: CallOptions = {},
  ): Promise<void> {
    const part = `${file.path}.part`;
    try {
      const words = [
        '-O',
        file.format,
        '-W',
        '-m',
        String(REQUESTS),
        '--image-opts',
        this.#imageOf(pool, source.image, source.snapshot),
        part,
      ];
      await this.#convert(words, { timeoutMs, signal, onProgress });
      await rename(part, file.path);
    } finally {
      await rm(part, { force: true });
    }
  }

  /**
   * The content of an image, or of a snapshot of it, into another that has a LUKS header, encrypted by its key: all of it, since what is not written would not read
   * as zeroes. Cut short it leaves the target half filled, and nobody who writes to it.
   */
  async encryptInto(
    pool: RbdPool,
    source: { readonly image: string; readonly snapshot?: string },
    target: { readonly image: string; readonly passphrase: string },
    { timeoutMs = TIMEOUT_MS, signal, onProgress }: CallOptions = {},
  ): Promise<void> {
    await using passphrase = await openHidden(target.passphrase);
    const words = [
      '-n',
      '-W',
      '-m',
      String(REQUESTS),
      '--object',
      optionsOf({ 'secret,id': 'passphrase', format: 'raw', file: PASSPHRASE_PATH }),
      '--image-opts',
      this.#imageOf(pool, source.image, source.snapshot),
      '--target-image-opts',
      `driver=luks,key-secret=passphrase,${this.#imageOf(pool, target.image, undefined, 'file.')}`,
    ];
    try {
      await this.#convert(words, { timeoutMs, signal, onProgress, passphrase });
    } catch (error) {
      await this.#shutOut(pool, { name: target.image, dataPool: undefined });
      throw error;
    }
  }

  async #convert(words: readonly string[], { timeoutMs, signal, onProgress, passphrase }: ConvertOptions): Promise<void> {
    const { monitors } = await this.#cluster.info({ timeoutMs, signal });
    await using conf = await openConf({ ...this.#credentials, monitors });
    let told = 0;
    const onOutput = (text: string): void => {
      const share = Number(/\((\d+\.\d+)\/100%\)[^(]*$/.exec(text)?.[1] ?? 0) / 100;
      if (share > told) onProgress?.(share);
      told = Math.max(told, share);
    };
    await runTool(QEMU_IMG, ['convert', '-p', ...words], { timeoutMs, signal, conf, ...(passphrase && { passphrase }), onOutput });
  }

  #imageOf({ name: pool, namespace }: RbdPool, image: string, snapshot?: string, prefix = ''): string {
    const options = {
      driver: 'rbd',
      pool,
      ...(namespace && { namespace }),
      image,
      ...(snapshot && { snapshot }),
      user: this.#credentials.user,
      conf: CONF_PATH,
    };
    return optionsOf(Object.fromEntries(Object.entries(options).map(([name, value]) => [`${prefix}${name}`, value])));
  }

  /** The process that was killed may still have writes on their way, and counts as one that has the image open: it is shut out first. */
  async #removePart(pool: RbdPool, part: Part, because: unknown): Promise<void> {
    try {
      await this.#shutOut(pool, part);
      await pool.remove(part.name, { timeoutMs: CLEAN_UP_MS });
    } catch (error) {
      if (error instanceof RadosError && error.code === 'ENOENT') return;
      throw new AggregateError([because, error], `${pool.name}: ${part.name} was not filled, and could not be removed`);
    }
  }

  async #shutOut(pool: RbdPool, { name, dataPool }: Part): Promise<void> {
    const call = { timeoutMs: CLEAN_UP_MS };
    const { addresses: own } = await this.#cluster.info(call);
    for (const { address } of await pool.image(name).watchers(call))
      if (!own.includes(address)) await this.#cluster.blocklist.add(address, SHUT_OUT_MS, call);
    await pool.settle(call);
    if (dataPool !== undefined) await this.#cluster.pool(dataPool).settle(call);
  }
}

type ConvertOptions = CallOptions & { readonly timeoutMs: number; readonly passphrase?: FileHandle };

interface Part {
  readonly name: string;
  readonly dataPool: string | undefined;
}

/** `a=1,b=2`, as QEMU takes it: a comma in a value is doubled. */
const optionsOf = (options: Readonly<Record<string, string>>): string =>
  Object.entries(options)
    .map(([name, value]) => `${name}=${value.replaceAll(',', ',,')}`)
    .join(',');

async function virtualSize({ path, format }: LocalFile, options: CallOptions & { readonly timeoutMs: number }): Promise<number> {
  const source = optionsOf({ driver: format, 'file.driver': 'file', 'file.filename': path });
  const info = JSON.parse(await runTool(QEMU_IMG, ['info', '--output=json', '--image-opts', source], options)) as {
    readonly 'virtual-size': number;
    readonly 'backing-filename'?: string;
    readonly 'format-specific'?: { readonly data?: { readonly 'data-file'?: string } };
  };
  // Else whoever made the file could have us read any other.
  if (info['backing-filename'] !== undefined || info['format-specific']?.data?.['data-file'] !== undefined)
    throw new ToolError(QEMU_IMG, `${path} refers to other files`);
  return info['virtual-size'];
}
