import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ScrapeTarget } from './target.ts';

/** A target as Prometheus is told of it. */
export interface Entry {
  readonly id: string;
  /** `10.0.0.5:9100` */
  readonly target: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Where Prometheus looks. All of it is idempotent, and each call is seen whole or not at all. */
export interface TargetDirectory {
  put(entry: Entry): Promise<void>;
  /** Absent is fine. */
  remove(id: string): Promise<void>;
  list(): Promise<readonly Entry[]>;
}

export const entryOf = (
  row: Pick<ScrapeTarget, 'id' | 'name' | 'address' | 'port' | 'scheme' | 'metricsPath' | 'instanceId'> & { readonly projectId?: string },
): Entry => ({
  id: row.id,
  target: `${row.address.includes(':') ? `[${row.address}]` : row.address}:${row.port}`,
  labels: {
    __scheme__: row.scheme,
    __metrics_path__: row.metricsPath,
    name: row.name,
    instance_id: row.instanceId,
    project_id: row.projectId ?? '',
  },
});

/** A directory for `file_sd_configs` of Prometheus: a file for each target, which Prometheus sees change by itself. */
export function fileDirectory(directory: string): TargetDirectory {
  const fileOf = (id: string) => join(directory, `${id}.json`);
  return {
    async put({ id, target, labels }) {
      await mkdir(directory, { recursive: true });
      // Under its name it is whole: Prometheus may read at any time. The unfinished one has an ending that it does not look for.
      await writeFile(`${fileOf(id)}.new`, JSON.stringify([{ targets: [target], labels }]));
      await rename(`${fileOf(id)}.new`, fileOf(id));
    },
    remove: (id) => rm(fileOf(id), { force: true }),
    async list() {
      const names = await readdir(directory).catch(() => []);
      const ids = names.filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -'.json'.length));
      return Promise.all(
        ids.sort().map(async (id) => {
          const [{ targets, labels }] = JSON.parse(await readFile(fileOf(id), 'utf8')) as [
            { readonly targets: readonly [string]; readonly labels: Entry['labels'] },
          ];
          return { id, target: targets[0], labels };
        }),
      );
    },
  };
}
