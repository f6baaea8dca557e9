import type { PoolEndpoint, StorageFactory } from '@pileus/core/strategy';
import { DriverError } from '../driver-error.ts';
import type { ExportPlace } from '../nfs/index.ts';

export const NFS_SETTINGS = {
  server: { description: 'Name or address of the NFS server, as this server and the hosts reach it.', required: true },
  export: { description: 'The folder on the server. It has a file named `pileus-pool`, made by who runs the server.', required: true },
} as const satisfies StorageFactory['settings'];

/** QEMU cannot be told by libvirt to be somebody on one host and another one elsewhere: on all of them it is this one, as attachments say. */
const ROOT = { uid: 0, gid: 0 } as const;

/** @throws DriverError invalid, naming the setting */
export function readNfsSettings({ poolId, settings }: PoolEndpoint): ExportPlace {
  const { server = '', export: path = '' } = settings;
  const refuse = (name: string, why: string): never => {
    throw new DriverError('invalid', `pool ${poolId}: the setting ${name}: ${why}`);
  };
  if (!/^([\w.-]+|\[?[\da-fA-F:]+\]?)$/.test(server)) refuse('server', 'it is no host name and no address; QEMU takes no port');
  // It becomes a part of URLs, where other characters mean something.
  if (!/^(\/[\w.-]+)+$/.test(path) || /\/\.\.?(\/|$)/.test(path))
    refuse('export', 'it must be absolute, not the root, and of letters, digits, and . _ - alone');
  return { server: server.replace(/^\[|\]$/g, ''), path, credential: ROOT };
}
