import type { Fault } from '@pileus/core/strategy';
import { InvalidValueError, OvsdbError, type OvsdbErrorCode, SchemaError, UnansweredError } from '../ovsdb/index.ts';
import { DriverError } from './driver-error.ts';

const FAULTS: Readonly<Partial<Record<OvsdbErrorCode, Fault>>> = {
  constraint_violation: 'conflict',
  broken_reference: 'conflict',
  duplicate_uuid: 'conflict',
  wait_failed: 'unavailable',
  lock_not_held: 'unavailable',
  aborted: 'unavailable',
  io_error: 'unavailable',
  resources_exhausted: 'exhausted',
  unknown_column: 'unsupported',
  unknown_table: 'unsupported',
};

/** What an error of this driver, its client or anything else means to the caller. Never throws, whatever it is given. */
export function classify(error: unknown): Fault {
  try {
    if (error instanceof DriverError) return error.fault;
    if (error instanceof UnansweredError) return error.outcome === 'unknown' ? 'unknown_outcome' : 'unavailable';
    if (error instanceof InvalidValueError) return 'invalid';
    if (error instanceof SchemaError) return 'unsupported';
    if (error instanceof OvsdbError) return FAULTS[error.code] ?? 'internal';
  } catch {
    // A thrown value may refuse even to be looked at.
  }
  return 'internal';
}
