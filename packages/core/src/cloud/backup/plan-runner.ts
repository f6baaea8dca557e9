import {
  type AnyKind,
  both,
  change,
  describeChain,
  equals,
  type Id,
  inProject,
  isCloudError,
  type NameOf,
  type Principal,
  type RowOf,
  tag,
  timestamp,
} from '../../kernel/index.ts';
import { instance } from '../compute/contract.ts';
import { project, systemPrincipal } from '../identity/contract.ts';
import type { CloudServices } from '../services.ts';
import { disksOf, volume } from '../storage/contract.ts';
import { backup } from './backup.ts';
import { backupPlan } from './backup-plan.ts';
import { beyondRetention, type Kept, keptBy } from './plan-kept.ts';
import { nextTime } from './schedule.ts';
import { backupSet } from './sets/backup-set.ts';

type PlanRow = RowOf<typeof backupPlan>;
type VolumeRow = RowOf<typeof volume>;
type InstanceRow = RowOf<typeof instance>;

/** So late may a plan begin. */
const LOOK_MS = 60_000;
/** After something has changed; more may at the same time. */
const SOON_MS = 5_000;
const AT_ONCE = 200;
/** What was asked for and failed, a test without room or a removal, is asked for again after so long; and what is too old by then goes. */
const AGAIN_MS = 3600_000;
/** Of what one volume, or one machine, has: each test takes room for the volumes in it. One that hangs does not keep the others from theirs. */
const TESTS_AT_ONCE = 2;
/** Of one plan in one look: where very many have grown too old, other plans have their turn in between. */
const REMOVALS_AT_ONCE = 200;

const WATCHED: ReadonlySet<string> = new Set([backup.name, backupSet.name, backupPlan.name]);

interface Settling {
  readonly plan: PlanRow;
  /** When that began, by the monotonic clock: what is asked for then may be asked for again when the plan is settled again. */
  readonly nowMs: number;
}

const isBefore = ({ nextRunAt = '' }: PlanRow) => ({ field: 'createdAt', op: '<', value: nextRunAt }) as const;

/**
 * Has plans run when they are due, and puts what they have made in order: what is kept, what is tested, what can be recovered. A reconciler: each look goes by rows
 * alone, and asks for operations under names that follow from them, so that a look that is repeated, by another life or another node, asks for the same.
 */
export class PlanRunner {
  readonly #services: CloudServices;
  /** Backups, and sets of them, that have come to be, or were tested, since the last look. */
  readonly #changed = new Set<string>();
  /** When each plan is settled again at the latest, by the monotonic clock: what it keeps grows old also while it is disabled, and what was asked for may fail. */
  readonly #again = new Map<string, number>();
  /** By action and what it is for: when a test or a removal was asked for, by the monotonic clock. */
  readonly #asked = new Map<string, number>();
  #knowsPlans = false;
  #stopped = false;
  /** A look is at work, or near. */
  #isSoon = false;
  #cancel: () => void = () => undefined;
  #working: Promise<void> = Promise.resolve();

  constructor(services: CloudServices) {
    this.#services = services;
  }

  start(): () => Promise<void> {
    const { kernel } = this.#services;
    this.#plan(SOON_MS);
    const deaf = kernel().onOutcome((statements, ok) => {
      if (!ok) return;
      for (const each of statements) {
        if (each.op !== 'update' || !WATCHED.has(each.table)) continue;
        if (each.table !== backupPlan.name) this.#changed.add(each.key);
        if (!this.#isSoon) this.#plan(SOON_MS);
      }
    });
    return async () => {
      deaf();
      this.#stopped = true;
      this.#cancel();
      await this.#working;
    };
  }

  #plan(delayMs: number): void {
    if (this.#stopped) return;
    const { environment } = this.#services;
    this.#isSoon = delayMs === SOON_MS;
    this.#cancel();
    this.#cancel = environment.timers.after(delayMs, () => {
      // What changes during the look is looked at by the next.
      this.#isSoon = true;
      this.#working = this.#look()
        .catch((error: unknown) => environment.logger.warn({ error: describeChain(error) }, 'plans of backups were not looked through'))
        .then(() => this.#plan(this.#changed.size > 0 ? SOON_MS : LOOK_MS));
    });
  }

