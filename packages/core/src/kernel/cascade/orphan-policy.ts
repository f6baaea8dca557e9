import { Type } from 'typebox';
import type { Principal } from '../access.ts';
import { describeChain } from '../errors.ts';
import type { Id } from '../id.ts';
import type { KernelServices } from '../kernel.ts';
import type { AnyKind, OnDelete, RefEdge } from '../kind.ts';
import { awaitsConfirmation } from '../recovery.ts';
import type { Registry } from '../registry.ts';
import { revert } from '../rows.ts';
import { defineSetting } from '../settings/definition.ts';
import { detach } from './delete.ts';
import type { FoundOrphan } from './orphans.ts';

export const orphanPolicy = defineSetting({
  name: 'orphans.rows',
  description:
    'What becomes of rows that refer to nothing that lives. `settle`: what the deletion of that would have made of them, so they are let go or deleted, each as its reference says; those that would have been in its way stay, and so do parts of something that no request deletes by themselves. `remove`: these go, too, the former by force, with what is theirs and nothing else uses. `keep`: they stay, and are listed.',
  schema: Type.Union([Type.Literal('keep'), Type.Literal('settle'), Type.Literal('remove')]),
  default: 'keep',
});
export const orphanAfterSeconds = defineSetting({
  name: 'orphans.afterSeconds',
  description: 'How long a row is looked at as an orphan, by one and the same server process, before it is settled.',
  schema: Type.Number({ minimum: 0 }),
  default: 86_400,
});
export const orphanSettings = [orphanPolicy, orphanAfterSeconds];

const LOOK_MS_MAX = 3600_000;
const LOOK_MS_MIN = 1000;
/** Looks in the time that an orphan has: it is settled that much late at most. */
const LOOKS = 10;

/** At work where each row is. */
const SYSTEM: Principal = { actor: 'system', projectId: '' as Id<'project'>, accountId: '' as Id<'account'>, allows: () => true };

/** What is made of an orphan where it is settled; `removed`: on `remove` alone. */
export type Becomes = 'detached' | 'deleted' | 'removed' | 'kept';

/** What would have been in the way of the deletion goes on `remove` alone, and what is deleted with its owner alone; rows of kinds whose plugin is absent never. */
export function becomesOf(registry: Registry, kind: AnyKind, how: OnDelete): Becomes {
  if (registry.findDormant(kind.name) !== undefined) return 'kept';
  if (how === 'detach') return 'detached';
  if (how === 'restrict' || !hasDeletion(registry, kind)) return 'removed';
  return 'deleted';
}

const hasDeletion = (registry: Registry, { name }: AnyKind): boolean => registry.findAction(`${name}.delete`) !== undefined;

type Find = (kind: AnyKind, edge: RefEdge) => AsyncIterable<FoundOrphan>;

/**
 * Settles orphans that have stayed such for as long as an operator has set. Nothing of a restored store before it is confirmed, nothing that an operation is
 * at work on, and nothing of kinds whose plugin is absent. Answers how to stop.
 */
export function startOrphanPolicy(services: KernelServices, find: Find): () => Promise<void> {
  const { environment, settings } = services;
  const stopping = new AbortController();
  const policy = new OrphanPolicy(services, find, stopping.signal);
  const ended = (async () => {
    while (!stopping.signal.aborted) {
      const pauseMs = (settings.global(orphanAfterSeconds) * 1000) / LOOKS;
      await settings.sleep(Math.min(LOOK_MS_MAX, Math.max(LOOK_MS_MIN, pauseMs)), orphanSettings, stopping.signal);
      try {
        if (!stopping.signal.aborted) await policy.look();
      } catch (error) {
        if (!stopping.signal.aborted) environment.logger.warn({ error: describeChain(error) }, 'orphans were not looked through');
      }
    }
  })();
  return async () => {
    stopping.abort();
    await ended;
  };
}

class OrphanPolicy {
  readonly #services: KernelServices;
  readonly #find: Find;
  readonly #signal: AbortSignal;
  /** Since when each is known to be an orphan, by kind, field and what it refers to. */
  #since: ReadonlyMap<string, number> = new Map();

  constructor(services: KernelServices, find: Find, signal: AbortSignal) {
    this.#services = services;
    this.#find = find;
    this.#signal = signal;
  }

  async look(): Promise<void> {
    const { kernel, environment, settings, store } = this.#services;
    const seen = new Map<string, number>();
    const policy = settings.global(orphanPolicy);
    const isOn = policy !== 'keep' && !(await awaitsConfirmation(store));
    const nowMs = environment.clock.monotonicMs();
    const { registry } = kernel();
    const kinds = registry.kinds().filter(({ name }) => registry.findDormant(name) === undefined);
    for (const kind of isOn ? kinds : [])
      for (const edge of kind.refs)
        for await (const found of this.#find(kind, edge)) {
          if (this.#signal.aborted) return;
          const { orphan, how } = found;
          const becomes = becomesOf(registry, kind, how);
          if (becomes === 'kept' || (becomes === 'removed' && policy !== 'remove')) continue;
          const name = `${orphan.kind}/${orphan.id}/${orphan.field}/${orphan.refersTo.id}`;
          const sinceMs = this.#since.get(name) ?? nowMs;
          seen.set(name, sinceMs);
          if (nowMs - sinceMs >= settings.global(orphanAfterSeconds) * 1000) await this.#settle(kind, edge, found, becomes);
        }
    this.#since = seen;
  }

  /** What is refused stays, and is asked for again at the next look. */
  async #settle(
    kind: AnyKind,
    { field, onDelete }: RefEdge,
    { orphan: { id, state, refersTo }, how }: FoundOrphan,
    becomes: Becomes,
  ): Promise<void> {
    const { kernel, environment } = this.#services;
    if (kernel().holds(id)) return;
    const told = { kind: kind.name, id, field, refersTo };
    // What is owned by its own word is deleted by itself once it is free.
    if (onDelete === 'detach') {
      const result = await kernel().observe([detach(kind, id, field, { [field]: refersTo.id })]);
      if (result.ok) environment.logger.info(told, 'an orphan was let go');
      if (!result.ok || how === 'detach') return;
    }
    // Parts are rows that go with their owner. What such a row stood for in a backend is a late arrival from now on, and removed by who looks there.
    if (!hasDeletion(kernel().registry, kind)) {
      const result = await kernel().observe([
        revert(kind, id as never, { from: state, to: 'deleted', expect: { [field]: refersTo.id, deletedAt: null } }),
      ]);
      if (result.ok) environment.logger.info(told, 'an orphan is removed');
      return;
    }
    // What it refers to may be what its deletion would need.
    const input = becomes === 'removed' ? { force: true } : {};
    await kernel()
      .submit({ action: `${kind.name}.delete`, resourceId: id, input, principal: SYSTEM })
      .then(
        () => environment.logger.info(told, 'an orphan is deleted'),
        (error: unknown) => environment.logger.warn({ ...told, error: describeChain(error) }, 'an orphan stays'),
      );
  }
}
