import { access, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Type } from 'typebox';
import { CloudError, type KernelServices, type Plugin, resourceName, timestamp } from '../kernel/index.ts';

/**
 * Online backups of the store into a directory of the server. A backup holds everything but the sealing key and the content of images, which are copied
 * by other means; `pileus-server --restore` brings one back.
 */
export function backups({ store, environment, ids, kernel }: KernelServices, directory: string): Plugin {
  return {
    id: 'backups',
    version: '0.1.0',
    endpoints: [
      {
        type: 'value',
        method: 'POST',
        path: '/backups',
        summary: 'A consistent copy of the store, taken while it is in use, in the backup directory of the server.',
        permission: 'store.backup',
        body: Type.Object({ name: Type.Optional(resourceName()) }),
        answer: Type.Object({ path: Type.String({ description: 'On the server.' }), takenAt: Type.String({ format: 'date-time' }) }),
        handle: async ({ body, principal }) => {
          const takenAt = timestamp(environment.clock);
          const name = (body as { name?: string } | undefined)?.name ?? `backup-${takenAt.toLowerCase().replaceAll(/[^0-9tz]/g, '-')}`;
          const path = join(directory, `${name}.db`);
          await mkdir(directory, { recursive: true, mode: 0o700 });
          if (await exists(path))
            throw new CloudError('name_taken', `There is a backup ${name}.`, { pointer: '/name', params: { field: 'name' } });
          const entry = { id: ids.mint('audit'), at: takenAt, actor: principal.actor, action: 'store.backup', name };
          await kernel().operations.commit([{ op: 'insert', table: 'audit', row: entry }]);
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
