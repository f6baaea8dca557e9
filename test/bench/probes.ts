import { monitorEventLoopDelay } from 'node:perf_hooks';

/** What a measured process tells of itself, asked over its IPC channel. */
export interface Probe {
  /** User and system time of all threads, in milliseconds since the process began. */
  readonly cpuMs: number;
  readonly rssBytes: number;
  /** 99th percentile of how late the event loop was since the last probe, in milliseconds. */
  readonly lagP99Ms: number;
}

export const PROBE = 'probe';
const LAG_RESOLUTION_MS = 1;

/** Answers probes for as long as the parent asks; keeps no process alive. */
export function answerProbes(): void {
  const lag = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });
  lag.enable();
  process.on('message', (message) => {
    if (message !== PROBE) return;
    const { user, system } = process.cpuUsage();
    const lagP99Ms = Math.max(0, lag.percentile(99) / 1e6 - LAG_RESOLUTION_MS);
    lag.reset();
    process.send?.({ cpuMs: (user + system) / 1000, rssBytes: process.memoryUsage.rss(), lagP99Ms } satisfies Probe);
  });
  process.channel?.unref();
}
