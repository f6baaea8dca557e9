import { Cron } from 'croner';
import { CloudError } from '../../kernel/index.ts';

export interface Schedule {
  readonly schedule: string;
  readonly timeZone: string;
}

/** The first time behind an instant, in RFC 3339. @throws CloudError invalid_input naming what is wrong */
export function nextTime({ schedule, timeZone }: Schedule, afterMs: number): string {
  const next = cron(schedule, refuseZone(timeZone)).nextRun(new Date(afterMs));
  if (next === null) throw new CloudError('invalid_input', `There is no time that ${schedule} means.`, { pointer: '/schedule' });
  return next.toISOString();
}

function refuseZone(timeZone: string): string {
  try {
    new Intl.DateTimeFormat('en', { timeZone });
    return timeZone;
  } catch (cause) {
    throw new CloudError('invalid_input', `${timeZone} is no time zone.`, { pointer: '/timeZone', cause });
  }
}

/** Never started: it tells times, and runs nothing. */
function cron(schedule: string, timezone: string): Cron {
  try {
    return new Cron(schedule, { timezone, paused: true, mode: '5-part' });
  } catch (cause) {
    const parts = 'minute (0-59), hour (0-23), day (1-31), month (1-12) and day of the week (0-7)';
    throw new CloudError('invalid_input', `${schedule} is no schedule: it has five parts, ${parts}, as in 30 2 * * *.`, {
      pointer: '/schedule',
      cause,
    });
  }
}
