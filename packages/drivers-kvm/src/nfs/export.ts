import { type FileAttributes, type NfsTime, readAttributes, skipWeakCacheData, writeSettable } from './attributes.ts';
import { NfsError, NfsProtocolError, NfsRefusedError, NfsUnansweredError } from './errors.ts';
import { type CallOptions, type Credential, type Procedure, RpcConnection } from './rpc.ts';
import type { XdrReader, XdrWriter } from './xdr.ts';

/** What the server knows a file or folder by. */
export type Handle = Uint8Array;

export interface DirectoryEntry {
  readonly name: string;
  /** Absent where the server did not look. */
  readonly handle: Handle | undefined;
  readonly attributes: FileAttributes | undefined;
}

export interface Space {
  readonly totalBytes: bigint;
  /** To whom we are. */
  readonly freeBytes: bigint;
}

/** Of bytes that were taken and may not be on the disk yet: another one at `commit` says that the server began anew in between, and has lost them. */
export type WriteVerifier = string;

export interface ExportPlace {
  /** Name or address. */
  readonly server: string;
  /** Absolute, on the server. */
  readonly path: string;
  readonly credential: Credential;
}

const PORTMAP_PORT = 111;
const TCP = 6;
const nfs = (name: string, number: number): Procedure => ({ name, program: 100_003, version: 3, number });
const GETPORT: Procedure = { name: 'getport', program: 100_000, version: 2, number: 3 };
const MNT: Procedure = { name: 'mount', program: 100_005, version: 3, number: 1 };
const [GETATTR, SETATTR, LOOKUP, ACCESS] = [nfs('getattr', 1), nfs('setattr', 2), nfs('lookup', 3), nfs('access', 4)];
const [READ, WRITE, CREATE, MKDIR] = [nfs('read', 6), nfs('write', 7), nfs('create', 8), nfs('mkdir', 9)];
const [REMOVE, RENAME, LINK, READDIRPLUS] = [nfs('remove', 12), nfs('rename', 14), nfs('link', 15), nfs('readdirplus', 17)];
const [FSSTAT, FSINFO, COMMIT] = [nfs('fsstat', 18), nfs('fsinfo', 19), nfs('commit', 21)];

/** Read, look up, change, extend and delete. */
const ALL_ACCESS = 0x1f;
/** Read, change and extend: a file is deleted from its folder. */
const FILE_ACCESS = 0x0d;
const MOUNT_TIMEOUT_MS = 20_000;
/** At once, whatever the server would take. */
const PIECE_BYTES_MAX = 2 ** 20;
const DIRECTORY_BYTES = 65_536;
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;
/** The server fetches it from slow storage, say, and wants to be asked again. */
const LATER_MS = 500;

/** How an export is mounted. */
interface MountBounds {
  readonly portmapPort: number;
  /** Ends a mount that is under way. */
  readonly signal: () => AbortSignal;
}

interface Mounted {
  readonly connection: RpcConnection;
  readonly root: Handle;
  readonly pieceBytes: number;
}

/** A folder that a server exports by NFS version 3 over TCP, without the kernel of this machine: nothing here can hang beyond the time that a call is given. */
export class NfsExport {
  readonly place: ExportPlace;
  readonly #mountsBy: MountBounds;
  #mounting: Promise<Mounted> | undefined;
  #closed = false;

  /** Makes no call yet. */
  constructor(place: ExportPlace, mountsBy: Partial<MountBounds> = {}) {
    this.place = place;
    this.#mountsBy = { portmapPort: PORTMAP_PORT, signal: () => AbortSignal.timeout(MOUNT_TIMEOUT_MS), ...mountsBy };
  }

