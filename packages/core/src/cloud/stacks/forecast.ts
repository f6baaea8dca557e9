import {
  CloudError,
  inLanes,
  isCloudError,
  isVisible,
  type Json,
  type JsonObject,
  type Principal,
  type Problem,
  type QuotaCounter,
  type QuotaEffect,
  quotaExceeded,
  quotaKey,
  type RowBase,
  readPermission,
} from '../../kernel/index.ts';
import type { CloudServices } from '../services.ts';
import { pathOf, removalInput } from './kinds.ts';
import { ofResource } from './part-runs.ts';
import type { Change, Plan } from './plan.ts';
import { mapped, placeOf, referenceOf } from './template.ts';
import { togetherBlockers } from './together.ts';

/** What a plan would use of quotas, and what would stand in its way, as far as that can be known before anything of it is done. */
export interface Forecast {
  readonly quota: readonly QuotaEffect[];
  readonly blockers: readonly CloudError[];
  /** Of each change, by name, what each of its calls would use. */
  readonly used: ReadonlyMap<string, readonly (readonly QuotaEffect[])[]>;
}

const PARALLEL = 4;
const BLOCKERS_SHOWN = 100;

type Blocker = Readonly<Record<'kind' | 'id' | 'name', string>>;

/**
 * Plays what does not depend on what is not there yet up to its commit, and looks at what leaves.
 * @throws CloudError with what is wrong with a resource of the template
 */
export async function forecast(services: CloudServices, principal: Principal, plan: Plan): Promise<Forecast> {
  const blockers = [...plan.blockers];
  const quota = new Map<string, QuotaEffect>();
  const add = (effect: QuotaEffect) => {
    const key = quotaKey(effect);
    quota.set(key, { ...effect, by: effect.by + (quota.get(key)?.by ?? 0) });
  };
  const played = await inLanes(plan.changes, PARALLEL, (change) => play(services, principal, plan, change));
  for (const { calls, refusals } of played) {
    blockers.push(...refusals);
    for (const effect of calls.flat()) add(effect);
  }
  blockers.push(...(await leavingBlockers(services, principal, plan.leaving)));
  if (!blockers.some(({ code }) => code === 'no_capacity')) blockers.push(...(await togetherBlockers(services.reader, plan)));
  for (const { by, ...effect } of quota.values())
    if (by > 0 && effect.limit !== null && effect.used + by > effect.limit && !blockers.some(({ code }) => code === 'quota_exceeded'))
      blockers.push(quotaExceeded({ ...effect, asked: by }));
  const used = new Map(plan.changes.map(({ name }, index) => [name, played[index]?.calls ?? []]));
  return { quota: [...quota.values()].filter(({ by }) => by !== 0), blockers, used };
}

interface Played {
  /** What each call would use. */
  readonly calls: readonly (readonly QuotaEffect[])[];
  readonly refusals: readonly CloudError[];
}

async function play(services: CloudServices, principal: Principal, plan: Plan, change: Change): Promise<Played> {
  const { name, verb, current, calls } = change;
  // What is made anew takes the name of what is there still.
  if (calls.length > 0 && (verb === 'replace' || calls.some(({ input }) => needsNew(plan, input)))) {
    const effects = await reckoned(services, principal, plan, change);
    return { calls: calls.map(({ back }) => (back === undefined ? effects : [])), refusals: [] };
  }
  const used: (readonly QuotaEffect[])[] = [];
  const refusals: CloudError[] = [];
  for (const { action, input } of calls) {
    const target = current === undefined ? {} : { resourceId: current.row.id };
    const rehearsal = await services
      .kernel()
      .rehearse({ action, input, principal, ...target })
      .catch((error: unknown) => {
        throw ofResource(name, error);
      });
    used.push(rehearsal.quota);
    refusals.push(...rehearsal.blockers.map((problem) => refusalOf(name, problem)));
  }
  return { calls: used, refusals };
}

/**
 * What its row counts for, and what it would use if all that is not there yet were left out of it; the larger of both.
 * @throws CloudError not_found where it names what is neither there nor in the template
 */
