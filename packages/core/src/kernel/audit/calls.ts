import { type Environment, timestamp } from '../environment.ts';
import type { Ids } from '../id.ts';
import { type Operation, operation } from '../operation.ts';
import type { Statement } from '../store.ts';
import { auditStatement } from './record.ts';

/**
 * Tells that an operation was steered. The statement goes first in its transaction: its fresh id tells whether an earlier try of it has landed. With its
 * commit the request is done; what comes of it is the operation's.
 */
export function steeringAudit(
  { id: resourceId, projectId, accountId }: Operation,
  verb: string,
  actor: string,
  { ids, environment }: { readonly ids: Ids; readonly environment: Environment },
): { readonly id: string; readonly statement: Statement } {
  const at = timestamp(environment.clock);
  const call = {
    ...{ id: ids.mint('audit'), at, actor, action: `operation.${verb}`, resourceKind: operation.name, resourceId },
    ...(projectId === undefined ? {} : { projectId }),
    ...(accountId === undefined ? {} : { accountId }),
  };
  return { id: call.id, statement: auditStatement(call, { result: 'succeeded', endedAt: at }) };
}
