import { access, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Type } from 'typebox';
import { CloudError, type KernelServices, type Plugin, resourceName } from '../kernel/index.ts';

/**
 * Online backups of the store into a directory of the server. A backup holds everything but the sealing key and the content of images, which are copied
 * by other means; `pileus-server --restore` brings one back.
 */
export function backups({ store }: KernelServices, directory: string): Plugin {
  return {
    id: 'backups',
    version: '0.1.0',
    endpoints: [
      {
        type: 'change',
        method: 'POST',
        path: '/backups',
        summary: 'A consistent copy of the store, taken while it is in use, in the backup directory of the server.',
        permission: 'store.backup',
        action: 'store.backup',
        body: Type.Object({ name: Type.Optional(resourceName()) }),
        answer: Type.Object({ path: Type.String({ description: 'On the server.' }), takenAt: Type.String({ format: 'date-time' }) }),
        handle: async ({ body, at: takenAt, again, begin }) => {
          const name = (body as { name?: string }).name ?? `backup-${takenAt.toLowerCase().replaceAll(/[^0-9tz]/g, '-')}`;
          const path = join(directory, `${name}.db`);
          await mkdir(directory, { recursive: true, mode: 0o700 });
          const isThere = await exists(path);
          // A copy gets its name when it is whole: then an earlier try of this request has made it.
          if (isThere && again) return { path, takenAt };
          if (isThere) throw new CloudError('name_taken', `There is a backup ${name}.`, { pointer: '/name', params: { field: 'name' } });
          await begin([], { name });
          await store.backup(path);
          return { path, takenAt };
        },
      },
    ],
  };
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
