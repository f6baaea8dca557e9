import type { Fault } from '@pileus/core/strategy';

/** A refusal that the driver itself decides, with the fault it is classified as. */
export class DriverError extends Error {
  override readonly name = 'DriverError';
  readonly fault: Fault;
  /** Of what was given, what is wrong: a JSON pointer. */
  readonly pointer: string | undefined;

  constructor(fault: Fault, message: string, { pointer, ...options }: ErrorOptions & { readonly pointer?: string } = {}) {
    super(pointer === undefined ? message : `${pointer}: ${message}`, options);
    this.fault = fault;
    this.pointer = pointer;
  }
}
