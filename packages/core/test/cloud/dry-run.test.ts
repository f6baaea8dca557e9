import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { isCloudError, type Rehearsal, type SubmitRequest, toErrorRecord } from '../../src/kernel/index.ts';
import type { SimCloud } from '../../testing/index.ts';
import { scenarios } from './scenarios.ts';
import { machine, smallCloud } from './small-cloud.ts';

/** What preparations have set off in the background has ended by then. */
const SETTLED_MS = 30_000;

interface Asked {
  readonly action: string;
  readonly input: unknown;
  readonly resourceId: string | undefined;
}
interface Case {
  readonly name: string;
  /** Brings a cloud to where the action can be asked for. */
  readonly prepare: () => Promise<{ readonly sim: SimCloud; readonly asked: Asked; readonly end?: () => void }>;
}

/** Takes down what a scenario asks for, without asking it. */
async function askedBy(act: (sim: SimCloud) => Promise<string>): Promise<Asked> {
  let asked: Asked | undefined;
  const submit: SimCloud['submit'] = async (action, input, resourceId) => {
    asked = { action, input, resourceId };
    return { operationId: '', action, resourceKind: '', resourceId: '', acceptedAt: '' };
  };
  await act({ submit } as SimCloud);
  if (asked === undefined) throw new Error('the scenario asked for nothing');
  return asked;
}

/** A machine that a restored store knows nothing of. */
async function quarantined(action: string) {
  const directory = mkdtempSync(join(tmpdir(), 'pileus-dry-run-'));
  const at = await smallCloud();
  const { sim } = at;
  const file = join(directory, 'store.db');
  sim.backup(file);
  await sim.done('instance.create', machine(at));
  await sim.restore(file);
  await sim.run(60_000);
  const found = sim.rows('stray').find((row) => row.objectKind === 'machine');
  return { sim, asked: { action, input: {}, resourceId: String(found?.id) }, end: () => rmSync(directory, { recursive: true }) };
}

async function withoutContent() {
  const { sim } = await smallCloud();
  return { sim, asked: { action: 'image.complete', input: {}, resourceId: await sim.done('image.create', { name: 'empty' }) } };
}

const cases: readonly Case[] = [
  ...scenarios.map(({ name, prepare, act }) => ({
    name,
    prepare: async () => {
      const sim = await prepare();
      return { sim, asked: await askedBy(act) };
    },
  })),
  ...['stray.adopt', 'stray.delete', 'stray.remove'].map((action) => ({ name: action, prepare: () => quarantined(action) })),
  { name: 'image.complete', prepare: withoutContent },
];

/** Everything that is kept anywhere: rows of all tables, deleted ones too, counters, the feed, and what is real. */
async function everything(sim: SimCloud): Promise<string> {
  const { store } = sim.kernel.services;
  const read = async () => {
    const tables = sim.kernel.registry.schema().tables;
    const rows = await Promise.all(tables.map(({ name }) => store.list({ table: name, deleted: true })));
    return { rows, counters: await store.counters(''), changes: await store.changes(0, 1_000_000), bounds: await store.bounds() };
  };
  return JSON.stringify({ ...(await sim.environment.complete(read())), world: sim.world.snapshot(), at: sim.kernel.operations.unfinished });
}

const requestOf = (sim: SimCloud, { resourceId, ...asked }: Asked): SubmitRequest => ({
  ...asked,
  principal: sim.principal,
  ...(resourceId === undefined ? {} : { resourceId }),
});

/** What a dry run tells: that it would be accepted, or the code of the refusal. */
async function told(sim: SimCloud, asked: Asked): Promise<{ readonly says: string; readonly rehearsal?: Rehearsal }> {
  try {
    const rehearsal = await sim.environment.complete(sim.kernel.rehearse(requestOf(sim, asked)));
    expect(rehearsal.accepted).to.equal(rehearsal.blockers.length === 0);
    return { says: rehearsal.blockers[0]?.code ?? 'accepted', rehearsal };
  } catch (error) {
    if (!isCloudError(error)) throw error;
    return { says: error.code };
  }
}

const quotas = (sim: SimCloud) => new Map(sim.counters().flatMap(({ key, value }) => (key.startsWith('quota/') ? [[key, value]] : [])));

