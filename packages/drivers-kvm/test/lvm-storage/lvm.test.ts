import { describeStorage } from '@pileus/core/testing';
import { FULL } from '../../../../tools/test/slice.ts';
import { LvmBackend } from './lvm-backend.ts';

/** In a machine that is emulated all takes long: of the full run. */
if (FULL)
  describeStorage('libvirt-lvm in a machine with device-mapper', {
    features: ['contents', 'imageAttach', 'release'],
    timeouts: { callMs: 300_000, testMs: 1_800_000 },
    makeHarness: () => LvmBackend.up(),
  });
