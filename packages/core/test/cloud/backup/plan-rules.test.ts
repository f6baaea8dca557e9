import { SimEnvironment } from '@pileus/core/testing';
import { expect } from 'chai';
import fc from 'fast-check';
import { beyondRetention, keptBy } from '../../../src/cloud/backup/plan-kept.ts';
import { nextTime } from '../../../src/cloud/backup/schedule.ts';
import type { backupPlan } from '../../../src/cloud/index.ts';
import type { AnyKind, Reader, RowOf } from '../../../src/kernel/index.ts';
import { Slices } from '../../../src/kernel/slices.ts';

const DAY_MS = 24 * 3600_000;

describe('schedules', () => {
  it('are in their time zone, over the change to summer time and back', () => {
    const at = (schedule: string, timeZone: string, after: string) => nextTime({ schedule, timeZone }, Date.parse(after));
    expect(at('30 2 * * *', 'UTC', '2030-01-01T00:00:00Z')).to.equal('2030-01-01T02:30:00.000Z');
    expect(at('30 12 * * *', 'Europe/Berlin', '2030-01-01T00:00:00Z')).to.equal('2030-01-01T11:30:00.000Z');
    expect(at('30 12 * * *', 'Europe/Berlin', '2030-07-01T00:00:00Z')).to.equal('2030-07-01T10:30:00.000Z');
    expect(at('@weekly', 'UTC', '2030-01-01T00:00:00Z')).to.equal('2030-01-06T00:00:00.000Z');
  });
});

describe('retention', () => {
  it('is decided by what a plan has made, read in slices between which others have their turn', async () => {
    const environment = new SimEnvironment('kept');
    const rows = (prefix: string) =>
      Array.from({ length: 300 }, (_, number) => JSON.stringify({ id: `${prefix}-${number}`, volumeId: 'v' }));
    const reader = {
      texts: async ({ name }: AnyKind) => rows(name),
      list: async () =>
        rows('backup')
          .slice(0, 2)
          .map((text) => JSON.parse(text) as unknown),
    } as unknown as Reader;
    const services = { reader, slices: new Slices(environment.timers) };
    for (const [plan, fewest] of [
      [{ id: 'plan' }, 4],
      [{ id: 'plan', atOneInstant: true }, 300 / 8],
    ] as const) {
      const asked = keptBy(services, plan as RowOf<typeof backupPlan>);
      let turns = 0;
      while (await environment.step()) turns += 1;
      expect(await asked).to.have.length(300);
      expect(turns).to.be.at.least(fewest);
    }
  });

  it('never takes the last one that was found sound, while no newer one was', () => {
    const at = (day: number, condition?: 'sound' | 'damaged') => ({
      takenAt: `2030-05-0${day}T00:00:00.000Z`,
      ...(condition && { condition }),
    });
    const nowMs = Date.parse('2030-06-01T00:00:00Z');
    const [untested, damaged, sound, older] = [at(4), at(3, 'damaged'), at(2, 'sound'), at(1, 'sound')];
    expect(beyondRetention({ keepCount: 1, keepDays: 1 }, [untested, damaged, sound, older], nowMs)).to.deep.equal([damaged, older]);
    expect(beyondRetention({ keepCount: 1 }, [sound, older], nowMs)).to.deep.equal([older]);
  });

  it('takes the oldest alone, and never the last one', () => {
    const nowMs = Date.parse('2030-06-01T00:00:00Z');
    const option = fc.option(fc.integer({ min: 1, max: 20 }), { nil: undefined });
    const ages = fc.uniqueArray(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(ages, option, option, (days, keepCount, keepDays) => {
        const newestFirst = days.toSorted((a, b) => a - b).map((age) => ({ takenAt: new Date(nowMs - age * DAY_MS).toISOString() }));
        const plan = { ...(keepCount === undefined ? {} : { keepCount }), ...(keepDays === undefined ? {} : { keepDays }) };
        const gone = beyondRetention(plan, newestFirst, nowMs);
        const kept = newestFirst.slice(0, newestFirst.length - gone.length);
        expect(kept).to.have.length.of.at.least(1);
        expect([...kept, ...gone]).to.deep.equal(newestFirst);
        if (keepCount !== undefined) expect(kept).to.have.length.of.at.most(keepCount);
        if (keepDays !== undefined)
          for (const { takenAt } of kept.slice(1)) expect(nowMs - Date.parse(takenAt)).to.be.at.most(keepDays * DAY_MS);
        if (keepCount === undefined && keepDays === undefined) expect(gone).to.deep.equal([]);
      }),
    );
  });
});
