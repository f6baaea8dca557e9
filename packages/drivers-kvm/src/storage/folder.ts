import { isAbsolute, resolve } from 'node:path/posix';
import type { SettingFault } from '@pileus/core/strategy';

export const FOLDER_RULE =
  'must be the absolute path of a folder other than the root, with no // and no . or .. in it and no slash at its end';

/** Libvirt keeps paths in this form: in another one, a pool would not be found again by its own. */
export const folderFault = (path: string): SettingFault | undefined =>
  path !== '/' && isAbsolute(path) && path === resolve(path) ? undefined : { setting: 'path', reason: FOLDER_RULE };
