import { setImmediate } from 'node:timers/promises';
import type { Store } from '@pileus/core/kernel';
import { inlineSqlite, openSqlite, restoreSqlite, SqliteEngine } from '@pileus/core/sqlite';
import { describeStore } from '../../testing/conformance/store.ts';
import { SimEnvironment } from '../../testing/sim/environment.ts';
import { SimulatedStore } from '../../testing/sim/store.ts';
import { scratch } from './scratch.ts';

describeStore('embedded', {
  features: ['restore'],
  makeHarness: async () => {
    const { path, unused, remove } = await scratch();
    return {
      open: () => openSqlite({ path: path('store.db') }),
      target: unused,
      restore: async (from) => {
        const to = unused();
        await restoreSqlite({ from, to });
        return openSqlite({ path: to });
      },
      close: remove,
    };
  },
});

describeStore('inline', {
  features: [],
  makeHarness: async () => {
    const { unused, remove } = await scratch();
    const engine = new SqliteEngine({ path: ':memory:', incarnation: 'inline' });
    return {
      open: async () => inlineSqlite(engine),
      target: unused,
      close: async () => {
        engine.close();
        await remove();
      },
    };
  },
});

describeStore('simulated', {
  features: ['crash'],
  makeHarness: async () => {
    const { unused, remove } = await scratch();
    const engine = new SqliteEngine({ path: ':memory:', incarnation: 'simulated' });
    const environment = new SimEnvironment('store');
    let open: SimulatedStore | undefined;
    let ended = false;
    const keepTimeMoving = async () => {
      while (!ended) if (!(await environment.step())) await setImmediate();
    };
    const moving = keepTimeMoving();
    return {
      open: async (): Promise<Store> => {
        open = new SimulatedStore(engine, environment);
        return open;
      },
      target: unused,
      crash: async () => open?.kill(),
      close: async () => {
        ended = true;
        await moving;
        engine.close();
        await remove();
      },
    };
  },
});
