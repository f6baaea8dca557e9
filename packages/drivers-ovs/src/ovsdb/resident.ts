import type { CallOptions } from './requests.ts';
import type { Session } from './session.ts';

/** What lives on a connection and has to be set up again on the next one. */
export interface Resident {
  /** Sets itself up on a new connection, unless it has done so. `missing`: tables and columns that the database there has not. */
  restore(session: Session, missing: ReadonlySet<string>, call: CallOptions): Promise<void>;
  /** The connection is gone. */
  lost(error: Error): void;
}
