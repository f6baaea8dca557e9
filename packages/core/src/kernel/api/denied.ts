import { type Principal, readPermission } from '../access.ts';
import { timestamp } from '../environment.ts';
import { isCloudError, toErrorRecord } from '../errors.ts';
import type { Kernel } from '../kernel.ts';
import type { AnyKind } from '../kind.ts';
import { operation } from '../operation.ts';
import { dryRunOf } from './dry-run.ts';
import { lookUp } from './lookup.ts';
import type { Match } from './router.ts';

/** Errors of calls that the audit tells of already. */
const told = new WeakSet<object>();

/** The call had begun when it failed with this: its entry says so. */
export function toldOf(error: unknown): void {
  if (typeof error === 'object' && error !== null) told.add(error);
}

interface Denial {
  readonly match: Match;
  readonly principal: Principal;
  readonly parameters: URLSearchParams;
  readonly error: unknown;
}

/**
 * Tells the audit of a call that would have changed something, and that its caller may not make. What is wrong in itself, or in the way of things, is no
 * entry: it says nothing of who may what. The resource is named where the caller sees it, for an entry is read by others of his project.
 */
export async function auditDenied(kernel: Kernel, { match, principal, parameters, error }: Denial): Promise<void> {
  const asked = askedOf(kernel, match);
  if (asked === undefined || !isCloudError(error) || error.code !== 'permission_denied') return;
  if (told.has(error) || dryRunOf(parameters) === 'true') return;
  const { ids, environment } = kernel.services;
  const { actor, projectId, accountId } = principal;
  const { action, kind, named } = asked;
  const resourceId = kind === undefined || named === undefined ? undefined : await seen(kernel, kind, named, principal);
  const call = { id: ids.mint('audit'), at: timestamp(environment.clock), actor, action, projectId, accountId };
  kernel.audit.denied(
    {
      ...call,
      ...(kind === undefined ? {} : { resourceKind: kind.name }),
      ...(resourceId === undefined ? {} : { resourceId }),
    },
    toErrorRecord(error),
  );
}

interface Asked {
  readonly action: string;
  readonly kind?: AnyKind | undefined;
  readonly named?: string | undefined;
}

/** What the request would have done; undefined for what changes nothing. */
function askedOf({ registry }: Kernel, { route, params }: Match): Asked | undefined {
  if (route.type === 'action') return { action: route.action.name, kind: route.action.kind, named: params.idOrName };
  if (route.type === 'steer') return { action: `operation.${route.verb}`, kind: operation, named: params.idOrName };
  if (route.type !== 'endpoint' || !('action' in route.endpoint)) return undefined;
  const { action, path } = route.endpoint;
  return { action, kind: registry.kinds().find(({ plural }) => plural === path.split('/')[1]), named: params.id };
}

async function seen({ reader }: Kernel, kind: AnyKind, named: string, principal: Principal): Promise<string | undefined> {
  if (!principal.allows(readPermission(kind))) return undefined;
  try {
    return (await lookUp(reader, kind, named, principal)).row.id;
  } catch {
    return undefined;
  }
}
