import {
  type AnyKind,
  CloudError,
  ERROR_CODES,
  type Id,
  inProject,
  type JsonObject,
  type Operation,
  type Principal,
  type RowBase,
} from '../../../kernel/index.ts';
import type { Call } from '../../../strategy/index.ts';
import { project, systemPrincipal } from '../../identity/contract.ts';
import type { CloudServices } from '../../services.ts';
import type { BackupContext } from '../context.ts';

/** What the making of a set reaches: what it does to the machine is done by operations of their own, which hold that no longer than they need it. */
export interface SetContext extends BackupContext, Pick<CloudServices, 'kernel' | 'ids'> {}

/** An operation that a set has asked for, by an id that was chosen before. */
export interface SetPart {
  readonly operationId: Id<'operation'>;
  readonly action: string;
  readonly resourceId: string;
  readonly input: JsonObject;
}

/** A step of the making of a set. */
export interface At {
  readonly ctx: SetContext;
  readonly projectId: Id<'project'>;
  /** Of the set. */
  readonly operationId: string;
  readonly call: Call;
}

/** Who may ask for a set may have what belongs to it done, and taken back. */
async function principalOf({ ctx, projectId }: At): Promise<Principal> {
  const row = (await ctx.reader.get(project as AnyKind, projectId)) as RowBase;
  return inProject(systemPrincipal(), projectId, row.accountId as Id<'account'>);
}

/** Has it done, once however often it is asked. @throws CloudError as it failed */
export async function carryOut(at: At, part: SetPart): Promise<Operation> {
  const { parts } = at.ctx.kernel();
  if ((await parts.find(part.operationId)) === undefined)
    await parts.submit({ ...part, principal: await principalOf(at), causeId: at.operationId });
  const ended = await parts.ended(part.operationId, at.operationId, at.call.signal);
  if (ended.state !== 'succeeded') throw failed(ended);
  return ended;
}

/** Ends it where it is under way; answers it where it had succeeded, and is to be taken back. */
export async function stopped(at: At, part: Pick<SetPart, 'operationId'>): Promise<Operation | undefined> {
  const { parts } = at.ctx.kernel();
  if ((await parts.find(part.operationId)) === undefined) return undefined;
  const ended = await parts.stopped(part.operationId, at.operationId, systemPrincipal().actor, at.call.signal);
  return ended.state === 'succeeded' ? ended : undefined;
}

/** One that is gone is fine. Where a host is out of reach the rest is owed to it: no set waits for that. */
export async function removed(at: At, kind: AnyKind, id: string): Promise<void> {
  const row = (await at.ctx.reader.find(kind, id)) as RowBase | undefined;
  if (row === undefined || row.deletedAt !== undefined) return;
  const operationId = at.ctx.ids.mint('operation');
  await carryOut(at, { operationId, action: `${kind.name}.delete`, resourceId: id, input: { force: true } });
}

/** It has been tried as often as it is worth: the same operation would be found again. */
function failed({ id, action, error }: Operation): CloudError {
  const { code = 'conflict', message = 'It did not succeed.' } = error ?? {};
  const isFinal = ERROR_CODES[code].retry !== 'same_request' && code !== 'cancelled';
  return new CloudError(isFinal ? code : 'conflict', message, { params: { action, operationId: id, code } });
}
