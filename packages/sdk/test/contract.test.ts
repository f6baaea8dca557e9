import { ERROR_CODES, operation, waiting } from '@pileus/core/kernel';
import { expect } from 'chai';
import type { Operation, OperationState, OperationWaiting } from '../src/runtime.ts';
import { isFinished, SERVER_CODES } from '../src/runtime.ts';

/** Every field and state, so that the compiler asks for those that are new. */
const FIELDS: Record<keyof Required<Operation>, true> = {
  id: true,
  projectId: true,
  name: true,
  state: true,
  action: true,
  resourceKind: true,
  resourceId: true,
  actor: true,
  keys: true,
  attempt: true,
  waitsFor: true,
  waiting: true,
  lastStep: true,
  stepsDone: true,
  percent: true,
  cancelRequested: true,
  error: true,
  attention: true,
  notes: true,
  generation: true,
  revision: true,
  createdAt: true,
  updatedAt: true,
  startedAt: true,
  endedAt: true,
};
const WAITING: Record<keyof Required<OperationWaiting>, true> = { for: true, ahead: true, heldBy: true, atWorkMax: true };
const HOLDER: Record<keyof Required<NonNullable<OperationWaiting['heldBy']>[number]>, true> = {
  keys: true,
  operationId: true,
  action: true,
  resourceKind: true,
  resourceId: true,
  state: true,
  since: true,
};
const STATES: Record<OperationState, 'end' | 'way'> = {
  queued: 'way',
  running: 'way',
  unwinding: 'way',
  needs_attention: 'way',
  parked: 'way',
  succeeded: 'end',
  failed: 'end',
  cancelled: 'end',
};

describe('sdk: what it knows of servers by heart', () => {
  it('is the table of error codes with their retry answers', () => {
    expect(SERVER_CODES).to.deep.equal(Object.fromEntries(Object.entries(ERROR_CODES).map(([code, { retry }]) => [code, retry])));
  });

  it('is the operation: its fields, its states, its ends', () => {
    // What one waits for is told beside its row.
    expect([...Object.keys(operation.rowSchema.properties), 'waiting']).to.include.members(Object.keys(FIELDS));
    expect(Object.keys(waiting.properties)).to.have.members(Object.keys(WAITING));
    expect(Object.keys(waiting.properties.heldBy.items.properties)).to.have.members(Object.keys(HOLDER));
    expect(Object.keys(STATES).sort()).to.deep.equal(Object.keys(operation.states).sort());
    for (const [state, role] of Object.entries(STATES)) expect(isFinished({ state } as Operation), state).to.equal(role === 'end');
  });
});
