/** Logs as many lines as it is told, and ends at once. */
import { createLogger } from '../src/index.ts';

const logger = createLogger('info');
for (let line = 0; line < Number(process.argv[2]); line += 1) logger.info({ line }, 'said');
process.exit(0);
