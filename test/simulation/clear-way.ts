import type { Operation } from '@pileus/core/kernel';
import type { SimCloud } from '@pileus/core/testing';
import type { Mirror } from './mirror.ts';

const EVERY_MS = 30_000;
const IN_THE_WAY: Readonly<Record<string, object>> = {
  instance: { force: true, permanent: true },
  snapshotGroup: {},
  snapshot: {},
  volume: { recursive: true, permanent: true },
};

/**
 * Members use what stacks have made, and so stand in the way of what a stack takes back or lets go: it says so, holds nothing but itself, and waits (decision 19).
 * When all is healed somebody looks after those: takes away what stands there, and has it tried again. Each must end then.
 */
export class ClearWay {
  readonly #sim: SimCloud;
  readonly #mirror: Mirror;
  #nextMs = 0;

  constructor(sim: SimCloud, mirror: Mirror) {
    this.#sim = sim;
    this.#mirror = mirror;
  }

  look(): void {
    const nowMs = this.#sim.environment.clock.monotonicMs();
    if (!this.#sim.alive || nowMs < this.#nextMs) return;
    this.#nextMs = nowMs + EVERY_MS;
    for (const operation of this.#mirror.unfinished.values())
      if (operation.state === 'needs_attention' && operation.action.startsWith('stack.')) this.#clear(operation);
  }

  #clear({ id, projectId }: Operation): void {
    const { kernel, principal } = this.#sim;
    for (const [kind, input] of Object.entries(IN_THE_WAY))
      for (const row of this.#mirror.rows(kind).values())
        if (row.projectId === projectId && row.state !== 'creating')
          void kernel.submit({ action: `${kind}.delete`, resourceId: String(row.id), input, principal }).catch(() => undefined);
    void kernel.operations.steer(id, 'retry').catch(() => undefined);
  }
}
