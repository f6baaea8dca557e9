import { readdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describeStorage } from '@pileus/core/testing';
import { QemuClient } from '../../../../tools/system/qemu-client.ts';
import { FULL, inSlice } from '../../../../tools/test/slice.ts';
import { kvm } from '../../src/index.ts';
import { LabBackend, required } from './lab-host.ts';

/** Who makes, opens or changes headers derives keys a dozen times. What is in them a guest shows with each commit, in encryption.test.ts. */
const SLOW = /keys\.|encryption\.contents|encrypted (one|pieces|content|contents)\b/;

describeStorage('libvirt-dir on a real libvirtd', {
  features: [
    'growth',
    'contents',
    'imageAttach',
    'encryption',
    'keys',
    'lockedContents',
    'release',
    'shareable',
    'others',
    'marks',
    'written',
  ],
  select: (id) => (FULL || !SLOW.test(id)) && inSlice(6)(id),
  // LUKS derives keys slowly, on a busy machine for half a minute.
  timeouts: { callMs: 120_000, testMs: 900_000 },
  makeHarness: async () => {
    const backend = await LabBackend.up();
    const factory = required(kvm().strategies.storage);
    const path = join(backend.lab.sharedDir, 'pool');
    return Object.assign(backend, {
      // As hypervisors open them: past the locks of files what is shareable, which alone is raw.
      client: async (volumeId: string) => {
        const name = (await readdir(path)).find((each) => each.startsWith(`volume-${volumeId}.`)) ?? '';
        const locking = name.endsWith('.raw') ? 'off' : 'on';
        return await QemuClient.run(
          '--image-opts',
          `driver=raw,file.driver=file,file.locking=${locking},file.filename=${join(path, name)}`,
        );
      },
      open: async () =>
        factory.open({
          poolId: '01900000-0000-7000-8000-00000000900a',
          scope: 'host',
          host: backend.host,
          settings: { path },
        }),
      plant: async (name: string, sizeBytes: number) => {
        await writeFile(join(path, name), '');
        await truncate(join(path, name), sizeBytes);
      },
    });
  },
});
