import { type AcceptRequest, type AnyKind, canonical, equals, type Id, type QuotaEffect } from '../../kernel/index.ts';
import type { CloudServices } from '../services.ts';
import type { ApplyParams } from './apply.ts';
import { callerOf } from './caller.ts';
import type { Forecast } from './forecast.ts';
import type { Part, Work } from './part-runs.ts';
import type { Call, Change, Plan } from './plan.ts';
import { reservable } from './reserved.ts';
import { type Sealed, sealedIn } from './secret-places.ts';
import { REVISIONS_MAX, type StackRevision, stackResource, stackRevision } from './stack.ts';
import { stagesOf } from './template.ts';

type Request = Pick<AcceptRequest<AnyKind, unknown>, 'principal' | 'projectId' | 'mint' | 'reader'> & { readonly id: Id<'stack'> };

/** What the saga of an apply goes by: with all ids minted, and without secrets. */
export async function paramsOf(
  services: CloudServices,
  { id: stackId, projectId, principal, mint, reader }: Request,
  plan: Plan,
  { from, references, used }: { readonly from: ApplyParams['from']; readonly references: Sealed; readonly used: Forecast['used'] },
): Promise<ApplyParams> {
  const { changes, leaving, ids, secrets, asked } = plan;
  const members = Object.fromEntries(changes.map(({ name, type }) => [name, { kind: type.kind.name as string, id: ids[name] ?? '' }]));
  const revisions: readonly StackRevision[] = await reader.list(stackRevision, equals('stackId', stackId));
  const dropped = [...revisions].sort((a, b) => b.number - a.number).slice(REVISIONS_MAX - 1);
  const number = (plan.stack?.revisionNumber ?? 0) + 1;
  const asWork = (only: (call: Call) => boolean) => (change: Change) => ({
    ...workOf(plan, change, only, { references, mint, used: used.get(change.name) ?? [] }),
    after: change.after,
  });
  const staged = changes.map(asWork(({ isFinal }) => isFinal !== true));
  const isNew = ({ verb }: Change) => verb === 'create' || verb === 'replace';
  const goes = leaving
    .filter(({ verb }) => verb === 'delete')
    .map(({ name, type, current, after }) => ({ name, after, kind: type.kind.name as string, id: current?.row.id ?? '' }));
  return {
    stackId,
    projectId,
    from,
    caller: callerOf(services.kernel().registry, principal),
    stages: stagesOf(staged)
      .map((stage) => stage.filter(({ parts }) => parts.length > 0).map(({ name, parts }) => ({ name, parts })))
      .filter((stage) => stage.length > 0),
    last: changes.map(asWork(({ isFinal }) => isFinal === true)).flatMap(({ name, parts }) => (parts.length > 0 ? [{ name, parts }] : [])),
    leaving: [...stagesOf(inOrder(goes))].reverse().map((stage) => stage.map(({ name, kind, id }) => ({ name, kind, id }))),
    released: leaving.filter(({ verb }) => verb === 'release').map(({ name }) => name),
    members,
    joining: changes.filter(isNew).map(({ name, after, keep }) => ({ id: mint(stackResource.name), logicalName: name, after, keep })),
    noted: changes.flatMap((change) => {
      const { current, after, keep } = change;
      if (current === undefined || isNew(change)) return [];
      const { entry } = current;
      return entry.keep === keep && canonical([...entry.after]) === canonical([...after]) ? [] : [{ id: entry.id, after, keep }];
    }),
    revision: {
      id: mint(stackRevision.name),
      number,
      template: secrets.hiddenTemplate(asked.template),
      parameters: secrets.hiddenParameters(plan.values),
      secrets: references,
    },
    properties: Object.fromEntries(changes.map(({ name, properties }) => [name, secrets.hiddenIn(name, properties)])),
    description: asked.template.description ?? null,
    dropped: dropped.map(({ id, secrets: sealed }) => ({ id, sealed: Object.values(sealed) })),
  };
}

/** Behind what it needs, of what goes; what is needed and stays does not count. */
function inOrder<T extends { readonly name: string; readonly after: readonly string[] }>(all: readonly T[]): readonly T[] {
  const ordered: T[] = [];
  const visit = (one: T) => {
    if (ordered.includes(one)) return;
    for (const name of one.after) for (const other of all) if (other.name === name && other !== one) visit(other);
    if (!ordered.includes(one)) ordered.push(one);
  };
  for (const one of all) visit(one);
  return ordered;
}

function workOf(
  { ids, secrets, before, revision }: Plan,
  { name, verb, type, current, calls }: Change,
  only: (call: Call) => boolean,
  {
    references,
    mint,
    used,
  }: { readonly references: Sealed; readonly mint: Request['mint']; readonly used: readonly (readonly QuotaEffect[])[] },
): Work {
  const parts = calls.flatMap((call, index): readonly Part[] => {
    if (!only(call)) return [];
    const reserved = reservable(used[index] ?? []);
    const makes = call.back === undefined;
    const known = revision?.secrets ?? {};
    const part: Part = {
      operationId: mint('operation'),
      action: call.action,
      resourceId: makes || verb === 'create' ? (ids[name] ?? '') : (current?.row.id ?? ''),
      input: secrets.hiddenIn(name, call.input),
      sealed: sealedIn(references, name, call.input),
      ...(call.back === undefined ? { makes: type.kind.name } : {}),
      ...(reserved.length === 0 ? {} : { reserved }),
      ...(call.back === undefined || call.isFinal === true
        ? {}
        : { back: { input: before.hiddenIn(name, call.back), sealed: sealedIn(known, name, call.back) } }),
    };
    return [part];
  });
  return { name, parts };
}
