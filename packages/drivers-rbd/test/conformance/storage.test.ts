import { describeStorage } from '@pileus/core/testing';
import { FULL, inSlice } from '../../../../tools/test/slice.ts';
import { LabPool } from '../rbd/lab-pool.ts';

describeStorage('rbd on a real Ceph cluster', {
  features: [
    'growth',
    'snapshots',
    'contents',
    'imageAttach',
    'facts',
    'fence',
    'shareable',
    'sharedFence',
    'health',
    'secret',
    'encryption',
    'keys',
    'liveKeys',
    'lockedContents',
    'release',
    'others',
  ],
  // Who lets go of a pool waits for what is deleted in it, up to half a minute.
  select: (id) => (FULL || !id.includes('releasePool')) && inSlice(8)(id),
  makeHarness: () => LabPool.up({ osds: 3 }),
});
