import { subscribe } from 'node:diagnostics_channel';
import type { IncomingMessage } from 'node:http';
import { monitorEventLoopDelay } from 'node:perf_hooks';

/** What a measured process tells of itself, asked over its IPC channel. */
export interface Probe {
  /** User and system time of all threads, in milliseconds since the process began. */
  readonly cpuMs: number;
  readonly rssBytes: number;
  /** 99th percentile of how late the event loop was since the last probe, in milliseconds. */
  readonly lagP99Ms: number;
  /** Of requests with the header `TIMED` since the last probe: from the head as it was read to the last byte of the answer. */
  readonly servedMs: readonly number[];
}

export const TIMED = 'x-bench-timed';

export const PROBE = 'probe';
const LAG_RESOLUTION_MS = 1;

const servedMs: number[] = [];

/** From now on requests with the header are timed. */
export function timeRequests(): void {
  const begunMs = new WeakMap<IncomingMessage, number>();
  subscribe('http.server.request.start', (message) => {
    const { request } = message as { readonly request: IncomingMessage };
    if (request.headers[TIMED] !== undefined) begunMs.set(request, performance.now());
  });
  subscribe('http.server.response.finish', (message) => {
    const atMs = begunMs.get((message as { readonly request: IncomingMessage }).request);
    if (atMs !== undefined) servedMs.push(performance.now() - atMs);
  });
}

/** Answers probes for as long as the parent asks; keeps no process alive. */
export function answerProbes(): void {
  const lag = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });
  lag.enable();
  process.on('message', (message) => {
    if (message !== PROBE) return;
    const { user, system } = process.cpuUsage();
    const lagP99Ms = Math.max(0, lag.percentile(99) / 1e6 - LAG_RESOLUTION_MS);
    lag.reset();
    const rssBytes = process.memoryUsage.rss();
    process.send?.({ cpuMs: (user + system) / 1000, rssBytes, lagP99Ms, servedMs: servedMs.splice(0) } satisfies Probe);
  });
  process.channel?.unref();
}