async function reckoned(services: CloudServices, principal: Principal, plan: Plan, change: Change): Promise<readonly QuotaEffect[]> {
  const { type, calls } = change;
  const found = new Map((await counted(services, principal, type.kind.quota ?? {}, change)).map((effect) => [quotaKey(effect), effect]));
  const [call] = calls.filter(({ back }) => back === undefined);
  if (call === undefined) return [...found.values()];
  const input = Object.fromEntries(Object.entries(call.input).filter(([, value]) => !needsNew(plan, value)));
  const rehearsal = await services
    .kernel()
    .rehearse({ action: call.action, input, principal })
    .catch((error: unknown) => {
      if (isCloudError(error) && error.code === 'not_found' && isNowhere(plan, input, error)) throw ofResource(change.name, error);
      // It may not do without what was left out: then there is no more to know.
      return undefined;
    });
  for (const effect of rehearsal?.quota ?? []) {
    const key = quotaKey(effect);
    if (effect.by > (found.get(key)?.by ?? 0)) found.set(key, effect);
  }
  return [...found.values()];
}

/** Nor does the template make anything of that name. */
function isNowhere({ changes }: Plan, input: JsonObject, { pointer = '' }: CloudError): boolean {
  const within = (at: Json | undefined, key: string) => (typeof at === 'object' && at !== null ? (at as JsonObject)[key] : undefined);
  const named = pathOf(pointer).reduce<Json | undefined>(within, input);
  return named !== undefined && !changes.some(({ properties }) => properties.name === named);
}

function needsNew({ changes, ids }: Plan, input: Json): boolean {
  const minted = new Set(changes.filter(({ verb }) => verb === 'create' || verb === 'replace').map(({ name }) => ids[name]));
  let needs = false;
  mapped(input, '', (value) => {
    needs ||= referenceOf(value) !== undefined || (typeof value === 'string' && minted.has(value));
    return undefined;
  });
  return needs;
}

/** What its row alone counts for, where that is in its properties. */
async function counted(
  { reader }: CloudServices,
  { projectId }: Principal,
  counters: Readonly<Record<string, 1 | string>>,
  { properties }: Change,
): Promise<readonly QuotaEffect[]> {
  return Promise.all(
    Object.entries(counters).map(async ([counter, field]) => {
      const of: QuotaCounter = { scope: 'project', id: projectId, counter };
      const { value: used = 0, limit = null } = (await reader.counter(quotaKey(of))) ?? {};
      const by = field === 1 ? 1 : properties[field];
      return { ...of, used, limit, by: typeof by === 'number' ? by : 0 };
    }),
  );
}

const refusalOf = (name: string, { code, detail, params }: Problem): CloudError =>
  new CloudError(code, `Resource ${name}: ${detail}`, { pointer: placeOf(name), params: { ...(params as object), resource: name } });

/** What others have attached to what leaves. What leaves with it does not count; what the caller may not see stands in the way, too. */
async function leavingBlockers(
  { kernel, reader }: CloudServices,
  principal: Principal,
  leaving: readonly Change[],
): Promise<readonly CloudError[]> {
  const { registry } = kernel();
  const request = { force: false, recursive: false, limit: Number.MAX_SAFE_INTEGER, sees: async () => true };
  const going = leaving.flatMap(({ name, verb, type, current }) =>
    verb !== 'delete' || current === undefined ? [] : [{ name, remove: type.remove, row: current.row }],
  );
  const previews = await inLanes(going, PARALLEL, async ({ name, remove, row }) => {
    const permanent = 'permanent' in removalInput(remove);
    return { name, preview: await kernel().previewDeletion(remove, row, { ...request, permanent }) };
  });
  const gone = new Set(previews.flatMap(({ preview }) => preview.deleted.rows.map(({ id }) => id)));
  const shown = async (blocker: Blocker) => {
    const kind = registry.kind(blocker.kind);
    const permission = readPermission(kind);
    const row: RowBase | undefined = principal.allows(permission) ? await reader.find(kind, blocker.id) : undefined;
    return row !== undefined && (await isVisible(kind, row, principal, permission, reader)) ? [blocker] : [];
  };
  const answers = await inLanes(previews, PARALLEL, async ({ name, preview: { blocked, resourceId } }) => {
    const standing = blocked.rows.filter(({ id }) => !gone.has(id) || id === resourceId);
    // One may be in the way by several of its fields.
    const rows = [...new Map(standing.map(({ kind, id, name }) => [id, { kind, id, name }])).values()];
    if (rows.length === 0) return [];
    const blockers = (await inLanes(rows.slice(0, BLOCKERS_SHOWN), PARALLEL, shown)).flat();
    const named = blockers.map((blocker) => `${blocker.kind} ${blocker.name}`);
    const users = named.length === 0 ? 'something that you may not see' : named.join(', ');
    return [
      new CloudError('in_use', `Resource ${name} cannot leave: it is still used by ${users}.`, {
        pointer: placeOf(name),
        params: { blockers },
      }),
    ];
  });
  return answers.flat();
}