  async root(options: CallOptions): Promise<Handle> {
    return (await this.#mounted(options)).root;
  }

  /** Undefined when the server says that there is none. */
  async lookup(folder: Handle, name: string, options: CallOptions): Promise<Handle | undefined> {
    const write = (w: XdrWriter) => place(w, folder, name);
    try {
      return (await this.#call(LOOKUP, write, options)).bytes();
    } catch (error) {
      if (error instanceof NfsError && error.status === 'noent') return undefined;
      throw error;
    }
  }

  async attributes(file: Handle, options: CallOptions): Promise<FileAttributes> {
    return readAttributes(await this.#call(GETATTR, (w) => w.bytes(file), options));
  }

  /** Whether we may do all there is to do in the folder. */
  mayChange(folder: Handle, options: CallOptions): Promise<boolean> {
    return this.#may(ALL_ACCESS, folder, options);
  }

  /** Whether we may read the file and write to it. */
  mayWrite(file: Handle, options: CallOptions): Promise<boolean> {
    return this.#may(FILE_ACCESS, file, options);
  }

  async #may(wanted: number, handle: Handle, options: CallOptions): Promise<boolean> {
    const answer = await this.#call(
      ACCESS,
      (w) => {
        w.bytes(handle);
        w.uint(wanted);
      },
      options,
    );
    answer.optional(() => readAttributes(answer));
    return answer.uint() === wanted;
  }

  /** `notSync` when the file changed after `unchangedSince`: what arrives late does nothing then. */
  async resize(file: Handle, sizeBytes: number, unchangedSince: NfsTime, options: CallOptions): Promise<void> {
    const write = (w: XdrWriter) => {
      w.bytes(file);
      writeSettable(w, { sizeBytes });
      w.uint(1, unchangedSince.seconds, unchangedSince.nanoseconds);
    };
    await this.#call(SETATTR, write, options);
  }

  /** At most `pieceBytes`; fewer at the end of the file, and wherever the server likes. */
  async read(file: Handle, offsetBytes: number, lengthBytes: number, options: CallOptions): Promise<Buffer> {
    const { pieceBytes } = await this.#mounted(options);
    const write = (w: XdrWriter) => {
      w.bytes(file);
      w.u64(offsetBytes);
      w.uint(Math.min(lengthBytes, pieceBytes));
    };
    const answer = await this.#call(READ, write, options);
    answer.optional(() => readAttributes(answer));
    // How many they are is in front of the bytes, too; and whether they are the last ones.
    answer.fixed(8);
    return answer.bytes();
  }

  /** How much one call to `write` may have. */
  async pieceBytes(options: CallOptions): Promise<number> {
    return (await this.#mounted(options)).pieceBytes;
  }

  /** At most `pieceBytes`. They are with the server, and after `commit` on its disk. */
  async write(file: Handle, offsetBytes: number, bytes: Uint8Array, options: CallOptions): Promise<WriteVerifier> {
    const write = (w: XdrWriter) => {
      w.bytes(file);
      w.u64(offsetBytes);
      w.uint(bytes.length, 0);
      w.bytes(bytes);
    };
    const answer = await this.#call(WRITE, write, options);
    skipWeakCacheData(answer);
    const count = answer.uint();
    if (count !== bytes.length) throw new NfsProtocolError(`of ${bytes.length} bytes the server took ${count}`);
    answer.uint();
    return answer.fixed(8).toString('hex');
  }

  async commit(file: Handle, options: CallOptions): Promise<WriteVerifier> {
    const write = (w: XdrWriter) => {
      w.bytes(file);
      w.u64(0);
      w.uint(0);
    };
    const answer = await this.#call(COMMIT, write, options);
    skipWeakCacheData(answer);
    return answer.fixed(8).toString('hex');
  }

  /** An empty file under a name that is free; `exist` else. */
  create(folder: Handle, name: string, options: CallOptions): Promise<Handle> {
    const write = (w: XdrWriter) => {
      place(w, folder, name);
      w.uint(1);
      writeSettable(w, { mode: FILE_MODE });
    };
    return this.#made(CREATE, folder, name, write, options);
  }

  makeFolder(folder: Handle, name: string, options: CallOptions): Promise<Handle> {
    const write = (w: XdrWriter) => {
      place(w, folder, name);
      writeSettable(w, { mode: FOLDER_MODE });
    };
    return this.#made(MKDIR, folder, name, write, options);
  }

  /** `noent` when there is none. */
  async remove(folder: Handle, name: string, options: CallOptions): Promise<void> {
    await this.#call(REMOVE, (w) => place(w, folder, name), options);
  }

  /** Replaces what has that name. */
  async rename(folder: Handle, name: string, toFolder: Handle, toName: string, options: CallOptions): Promise<void> {
    const write = (w: XdrWriter) => {
      place(w, folder, name);
      place(w, toFolder, toName);
    };
    await this.#call(RENAME, write, options);
  }

  /** A further name of a file; `exist` when it is taken. */
  async link(file: Handle, folder: Handle, name: string, options: CallOptions): Promise<void> {
    const write = (w: XdrWriter) => {
      w.bytes(file);
      place(w, folder, name);
    };
    await this.#call(LINK, write, options);
  }

  async *list(folder: Handle, options: () => CallOptions): AsyncGenerator<DirectoryEntry> {
    let cookie = 0n;
    let verifier: Buffer = Buffer.alloc(8);
    for (let isEnd = false; !isEnd; ) {
      const write = (w: XdrWriter) => {
        w.bytes(folder);
        w.u64(cookie);
        w.fixed(verifier);
        w.uint(DIRECTORY_BYTES / 8, DIRECTORY_BYTES);
      };
      const r = await this.#call(READDIRPLUS, write, options());
      r.optional(() => readAttributes(r));
      verifier = r.fixed(8);
      const entries: DirectoryEntry[] = [];
      while (r.bool()) {
        r.big();
        const name = r.string();
        cookie = r.big();
        const attributes = r.optional(() => readAttributes(r));
        const handle = r.optional(() => r.bytes());
        if (name !== '.' && name !== '..') entries.push({ name, handle, attributes });
      }
      isEnd = r.bool();
      yield* entries;
    }
  }

  async space(options: CallOptions): Promise<Space> {
    const root = await this.root(options);
    const r = await this.#call(FSSTAT, (w) => w.bytes(root), options);
    r.optional(() => readAttributes(r));
    const totalBytes = r.big();
    // Free, but perhaps not for us.
    r.big();
    return { totalBytes, freeBytes: r.big() };
  }

  close(): void {
    this.#closed = true;
    void this.#mounting?.then(
      ({ connection }) => connection.close(),
      () => {},
    );
  }

  async #made(procedure: Procedure, folder: Handle, name: string, write: (w: XdrWriter) => void, options: CallOptions): Promise<Handle> {
    const answer = await this.#call(procedure, write, options);
    const handle = answer.optional(() => answer.bytes());
    // Servers need not tell.
    return (
      handle ?? (await this.lookup(folder, name, options)) ?? Promise.reject(new NfsProtocolError(`${name} was made and is not there`))
    );
  }