  async #look(): Promise<void> {
    const { reader, environment } = this.#services;
    await this.#recallPlans();
    const isDue = both(equals('state', 'available'), { field: 'nextRunAt', op: '<=', value: timestamp(environment.clock) });
    const nowMs = environment.clock.monotonicMs();
    // Whatever is to be settled is noted until it was read: the store may be away at any of these.
    for (const plan of await reader.list(backupPlan, isDue, { limit: AT_ONCE })) {
      await this.#alone(plan.id, this.#run(plan));
      this.#again.set(plan.id, nowMs);
    }
    for (const id of [...this.#changed]) {
      const planId = await this.#planOf(id);
      if (planId !== undefined) this.#again.set(planId, nowMs);
      this.#changed.delete(id);
    }
    for (const [what, askedAtMs] of this.#asked) if (askedAtMs + AGAIN_MS <= nowMs) this.#asked.delete(what);
    for (const id of [...this.#again].flatMap(([planId, againAtMs]) => (againAtMs <= nowMs ? [planId] : []))) {
      const plan = await this.#live(id);
      if (plan === undefined) this.#again.delete(id);
      else
        await this.#alone(
          id,
          this.#settle(plan).catch((error: unknown) => this.#settleSoon(id, nowMs, error)),
        );
    }
  }

  /** Undefined for one that is deleted, or on its way there: what it has made stays, and nothing more is done for it. */
  async #live(id: string): Promise<PlanRow | undefined> {
    const plan = await this.#services.reader.find(backupPlan, id);
    return plan === undefined || plan.deletedAt !== undefined || plan.state === 'deleting' ? undefined : plan;
  }

