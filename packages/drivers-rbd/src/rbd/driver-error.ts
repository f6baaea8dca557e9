import type { Fault } from '@pileus/core/strategy';

/** A refusal that the driver itself decides, with the fault it is classified as. */
export class DriverError extends Error {
  override readonly name = 'DriverError';
  readonly fault: Fault;

  constructor(fault: Fault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.fault = fault;
  }
}
