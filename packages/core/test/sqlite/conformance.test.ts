import { setImmediate } from 'node:timers/promises';
import type { Store } from '@pileus/core/kernel';
import { inlineSqlite, openSqlite, restoreSqlite, SqliteEngine } from '@pileus/core/sqlite';
import { describeSagaStore } from '../../testing/conformance/saga-store.ts';
import { describeStore } from '../../testing/conformance/store.ts';
import type { StoreHarness } from '../../testing/conformance/store-stage.ts';
import { SimEnvironment } from '../../testing/sim/environment.ts';
import { SimulatedStore } from '../../testing/sim/store.ts';
import { scratch } from './scratch.ts';

async function embedded(options?: Parameters<typeof scratch>[0]): Promise<StoreHarness> {
  const { path, unused, remove } = await scratch(options);
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
}

async function inline(): Promise<StoreHarness> {
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
}

async function simulated(): Promise<StoreHarness> {
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
}

describeStore('embedded', { features: ['restore'], makeHarness: () => embedded() });
describeStore('inline', { features: [], makeHarness: inline });
describeStore('simulated', { features: ['crash'], makeHarness: simulated });

describeSagaStore('embedded', { features: [], makeHarness: () => embedded({ inMemory: true }) });
describeSagaStore('inline', { features: ['takeover'], makeHarness: inline });
describeSagaStore('simulated', { features: ['takeover'], makeHarness: simulated });
