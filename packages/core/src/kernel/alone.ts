import type { KernelServices } from './kernel.ts';

/**
 * For reconcilers that change what is real: runs `body` unless an operation is in the queue of one of the keys, and lets none begin that needs one of them until
 * it has ended. Bound it: requests wait. Nothing of it is durable; a crash ends it. False when it did not run.
 */
export async function alone({ ids, kernel }: KernelServices, keys: readonly string[], body: () => Promise<void>): Promise<boolean> {
  const { operations } = kernel();
  const id = ids.mint('operation');
  try {
    // Never waited for, so that nothing can wait in a circle.
    const isFirst = operations.place(id, [...new Set(keys)]);
    if (isFirst) await body();
    return isFirst;
  } finally {
    operations.withdraw(id);
  }
}
