import type { Logger } from '@pileus/core/kernel';
import { type DestinationStream, pino } from 'pino';

/** JSON lines on standard error; standard output is for people. Fields named like secrets are cut out, whoever logs them by mistake. */
export function createLogger(level: string, destination: DestinationStream = pino.destination({ fd: 2, sync: false })): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: {
        paths: ['authorization', 'password', 'secret', 'token', 'key', '*.authorization', '*.password', '*.secret', '*.token'],
        remove: true,
      },
    },
    destination,
  );
}
