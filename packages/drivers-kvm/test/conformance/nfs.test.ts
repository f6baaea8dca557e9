import { describeStorage } from '@pileus/core/testing';
import { inSlice } from '../../../../tools/test/slice.ts';
import { NfsBackend } from '../nfs-storage/nfs-backend.ts';

describeStorage('nfs on a real NFS server', {
  features: ['growth', 'contents', 'imageAttach', 'shareable', 'others', 'marks'],
  select: inSlice(8),
  makeHarness: () => NfsBackend.up(),
});
