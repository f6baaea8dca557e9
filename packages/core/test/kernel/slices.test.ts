import { expect } from 'chai';
import { Slices } from '../../src/kernel/slices.ts';
import { SimEnvironment } from '../../testing/index.ts';

const ROWS = Array.from({ length: 300 }, (_, index) => index);
const SLICE = 64;

describe('Work over many rows', () => {
  it('goes on by one slice a turn of the event loop, however many do such work at once, and each in its order', async () => {
    const environment = new SimEnvironment('slices');
    const slices = new Slices(environment.timers);
    const seen: Record<string, number[]> = { one: [], other: [], third: [] };
    const works = Object.values(seen).map((rows) => slices.each(ROWS, (row) => void rows.push(row)));
    const done = () => Object.values(seen).reduce((sum, { length }) => sum + length, 0);
    const steps: number[] = [];
    for (let before = done(), left = true; left; before = done()) {
      left = await environment.step();
      steps.push(done() - before);
    }
    await Promise.all(works);
    expect(Math.max(...steps)).to.be.at.most(SLICE);
    expect(seen).to.deep.equal({ one: ROWS, other: ROWS, third: ROWS });
  });

  it('waits for what each row takes, ends with what one throws, and takes no turn for a few', async () => {
    const environment = new SimEnvironment('slices');
    const slices = new Slices(environment.timers);
    const seen: number[] = [];
    const asked = slices.each(ROWS.slice(0, SLICE), async (row) => {
      await Promise.resolve();
      seen.push(row);
      if (row === 40) throw new Error('the 40th');
    });
    let thrown: unknown;
    await asked.catch((error: unknown) => {
      thrown = error;
    });
    expect(thrown).to.have.property('message', 'the 40th');
    expect(seen).to.have.length(41);
    expect(await environment.step()).to.equal(false);
  });
});
