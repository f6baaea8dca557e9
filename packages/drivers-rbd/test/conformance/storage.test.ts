import { describeStorage } from '@pileus/core/testing';
import { inSlice } from '../../../../tools/test/slice.ts';
import { LabPool } from '../rbd/lab-pool.ts';

describeStorage('rbd on a real Ceph cluster', {
  features: ['snapshots', 'contents', 'imageAttach', 'facts', 'fence', 'health', 'secret', 'encryption', 'keys', 'lockedContents'],
  select: inSlice(8),
  makeHarness: () => LabPool.up({ osds: 3 }),
});
