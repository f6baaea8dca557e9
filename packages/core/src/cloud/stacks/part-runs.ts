import {
  CloudError,
  ERROR_CODES,
  type Id,
  type Json,
  type JsonObject,
  type Operation,
  type Principal,
  type QuotaChange,
  type RowBase,
} from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import type { CloudServices } from '../services.ts';
import { type Caller, principalOf, undoingPrincipalOf } from './caller.ts';
import { removalInput } from './kinds.ts';
import { givenBack } from './reserved.ts';
import { type Sealed, unsealed } from './secret-places.ts';
import { invalid, mapped, placeOf, referenceOf, within } from './template.ts';

/** A resource of the stack as it will be. */
export interface Member {
  readonly kind: string;
  readonly id: string;
}
export type Members = Readonly<Record<string, Member>>;

/** One action on one resource, with the ids that it is known by however often it is begun. */
export interface Part {
  readonly operationId: Id<'operation'>;
  readonly action: string;
  readonly resourceId: string;
  /** References to what was not known yet are in it still, and secrets are not. */
  readonly input: JsonObject;
  readonly sealed: Sealed;
  readonly back?: { readonly input: JsonObject; readonly sealed: Sealed };
  /** What it makes is taken back by deleting it. */
  readonly makes?: string;
  /** Of quotas, from the acceptance of the apply to its own. */
  readonly reserved?: readonly QuotaChange[];
}

/** What has to be done to one resource of the template. */
export interface Work {
  readonly name: string;
  readonly parts: readonly Part[];
}

/** An apply at work. */
export interface At {
  readonly services: CloudServices;
  readonly caller: Caller;
  readonly members: Members;
  readonly operationId: string;
  readonly call: Call;
}

/** Does what has to be done to a resource. Asked again it finds what it has begun. @throws CloudError with the name of the resource */
export async function carryOut(at: At, { name, parts }: Work): Promise<void> {
  const { services, caller, members, operationId, call } = at;
  for (const part of parts) {
    const { action, resourceId, operationId: own, input, sealed } = part;
    const { parts: running } = services.kernel();
    if ((await running.find(own)) === undefined) {
      const whole = await unsealed(await resolved(services, members, input), sealed, services.secrets);
      const request = {
        action,
        input: whole,
        principal: principalOf(caller),
        operationId: own,
        resourceId,
        causeId: operationId,
        along: givenBack(part),
      };
      await running.submit(request).catch((error: unknown) => {
        throw ofResource(name, error);
      });
    }
    const ended = await running.ended(own, operationId, call.signal);
    if (ended.state !== 'succeeded') throw failedPart(name, ended);
  }
}

/** Takes back what was begun of it, last first. @throws CloudError while that cannot be done */
export async function takeBack(at: At, { name, parts }: Work): Promise<void> {
  const { services, caller, operationId, call } = at;
  const running = services.kernel().parts;
  for (const part of [...parts].reverse()) {
    if ((await running.find(part.operationId)) === undefined) continue;
    const ended = await running.stopped(part.operationId, operationId, caller.actor, call.signal);
    if (ended.state !== 'succeeded') continue;
    const principal = undoingPrincipalOf(caller);
    // Somebody may have deleted it since.
    if ((await live(services, part)) === undefined) continue;
    if (part.makes !== undefined) await remove(at, name, { kind: part.makes, id: part.resourceId }, principal);
    else if (part.back === undefined)
      throw new CloudError('conflict', `What ${part.action} did to ${name} cannot be taken back; skip it to leave it so.`);
    else {
      const input = await unsealed(part.back.input, part.back.sealed, services.secrets);
      await onceMore(at, name, { action: part.action, resourceId: part.resourceId, input, principal });
    }
  }
}

async function live(
  { reader, kernel }: CloudServices,
  { action, resourceId }: Pick<Part, 'action' | 'resourceId'>,
): Promise<RowBase | undefined> {
  const row: RowBase | undefined = await reader.find(kernel().registry.action(action).kind, resourceId);
  return row?.deletedAt === undefined ? row : undefined;
}

/** Deletes a resource for good; one that is gone is fine. */
export async function remove(at: At, name: string, { kind, id }: Member, principal: Principal = principalOf(at.caller)): Promise<void> {
  const action = at.services.kernel().registry.action(`${kind}.delete`);
  if ((await live(at.services, { action: action.name, resourceId: id })) === undefined) return;
  await onceMore(at, name, { action: action.name, resourceId: id, input: removalInput(action), principal });
}

/** What may be done twice: begun anew each time that it is asked. */
async function onceMore(
  { services, operationId, call }: At,
  name: string,
  request: { readonly action: string; readonly resourceId: string; readonly input: JsonObject; readonly principal: Principal },
): Promise<void> {
  const { parts } = services.kernel();
  const own = services.ids.mint('operation');
  await parts.submit({ ...request, operationId: own, causeId: operationId });
  const ended = await parts.ended(own, operationId, call.signal);
  if (ended.state !== 'succeeded') throw failedPart(name, ended);
}

/** The same error, told of the resource. */
export function ofResource(name: string, error: unknown): unknown {
  if (!(error instanceof CloudError)) return error;
  const { code, publicMessage, pointer, params, cause } = error;
  const place = `${placeOf(name)}${pointer === undefined ? '' : `/properties${pointer}`}`;
  return new CloudError(code, `Resource ${name}: ${publicMessage}`, { pointer: place, ...(params === undefined ? {} : { params }), cause });
}

/** It has been tried as often as it is worth: to try the stack's step again would find the same operation. */
function failedPart(name: string, { id, action, error }: Operation): CloudError {
  const { code = 'conflict', message = 'It did not succeed.' } = error ?? {};
  const isFinal = ERROR_CODES[code].retry !== 'same_request' && code !== 'cancelled';
  return new CloudError(isFinal ? code : 'conflict', `Resource ${name}: ${message}`, {
    pointer: placeOf(name),
    params: { resource: name, action, operationId: id, code },
  });
}

/** The value with what its references stand for now. @throws CloudError invalid_input for a field that is not there */
export async function resolved<T extends Json>({ reader, kernel }: CloudServices, members: Members, value: T, at = ''): Promise<T> {
  const rows = new Map<string, Json>();
  const wanted = new Set<string>();
  mapped(value, at, (part) => {
    const to = referenceOf(part);
    if (to !== undefined) wanted.add(to.name);
    return undefined;
  });
  for (const name of wanted) {
    const member = members[name];
    const kind = member && kernel().registry.findKind(member.kind);
    const row: RowBase | undefined = kind === undefined ? undefined : await reader.find(kind, member?.id ?? '');
    const shown = Object.entries(row ?? {}).filter(([field]) => kind?.secretFields.includes(field) !== true);
    if (row !== undefined) rows.set(name, Object.fromEntries(shown));
  }
  return mapped(value, at, (part, pointer) => {
    const to = referenceOf(part);
    if (to === undefined) return undefined;
    const found = within(rows.get(to.name), to.field);
    if (found === undefined) throw invalid(pointer, `Resource ${to.name} has no ${to.field.join('.')}.`, { resource: to.name });
    return found;
  }) as T;
}
