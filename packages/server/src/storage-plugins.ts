import type { Logger, Plugin } from '@pileus/core/kernel';

/** The drivers of storage beside that of hosts, where their packages are installed. They connect to nothing before a pool asks for it. */
export async function storagePlugins(logger: Logger): Promise<readonly Plugin[]> {
  const loaded = await import('@pileus/drivers-rbd/rbd').catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw error;
  });
  return loaded === undefined ? [] : [loaded.rbd({ log: (text, fields) => logger.info(fields, text) })];
}

const isMissing = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND';
