import { join } from 'node:path';
import { describeStorage } from '@pileus/core/testing';
import { inSlice } from '../../../../tools/test/slice.ts';
import { kvm } from '../../src/index.ts';
import { LabBackend, required } from './lab-host.ts';

describeStorage('libvirt-dir on a real libvirtd', {
  features: [],
  select: inSlice(4),
  makeHarness: async () => {
    const backend = await LabBackend.up();
    const factory = required(kvm().strategies.storage);
    return Object.assign(backend, {
      open: async () =>
        factory.open({
          poolId: '01900000-0000-7000-8000-00000000900a',
          scope: 'host',
          host: backend.host,
          settings: { path: join(backend.lab.sharedDir, 'pool') },
        }),
    });
  },
});
