/** What other modules may know of backups. */

export { backup } from './backup.ts';
