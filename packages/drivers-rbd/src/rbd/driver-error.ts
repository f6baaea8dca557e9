import type { Fault } from '@pileus/core/strategy';

/** A refusal that the driver itself decides, with the fault it is classified as. */
export class DriverError extends Error {
  override readonly name = 'DriverError';
  readonly fault: Fault;
  /** What whoever asked is told: how to put it right. */
  readonly told: string | undefined;

  constructor(fault: Fault, message: string, options: ErrorOptions & { readonly told?: string } = {}) {
    super(message, options);
    this.fault = fault;
    this.told = options.told;
  }
}
