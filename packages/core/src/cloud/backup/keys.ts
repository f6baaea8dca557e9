import type { ChunkRef } from './manifest.ts';

/** Where things lie in a store. Whose they are is in the open: who runs the store sees the ids of projects and backups, and sizes, and nothing else. */
export const keys = {
  /** Which cloud's store the place is. */
  marker: 'pileus/store',
  projects: 'projects/',
  /** Behind all that a store has of a project. */
  behind: (projectId: string) => `projects/${projectId}/z`,
  manifests: (projectId: string) => `projects/${projectId}/backups/`,
  manifest: (projectId: string, backupId: string) => `projects/${projectId}/backups/${backupId}`,
  chunks: (projectId: string) => `projects/${projectId}/chunks/`,
  chunk: (projectId: string, name: string) => `projects/${projectId}/chunks/${name.slice(0, 2)}/${name}`,
  /** Names of chunks that are about to be removed. */
  condemned: (projectId: string) => `projects/${projectId}/condemned`,
  /** Names of chunks whose removal may still be under way. */
  late: (projectId: string) => `projects/${projectId}/late`,
} as const;

/** Whose a key is, below `projects`. */
export const projectOf = (key: string): string => key.split('/')[1] ?? '';

export const lastPart = (key: string): string => key.slice(key.lastIndexOf('/') + 1);

/** What a chunk is called in its store. */
export const chunkName = ({ digest, variant }: ChunkRef): string => `${Buffer.from(digest).toString('hex')}-${variant}`;