  /** What the answer has after "ok". */
  async #call(procedure: Procedure, write: (w: XdrWriter) => void, options: CallOptions): Promise<XdrReader> {
    const endsAtMs = performance.now() + options.timeoutMs;
    for (;;) {
      const left = { ...options, timeoutMs: Math.max(1, endsAtMs - performance.now()) };
      const mounted = await this.#mounted(left);
      const { connection } = mounted;
      const answer = await connection.call(procedure, write, left);
      const status = answer.uint();
      if (status === 0) return answer;
      const error = new NfsError(procedure.name, status);
      if (error.status === 'stale') await this.#forgetIfStale(mounted, left);
      if (error.status !== 'jukebox' || endsAtMs - performance.now() < LATER_MS) throw error;
      await new Promise((resolve) => setTimeout(resolve, LATER_MS));
    }
  }

  /** What was exported is gone, or was replaced: the next call mounts what is there now. A single file may have gone, too, which changes nothing. */
  async #forgetIfStale({ connection, root }: Mounted, options: CallOptions): Promise<void> {
    const status = (await connection.call(GETATTR, (w) => w.bytes(root), options)).uint();
    if (status === 0 || !connection.isOpen) return;
    this.#mounting = undefined;
    connection.close();
  }

  async #mounted(options: CallOptions): Promise<Mounted> {
    for (;;) {
      if (this.#closed) throw new NfsUnansweredError(`${this.place.server}:${this.place.path} was closed`, 'not_sent');
      this.#mounting ??= this.#mount();
      const mounting = this.#mounting;
      try {
        const mounted = await unlessOver(mounting, options);
        if (mounted.connection.isOpen) return mounted;
      } catch (error) {
        if (this.#mounting === mounting && !(error instanceof WaitOver)) this.#mounting = undefined;
        throw error instanceof WaitOver ? new NfsUnansweredError(`${this.place.server} does not answer`, 'not_sent', error) : error;
      }
      if (this.#mounting === mounting) this.#mounting = undefined;
    }
  }

  /** Shared by all calls that wait for it, so with a time of its own. Whatever goes wrong in it, nothing was asked of the pool yet. */
  async #mount(): Promise<Mounted> {
    const { server, path, credential } = this.place;
    const { portmapPort, signal } = this.#mountsBy;
    const options: CallOptions = { signal: signal(), timeoutMs: MOUNT_TIMEOUT_MS };
    const asked = async (port: number, procedure: Procedure, write: (w: XdrWriter) => void): Promise<XdrReader> => {
      const connection = await RpcConnection.connect(server, port, credential, options);
      try {
        return await connection.call(procedure, write, options);
      } finally {
        connection.close();
      }
    };
    const portOf = async ({ program, version }: Procedure): Promise<number> => {
      const port = (await asked(portmapPort, GETPORT, (w) => w.uint(program, version, TCP, 0))).uint();
      if (port === 0) throw new NfsRefusedError(`${server} offers no NFS of version 3 over TCP`);
      return port;
    };
    try {
      const [mountPort, port] = await Promise.all([portOf(MNT), portOf(READ)]);
      const answer = await asked(mountPort, MNT, (w) => w.string(path));
      const status = answer.uint();
      if (status !== 0) throw new NfsRefusedError(`${server} lets us mount no ${path}: ${new NfsError('mount', status).message}`);
      const root = Uint8Array.from(answer.bytes());
      const connection = await RpcConnection.connect(server, port, credential, options);
      try {
        const info = await connection.call(FSINFO, (w) => w.bytes(root), options);
        return { connection, root, pieceBytes: pieceOf(info) };
      } catch (error) {
        connection.close();
        throw error;
      }
    } catch (error) {
      if (error instanceof NfsUnansweredError) throw new NfsUnansweredError(`${server} does not answer`, 'not_sent', { cause: error });
      throw error;
    }
  }
}

/** The largest piece that can be read and written at once. */
function pieceOf(info: XdrReader): number {
  const status = info.uint();
  if (status !== 0) throw new NfsError('fsinfo', status);
  info.optional(() => readAttributes(info));
  const readBytesMax = info.uint();
  info.fixed(8);
  return Math.min(readBytesMax, info.uint(), PIECE_BYTES_MAX);
}

function place(w: XdrWriter, folder: Handle, name: string): void {
  w.bytes(folder);
  w.string(name);
}

class WaitOver extends Error {}

/** @throws WaitOver when the bounds are over first */
function unlessOver<T>(work: Promise<T>, { signal, timeoutMs }: CallOptions): Promise<T> {
  return new Promise((resolve, reject) => {
    const over = () => reject(new WaitOver('the time is over', { cause: signal.reason }));
    const timer = setTimeout(over, timeoutMs);
    signal.addEventListener('abort', over);
    if (signal.aborted) over();
    work.then(resolve, reject).finally(() => {
      clearTimeout(timer);
      signal.removeEventListener('abort', over);
    });
  });
}