/** The real thing, held before its first step, so that what is seen is what was written with its acceptance. */
async function done(sim: SimCloud, asked: Asked) {
  const before = quotas(sim);
  sim.around = () => new Promise(() => undefined);
  try {
    const accepted = await sim.environment.complete(sim.kernel.submit(requestOf(sim, asked)));
    const after = quotas(sim);
    const effect = [...after].flatMap(([key, value]) =>
      value === (before.get(key) ?? 0) ? [] : [`${key} ${value - (before.get(key) ?? 0)}`],
    );
    return { says: 'accepted', effect: effect.sort(), operation: sim.row('operation', accepted.operationId) };
  } catch (error) {
    return { says: toErrorRecord(error).code as string, effect: [], operation: undefined };
  }
}

const withoutIds = (notes: unknown): string => JSON.stringify(notes ?? {}).replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '');

interface StackNotes {
  readonly plan: { readonly changes: readonly { readonly name: string; readonly action: string }[] };
  readonly parts: readonly { readonly name: string }[];
}
const namesOf = (named: readonly { readonly name: string }[]): readonly string[] => [...new Set(named.map(({ name }) => name))].sort();
const plannedParts = ({ plan }: StackNotes): readonly string[] =>
  namesOf(plan.changes.filter(({ action }) => ['create', 'update', 'replace'].includes(action)));

describe('a dry run of every action', () => {
  for (const { name, prepare } of cases)
    it(`${name} changes nothing, and tells what asking does`, async function () {
      this.timeout(300_000);
      const { sim, asked, end } = await prepare();
      await sim.run(SETTLED_MS);
      const before = await everything(sim);
      const { says, rehearsal } = await told(sim, asked);
      await told(sim, asked);
      expect(await everything(sim)).to.equal(before);
      const real = await done(sim, asked);
      expect(says).to.equal(real.says);
      if (rehearsal?.accepted === true) {
        const effect = rehearsal.quota.map(({ scope, id, counter, by }) => `quota/${scope}/${id}/${counter} ${by}`).sort();
        // A new account counts for itself, under an id that it has when it is there.
        if (asked.action === 'account.create') expect(withoutIds(effect)).to.equal(withoutIds(real.effect));
        else expect(effect).to.deep.equal(real.effect);
        const notes = real.operation?.notes as Partial<StackNotes> | undefined;
        // Of a stack a dry run tells the whole plan, and the operation by which others that is done.
        if (notes?.parts !== undefined) expect(plannedParts(rehearsal.notes as unknown as StackNotes)).to.deep.equal(namesOf(notes.parts));
        else expect(withoutIds(rehearsal.notes)).to.equal(withoutIds(notes));
        expect(rehearsal.resourceId).to.equal(asked.resourceId);
        const { steps } = sim.kernel.registry.action(asked.action).saga;
        expect(rehearsal.steps).to.deep.equal(steps.map((step) => step.name));
      }
      sim.dispose();
      end?.();
    });

  for (const { name, prepare } of cases)
    it(`${name} asked for once more is told what asking does`, async function () {
      this.timeout(300_000);
      const { sim, asked, end } = await prepare();
      const first = await sim.environment.complete(sim.kernel.submit(requestOf(sim, asked))).catch(() => undefined);
      if (first !== undefined) await sim.ended(first.operationId);
      await sim.run(SETTLED_MS);
      const before = await everything(sim);
      const { says, rehearsal } = await told(sim, asked);
      expect(await everything(sim)).to.equal(before);
      const real = await done(sim, asked);
      expect(says).to.equal(real.says);
      if (rehearsal?.accepted === true && rehearsal.steps.length === 0 && asked.resourceId !== undefined)
        expect(real.operation?.state).to.be.oneOf(['succeeded', 'running']);
      sim.dispose();
      end?.();
    });

  it('leaves no action out', async () => {
    const { sim } = await smallCloud();
    const played = new Set(cases.map(({ name }) => name.split(' ')[0]));
    const names = sim.kernel.registry.actions().map((action) => action.name);
    expect(names.filter((name) => !played.has(name))).to.deep.equal([]);
    sim.dispose();
  });
});
