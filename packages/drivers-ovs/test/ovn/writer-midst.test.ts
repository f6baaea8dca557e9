import { expect } from 'chai';
import { Bounds } from '../../src/ovn/bounds.ts';
import { Changes } from '../../src/ovn/changes.ts';
import type { Difference } from '../../src/ovn/difference.ts';
import { NorthboundWriter } from '../../src/ovn/writer.ts';
import { type Operation, ovnNorthbound, type Results } from '../../src/ovsdb/index.ts';
import { idOf } from './specs.ts';

const nothing = (object: string): Difference => ({ changes: new Changes(), touched: [object] });
function row(object: string): Difference {
  const changes = new Changes();
  changes.insert('DNS', idOf(object), {});
  return { changes, touched: [object] };
}

describe('a writer in the midst of a transaction', () => {
  let answers: PromiseWithResolvers<readonly never[]>[];
  let isSure: boolean;
  let writer: NorthboundWriter;
  let underWay: Promise<void>;
  let bounds: Bounds;

  /** Has the transaction under way end, and each that follows. */
  const end = () => {
    answers.at(-1)?.resolve([]);
    const resolved = Promise.withResolvers<readonly never[]>();
    resolved.resolve([]);
    answers.push(resolved);
  };
  const ask = (object: string, difference: (object: string) => Difference) =>
    writer.write(object, bounds, () => difference(object), object);
  /** Whether it has its answer while the transaction is under way. */
  async function isAnswered(work: Promise<void>): Promise<boolean> {
    let isDone = false;
    void work.then(() => {
      isDone = true;
    });
    await new Promise(setImmediate);
    return isDone;
  }

  beforeEach(async () => {
    // It begins to run out when it is made: not when the file is read, which may be minutes before.
    bounds = new Bounds({ signal: new AbortController().signal, timeoutMs: 60_000 });
    answers = [];
    isSure = false;
    const client = {
      database: ovnNorthbound,
      transact: <const O extends readonly Operation[]>(_operations: O) => {
        if (answers.length === 0) answers.push(Promise.withResolvers());
        return answers.at(-1)?.promise as Promise<unknown> as Promise<Results<O>>;
      },
    };
    writer = new NorthboundWriter(client, {
      guards: [],
      get isSure() {
        return isSure;
      },
      begin: async () => {
        isSure = true;
      },
      doubt: () => {
        isSure = false;
      },
      end: () => {
        isSure = false;
      },
    });
    underWay = ask('first', row);
    await new Promise(setImmediate);
    expect(writer.sent.transactions).to.equal(1);
  });

  afterEach(async () => {
    end();
    await underWay;
    await writer.idle();
  });

  it('answers at once who would change nothing', async () => {
    expect(await isAnswered(ask('other', nothing))).to.equal(true);
    expect(writer.sent.transactions).to.equal(1);
  });

  it('has who would change something wait', async () => {
    const work = ask('other', row);
    expect(await isAnswered(work)).to.equal(false);
    end();
    await work;
    expect(writer.sent.transactions).to.equal(2);
  });

  it('has wait who is about the same as what is under way, or as what waits', async () => {
    const [same, waiting] = [ask('first', nothing), ask('second', row)];
    const second = ask('second', nothing);
    for (const work of [same, waiting, second]) expect(await isAnswered(work)).to.equal(false);
    end();
    await Promise.all([same, waiting, second]);
  });

  it('has everybody wait once it is not sure of what is there', async () => {
    isSure = false;
    const work = ask('other', nothing);
    expect(await isAnswered(work)).to.equal(false);
    end();
    await work;
  });

  it('refuses nobody for what may be gone in a moment', async () => {
    let isGone = false;
    const work = ask('other', (object) => {
      if (!isGone) throw new Error('it is in the way');
      return nothing(object);
    });
    expect(await isAnswered(work)).to.equal(false);
    isGone = true;
    end();
    await work;
  });
});