  /** The plan that has made a backup or a set, or the set that a backup is in. */
  async #planOf(id: string): Promise<Id<'backupPlan'> | undefined> {
    const { reader } = this.#services;
    const row = await reader.find(backup, id);
    return row?.planId ?? (await reader.find(backupSet, row?.setId ?? id))?.planId;
  }

  /** What a life before has asked for. */
  async #recallPlans(): Promise<void> {
    if (this.#knowsPlans) return;
    const { reader, slices, environment } = this.#services;
    for (const { id } of await slices.list(reader, backupPlan)) this.#again.set(id, environment.clock.monotonicMs());
    this.#knowsPlans = true;
  }

  /** What goes wrong with one plan keeps no other waiting. */
  #alone(planId: string, work: Promise<void>): Promise<void> {
    const { logger } = this.#services.environment;
    return work.catch((error: unknown) => logger.warn({ planId, error: describeChain(error) }, 'a plan of backups was not looked after'));
  }

  /** What was noted for an hour ahead was not done. @throws the error */
  #settleSoon(planId: string, nowMs: number, error: unknown): never {
    this.#again.set(planId, nowMs + LOOK_MS);
    throw error;
  }

  /** A time that was missed is made up for once, however many were. */
  async #run(plan: PlanRow): Promise<void> {
    const { clock } = this.#services.environment;
    const refusals: string[] = [];
    const [action, field] = plan.atOneInstant === true ? ['backupSet.create', 'instanceId'] : ['backup.create', 'volumeId'];
    for (const { id, name } of await this.#subjects(plan)) {
      const input = { [field]: id, storeId: plan.storeId, planId: plan.id };
      const refusal = (await this.#beforeIt(plan, id, name)) ?? (await this.#ask(plan, action, input, `${plan.nextRunAt}/${id}`));
      if (refusal !== undefined) refusals.push(`${name}: ${refusal}`);
    }
    const set = {
      ...{ lastRunAt: timestamp(clock), nextRunAt: nextTime(plan, clock.nowMs()) },
      lastRefusal: refusals.length === 0 ? null : refusals.join(' ').slice(0, 1000),
    };
    await this.#services.kernel().observe([change(backupPlan, plan.id, set, { nextRunAt: plan.nextRunAt ?? null })]);
  }

  /**
   * That the one of an earlier time is not done yet: this time is left out, for where copies take longer than the time between them ever more would be under way.
   * What has come to be since this time is of a look before this one.
   */
  async #beforeIt(plan: PlanRow, id: string, name: string): Promise<string | undefined> {
    const { reader } = this.#services;
    const isUnderWay = both(equals('planId', plan.id), equals('state', 'creating'));
    const [one] =
      plan.atOneInstant === true
        ? // Whose it is is in its row when it is made; until then the name is.
          await reader.list(backupSet, both(isUnderWay, equals('instanceName', name), isBefore(plan)), { limit: 1 })
        : await reader.list(backup, both(isUnderWay, equals('volumeId', id), isBefore(plan)), { limit: 1 });
    return one === undefined ? undefined : `The backup before it, ${one.name} of ${one.createdAt}, is not done yet.`;
  }

  /** What it backs up now: volumes, or whole machines. */
  #subjects(plan: PlanRow): Promise<readonly (VolumeRow | InstanceRow)[]> {
    return plan.atOneInstant === true ? this.#machines(plan) : this.#volumes(plan);
  }

  async #machines({ instanceId, tag: wanted, projectId }: PlanRow): Promise<readonly InstanceRow[]> {
    const ids = instanceId === undefined ? await this.#tagged(instance, wanted ?? '', projectId) : [instanceId];
    return this.#found(instance, ids, ({ deletedAt, trash }) => deletedAt === undefined && trash === undefined);
  }

  async #volumes({ volumeId, instanceId, tag: wanted, projectId }: PlanRow): Promise<readonly VolumeRow[]> {
    const { reader } = this.#services;
    if (instanceId !== undefined) return disksOf(reader, [instanceId]);
    const ids = volumeId === undefined ? await this.#tagged(volume, wanted ?? '', projectId) : [volumeId];
    return this.#found(volume, ids, ({ state }) => state === 'available' || state === 'attached');
  }

  async #found<K extends AnyKind>(kind: K, ids: readonly string[], isIt: (row: RowOf<K>) => boolean): Promise<readonly RowOf<K>[]> {
    const { reader, slices } = this.#services;
    const rows: RowOf<K>[] = [];
    await slices.each(ids, async (id) => {
      const row = await reader.find(kind, id);
      if (row !== undefined && isIt(row)) rows.push(row);
    });
    return rows;
  }

  async #tagged<K extends AnyKind>(kind: K, wanted: string, projectId: PlanRow['projectId']): Promise<readonly Id<NameOf<K>>[]> {
    const [key = '', ...rest] = wanted.split('=');
    const isIt = both(equals('key', key), equals('projectId', projectId ?? ''));
    const { reader, slices } = this.#services;
    const tags = await slices.list(reader, tag, rest.length === 0 ? isIt : both(isIt, equals('value', rest.join('='))));
    return tags.filter(({ resourceKind }) => resourceKind === kind.name).map(({ resourceId }) => resourceId as Id<NameOf<K>>);
  }

  /** Answers why it was refused. The plan may have been deleted since it was read. */
  async #ask(plan: PlanRow, action: string, input: object, name: string, resourceId?: string): Promise<string | undefined> {
    if ((await this.#live(plan.id)) === undefined) return undefined;
    const target = resourceId === undefined ? {} : { resourceId };
    const principal = await this.#principal(plan);
    try {
      await this.#services.kernel().submit({ action, input, principal, idempotencyKey: `backup-plan/${plan.id}/${name}`, ...target });
      return undefined;
    } catch (error) {
      if (!isCloudError(error)) throw error;
      return error.publicMessage;
    }
  }

  /** Whether it was asked for lately, or something else is under way. */
  #isAsked(action: string, id: string): boolean {
    return this.#asked.has(`${action}/${id}`) || this.#services.kernel().holds(id);
  }

  /** Under a name of its own each time: one that failed would answer for the next. */
  async #insist({ plan, nowMs }: Settling, action: string, input: object, id: string): Promise<void> {
    this.#asked.set(`${action}/${id}`, nowMs);
    const hour = Math.floor(this.#services.environment.clock.nowMs() / AGAIN_MS);
    try {
      await this.#ask(plan, action, input, `${action}/${id}/${hour}`, id);
    } catch (error) {
      this.#asked.delete(`${action}/${id}`);
      throw error;
    }
  }

  async #principal({ projectId }: PlanRow): Promise<Principal> {
    const row = await this.#services.reader.get(project as AnyKind, projectId ?? '');
    return inProject(systemPrincipal(), row.id as Id<'project'>, (row as unknown as { accountId: Id<'account'> }).accountId);
  }

  async #settle(plan: PlanRow): Promise<void> {
    const { slices, environment } = this.#services;
    const nowMs = environment.clock.monotonicMs();
    this.#again.set(plan.id, nowMs + AGAIN_MS);
    const [kept, tested]: [Kept[], Kept[]] = [[], []];
    let removals = 0;
    await slices.each([...Map.groupBy(await keptBy(this.#services, plan), ({ of }) => of).values()], async (ofOne) => {
      const newestFirst = ofOne.toSorted((a, b) => (a.takenAt < b.takenAt ? 1 : -1));
      const beyond = new Set(beyondRetention(plan, newestFirst, environment.clock.nowMs()));
      for (const { kind, id } of beyond) {
        if (this.#isAsked(`${kind}.delete`, id)) continue;
        if (removals === REMOVALS_AT_ONCE) {
          this.#again.set(plan.id, nowMs + LOOK_MS);
          break;
        }
        removals += 1;
        await this.#insist({ plan, nowMs }, `${kind}.delete`, {}, id);
      }
      const staying = newestFirst.filter((each) => !beyond.has(each));
      if (plan.verify) await this.#test({ plan, nowMs }, staying);
      // From a damaged one nothing is recovered whole.
      const recoverable = newestFirst.find(({ condition }) => condition !== 'damaged');
      if (recoverable !== undefined) kept.push(recoverable);
      // The newest may be waiting for its test.
      const last = newestFirst.find(({ condition, backups }) => condition !== 'damaged' && backups.every(isTried));
      if (last !== undefined) tested.push(last);
    });
    const set = await this.#recovery(plan, kept, tested);
    if (set.recoveryPointAt !== (plan.recoveryPointAt ?? null) || set.recoverySeconds !== (plan.recoverySeconds ?? null))
      await this.#services.kernel().observe([change(backupPlan, plan.id, set)]);
  }

  /** One after another of those that nobody has tested, the newest first. What failed lately has its turn again later. */
  async #test({ plan, nowMs }: Settling, newestFirst: readonly Kept[]): Promise<void> {
    const { kernel } = this.#services;
    const untested = newestFirst
      .map(({ backups }) => backups.filter(({ checkedAt }) => checkedAt === undefined).map(({ id }) => id))
      .filter((ids) => ids.length > 0);
    let underWay = untested.filter((ids) => ids.some((id) => kernel().holds(id))).length;
    for (const ids of untested) {
      const left = ids.filter((id) => !this.#isAsked('backup.verify', id));
      if (left.length === 0) continue;
      if (underWay >= TESTS_AT_ONCE) {
        this.#again.set(plan.id, nowMs + LOOK_MS);
        return;
      }
      underWay += 1;
      for (const id of left) await this.#insist({ plan, nowMs }, 'backup.verify', { restore: true }, id);
    }
  }

  async #recovery(plan: PlanRow, newest: readonly Kept[], tested: readonly Kept[]) {
    const takenAt = new Map(newest.map((each) => [each.of, each.takenAt]));
    const points = (await this.#subjects(plan)).map(({ id }) => takenAt.get(id));
    const isWhole = points.length > 0 && !points.includes(undefined);
    const seconds = tested.flatMap(({ backups }) => backups.flatMap(({ restoreSeconds }) => restoreSeconds ?? []));
    return {
      recoveryPointAt: isWhole ? (points.toSorted()[0] ?? null) : null,
      recoverySeconds: seconds.length === 0 ? null : Math.max(...seconds),
    };
  }
}

const isTried = ({ restoreSeconds }: Kept['backups'][number]): boolean => restoreSeconds !== undefined;
