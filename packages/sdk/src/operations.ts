import type { Client, RepeatOptions } from './client.ts';
import { OperationFailed } from './errors.ts';
import type { Id } from './id.ts';
import type { Operation, OperationState } from './operation.ts';
import { type WaitOptions, waitForEnd } from './pending.ts';
import { Reply } from './reply.ts';
import { Resource } from './resource.ts';

/** What lists of operations can filter and sort by. */
export interface OperationFields {
  readonly state: OperationState;
  readonly action: string;
  readonly resourceKind: string;
  readonly resourceId: string;
}

/** Accepted changes: to look at, to wait for, to steer. */
export class Operations extends Resource<'operation', Operation, OperationFields, keyof OperationFields | 'createdAt'> {
  constructor(client: Client) {
    super(client, { kind: 'operation', plural: 'operations' });
  }

  /** The operation at its end. @throws OperationFailed unless it succeeded; PileusError wait_timeout | aborted */
  wait(operation: Id<'operation'> | string, options: WaitOptions = {}): Reply<Operation> {
    return new Reply(
      waitForEnd(this.client, operation, options).then((ended) => {
        if (ended.state !== 'succeeded') throw new OperationFailed(ended);
        return ended;
      }),
    );
  }

  /** Asks it to unwind. @throws PileusError conflict when it has ended or can only go on */
  cancel(operation: Id<'operation'> | string, options: RepeatOptions = {}): Reply<Operation> {
    return this.steer(operation, 'cancel', options);
  }

  /** Has one that needs attention try its step again now. */
  retry(operation: Id<'operation'> | string, options: RepeatOptions = {}): Reply<Operation> {
    return this.steer(operation, 'retry', options);
  }

  /** Has one that needs attention leave its step as it is: someone has seen to it by hand. */
  skip(operation: Id<'operation'> | string, options: RepeatOptions = {}): Reply<Operation> {
    return this.steer(operation, 'skip', options);
  }

  private steer(operation: string, verb: 'cancel' | 'retry' | 'skip', options: RepeatOptions): Reply<Operation> {
    return this.value<Operation>({ method: 'POST', path: this.path(operation, verb) }, options);
  }
}
