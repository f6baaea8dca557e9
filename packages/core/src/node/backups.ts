import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Type } from 'typebox';
import { CloudError, type KernelServices, type Plugin, resourceName } from '../kernel/index.ts';

/**
 * Online backups of the store into a directory of the server. A backup holds everything but the sealing key and the content of images, which are copied
 * by other means; `pileus-server --restore` brings one back.
 */
export function backups({ store }: KernelServices, directory: string): Plugin {
  const underWay = new Set<string>();
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
        handle: async ({ body, at: takenAt, again, rehearses, begin }) => {
          const name = (body as { name?: string }).name ?? `backup-${takenAt.toLowerCase().replaceAll(/[^0-9tz]/g, '-')}`;
          const path = join(directory, `${name}.db`);
          const taken = new CloudError('name_taken', `There is a backup ${name}.`, { pointer: '/name', params: { field: 'name' } });
          if (underWay.has(name)) throw taken;
          // Who only asks is in nobody's way.
          if (rehearses) {
            if ((await timeOf(path)) !== undefined) throw taken;
            await begin([], { name, path });
          }
          underWay.add(name);
          try {
            const bears = await timeOf(path);
            // A copy gets its name when it is whole, and bears the time of its request: this one was made by an earlier try.
            if (again && bears === Date.parse(takenAt)) return { path, takenAt };
            if (bears !== undefined) throw taken;
            await begin([], { name });
            await mkdir(directory, { recursive: true, mode: 0o700 });
            await store.backup(path, takenAt);
            return { path, takenAt };
          } finally {
            underWay.delete(name);
          }
        },
      },
    ],
  };
}

/** In ms since the epoch, of a file that is there. */
const timeOf = (path: string): Promise<number | undefined> =>
  stat(path).then(
    ({ mtimeMs }) => Math.round(mtimeMs),
    () => undefined,
  );
