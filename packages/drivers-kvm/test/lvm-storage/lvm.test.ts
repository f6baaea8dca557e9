import { describeStorage } from '@pileus/core/testing';
import { FULL } from '../../../../tools/test/slice.ts';
import { LvmBackend } from './lvm-backend.ts';
import { San } from './san.ts';

/** In a machine that is emulated all takes long: of the full run. */
const DISKS = [
  { on: 'in a machine with device-mapper', makeHarness: () => LvmBackend.up() },
  {
    on: 'on a LUN of iSCSI with two portals',
    makeHarness: () => LvmBackend.up({ prepare: async (machine) => (await San.up(machine)).device }),
  },
];

if (FULL)
  for (const { on, makeHarness } of DISKS)
    describeStorage(`libvirt-lvm ${on}`, {
      features: ['contents', 'imageAttach', 'release'],
      timeouts: { callMs: 300_000, testMs: 1_800_000 },
      makeHarness,
    });
