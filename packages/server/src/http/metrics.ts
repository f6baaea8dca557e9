import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { UsageObserver } from '@pileus/core';
import type { Kernel, Store } from '@pileus/core/kernel';
import { Counter, collectDefaultMetrics, Gauge, type Metric, Registry } from 'prom-client';
import { type Duration, Durations } from './durations.ts';
import { MeasuredStore } from './measured-store.ts';

const UNFINISHED_STATES = ['queued', 'running', 'unwinding', 'needs_attention', 'parked'];
const LOOP_RESOLUTION_MS = 20;

export interface DriverCall {
  readonly contract: string;
  readonly method: string;
  readonly seconds: number;
  readonly outcome: string;
}

/** What Prometheus reads of this server. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #requests = new Counter({
    name: 'pileus_http_requests_total',
    help: 'Requests answered.',
    labelNames: ['route', 'method', 'status'],
    registers: [this.#registry],
  });
  readonly #requestSeconds = new Durations({
    name: 'pileus_http_request_seconds',
    help: 'Time to the head of the answer.',
    labelNames: ['route'],
  });
  readonly #commitSeconds = new Durations({ name: 'pileus_store_commit_seconds', help: 'Time until a transaction is durable.' });
  readonly #driverSeconds = new Durations({
    name: 'pileus_driver_call_seconds',
    help: 'Time of calls to hypervisors, pools and networks.',
    labelNames: ['contract', 'method', 'outcome'],
  });
  readonly #held = new Counter({
    name: 'pileus_event_loop_holds_total',
    help: 'How often one thing held the event loop for more than 50 ms, by what it was.',
    labelNames: ['what'],
    registers: [this.#registry],
  });
  readonly #heldSeconds = new Counter({
    name: 'pileus_event_loop_held_seconds_total',
    help: 'For how long it did.',
    labelNames: ['what'],
    registers: [this.#registry],
  });
  readonly #hostMemory = new Gauge({
    name: 'pileus_host_used_memory_bytes',
    help: 'Memory in use of hosts that answer.',
    labelNames: ['host'],
    registers: [this.#registry],
  });
  readonly #hostCpu = new Gauge({
    name: 'pileus_host_cpu_ratio',
    help: 'Share of the processors at work of hosts that answer.',
    labelNames: ['host'],
    registers: [this.#registry],
  });
  readonly #loop = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  /** Looking a label up by its values costs more than the counting. */
  readonly #byRoute = new Map<string, { readonly count: Counter.Internal; readonly time: Duration }>();
  readonly #byCall = new Map<string, Duration>();

  readonly contentType = this.#registry.contentType;

  constructor() {
    for (const durations of [this.#requestSeconds, this.#commitSeconds, this.#driverSeconds])
      this.#registry.registerMetric(durations as unknown as Metric<string>);
    collectDefaultMetrics({ register: this.#registry, prefix: 'pileus_' });
    this.#loop.enable();
    const loop = this.#loop;
    new Gauge({
      name: 'pileus_event_loop_lag_p99_seconds',
      help: 'How late the event loop was, 99th percentile since the last scrape.',
      registers: [this.#registry],
      collect() {
        this.set(Math.max(0, loop.percentile(99) / 1e9 - LOOP_RESOLUTION_MS / 1000));
        loop.reset();
      },
    });
  }

  request(route: string, method: string, status: number, seconds: number): void {
    const key = `${route} ${method} ${status}`;
    let entry = this.#byRoute.get(key);
    if (entry === undefined) {
      entry = { count: this.#requests.labels(route, method, String(status)), time: this.#requestSeconds.of(route) };
      this.#byRoute.set(key, entry);
    }
    entry.count.inc();
    entry.time.observe(seconds);
  }

  held(what: string, seconds: number): void {
    this.#held.inc({ what });
    this.#heldSeconds.inc({ what }, seconds);
  }

  /** All that there is to tell: of other hosts nothing is known. */
  usage(hosts: Parameters<UsageObserver>[0]): void {
    this.#hostMemory.reset();
    this.#hostCpu.reset();
    for (const { name: host, usage } of hosts) {
      this.#hostMemory.set({ host }, usage.usedMemoryBytes);
      if (usage.cpuRatio !== undefined) this.#hostCpu.set({ host }, usage.cpuRatio);
    }
  }

  driverCall({ contract, method, outcome, seconds }: DriverCall): void {
    const key = `${contract} ${method} ${outcome}`;
    let time = this.#byCall.get(key);
    if (time === undefined) {
      time = this.#driverSeconds.of(contract, method, outcome);
      this.#byCall.set(key, time);
    }
    time.observe(seconds);
  }

  /** The store, with its commits measured. */
  measured(store: Store, monotonicMs: () => number): Store {
    return new MeasuredStore(store, this.#commitSeconds.of(), monotonicMs);
  }

  watch(kernel: Kernel): void {
    new Gauge({
      name: 'pileus_operations',
      help: 'Unfinished operations by state.',
      labelNames: ['state'],
      registers: [this.#registry],
      async collect() {
        for (const state of UNFINISHED_STATES)
          this.set({ state }, await kernel.services.store.count({ table: 'operation', where: { field: 'state', op: '=', value: state } }));
      },
    });
    new Gauge({
      name: 'pileus_queue_depth',
      help: 'Operations that are accepted and have not ended.',
      registers: [this.#registry],
      collect() {
        this.set(kernel.operations.unfinished);
      },
    });
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  close(): void {
    this.#loop.disable();
    this.#registry.clear();
  }
}
