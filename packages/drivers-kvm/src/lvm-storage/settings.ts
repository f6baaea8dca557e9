import type { PoolEndpoint, SettingFault, SettingSpec } from '@pileus/core/strategy';
import { DriverError } from '../driver-error.ts';
import { folderFault } from '../storage/folder.ts';

export const LVM_SETTINGS: Readonly<Record<string, SettingSpec>> = {
  group: { description: 'Name of the LVM volume group on the host; it has to be there.', required: true },
  path: { description: 'Absolute path of a folder on the host for images and seeds; it is made if needed.', required: true },
};

/** The kernel allows names of 127 bytes, group and volume together, with hyphens twice. */
const GROUP = /^(?!\.{1,2}$)[A-Za-z0-9_+.][A-Za-z0-9_+.-]{0,29}$/;

export function lvmSettingFault({ group = '', path = '' }: Readonly<Record<string, string>>): SettingFault | undefined {
  if (!GROUP.test(group))
    return { setting: 'group', reason: 'must be the name of a volume group: at most 30 letters, digits and + _ . -, with no hyphen first' };
  return folderFault(path);
}

/** @throws DriverError invalid */
export function readLvmSettings({ poolId, settings }: PoolEndpoint): { readonly group: string; readonly path: string } {
  const fault = lvmSettingFault(settings);
  if (fault !== undefined) throw new DriverError('invalid', `pool ${poolId}: ${fault.setting} ${fault.reason}`, { field: fault.setting });
  const { group = '', path = '' } = settings;
  return { group, path };
}
