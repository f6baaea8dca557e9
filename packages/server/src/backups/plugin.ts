import type { Plugin } from '@pileus/core/kernel';
import { directoryBackups } from '@pileus/core/node';
import { s3Backups } from './s3.ts';

/** Where backups can be kept. Nothing is opened before a store is registered. */
export const backupStores: Plugin = { id: 'backup-stores', version: '0.1.0', strategies: { backup: [directoryBackups, s3Backups] } };
