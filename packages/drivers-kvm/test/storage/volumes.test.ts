import { expect } from 'chai';
import { Deadline } from '../../src/deadline.ts';
import type { HostLink } from '../../src/host-links.ts';
import type { LibvirtApi } from '../../src/libvirt/index.ts';
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
