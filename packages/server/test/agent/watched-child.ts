/** Says in a file who it is, and lives for as long as whoever has started it. */
import { appendFile } from 'node:fs/promises';

process.once('disconnect', () => process.exit(0));
await appendFile(process.argv[2] ?? '', `${process.pid}\n`);
