import type { Fault } from '@pileus/core/strategy';

/** A refusal that the driver itself decides, with the fault it is classified as. */
export class DriverError extends Error {
  readonly fault: Fault;
  /** Of what was given, what is wrong. */
  readonly field: string | undefined;
  /** What whoever asked is told beside the fault: a sentence. */
  readonly told: string | undefined;

  constructor(
    fault: Fault,
    message: string,
    { field, told, ...options }: ErrorOptions & { readonly field?: string; readonly told?: string } = {},
  ) {
    super(message, options);
    this.name = 'DriverError';
    this.fault = fault;
    this.field = field;
    this.told = told;
  }
}
