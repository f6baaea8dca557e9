import { expect } from 'chai';
import { Deadline } from '../../src/deadline.ts';
import { classify } from '../../src/faults.ts';
import type { HostLink } from '../../src/host-links.ts';
import { ErrorCode, type LibvirtApi, LibvirtError } from '../../src/libvirt/index.ts';
import { DirPool } from '../../src/storage/pool.ts';
import { DirVolumes } from '../../src/storage/volumes.ts';

describe('the key of a volume that a pool works on', () => {
  it('is with its host for as long as that takes, also where it fails', async () => {
    const known = new Set<string>();
    const api: Pick<LibvirtApi, 'secretDefineXml' | 'secretSetValue' | 'secretUndefine'> = {
      secretDefineXml: async () => ({ uuid: '', usageType: 1, usageId: '' }),
      async secretSetValue({ secret }) {
        known.add(secret.uuid);
      },
      async secretUndefine({ secret }) {
        known.delete(secret.uuid);
      },
    };
    const link = { host: { api }, local: true, close: async () => {} } as unknown as HostLink;
    const volumes = new DirVolumes(new DirPool(link, 'pool', '/pool'), link, '/pool');
    const deadline = new Deadline({ requestId: 'test', signal: new AbortController().signal, timeoutMs: 5_000 });
    const seen: number[] = [];
    const work = async () => {
      seen.push(known.size);
    };
    await volumes.knowing('id', 'key', deadline, work);
    const failure = new Error('no room');
    const failed = volumes.knowing('id', 'key', deadline, async () => {
      await work();
      throw failure;
    });
    expect(await failed.catch((error: unknown) => error)).to.equal(failure);
    expect([seen, known.size]).to.deep.equal([[1, 1], 0]);
  });
});

describe('a volume that a call is making whose answer was lost', () => {
  const MIB = 2 ** 20;
  const NOT_SAID = { dom: undefined, str1: undefined, str2: undefined, str3: undefined, int1: 0, int2: 0, net: undefined };
  const deadline = () => new Deadline({ requestId: 'test', signal: new AbortController().signal, timeoutMs: 60_000 });
  /** What libvirt shows of it from the beginning, and what it answers who reads it. */
  const volumesWith = (readPart: () => Promise<Buffer>) => {
    const pool: Pick<DirPool, 'find' | 'view' | 'readPart'> = {
      find: async () => ({ pool: 'pool', name: 'volume-id.qcow2', key: '/pool/volume-id.qcow2' }),
      view: async () => ({ capacityBytes: MIB, allocationBytes: 0, format: 'qcow2', isEncrypted: true }) as never,
      readPart,
    };
    return new DirVolumes(pool as DirPool, {} as HostLink, '/pool');
  };
  const create = (volumes: DirVolumes) => volumes.create({ id: 'id', sizeBytes: MIB }, true, deadline());

  it('is not made before it can be read', async () => {
    const seen: string[] = [];
    const made = Promise.withResolvers<Buffer>();
    const asked = Promise.withResolvers<void>();
    const creating = create(
      volumesWith(() => {
        asked.resolve();
        return made.promise;
      }),
    ).then(() => seen.push('created'));
    await Promise.race([asked.promise, creating]);
    seen.push('made');
    made.resolve(Buffer.alloc(1));
    await creating;
    expect(seen).to.deep.equal(['made', 'created']);
  });

  it('is to be asked for again where it does not come to that', async () => {
    const gone = new LibvirtError('storageVolDownload', {
      ...NOT_SAID,
      code: ErrorCode.noStorageVolume,
      domain: 18,
      level: 2,
      message: 'gone',
    });
    const failed = create(volumesWith(() => Promise.reject(gone)));
    expect(await failed.then(() => 'made', classify)).to.equal('unavailable');
  });
});
