import type { CommitResult, Store } from '@pileus/core/kernel';
import { inlineSqlite } from '@pileus/core/sqlite';
import { SimEnvironment } from '@pileus/core/testing';
import { expect } from 'chai';
import { Health } from '../src/http/health.ts';

describe('server: readiness', () => {
  const healthOf = (commit: () => Promise<CommitResult>) => {
    const environment = new SimEnvironment('health');
    const store = Object.assign(inlineSqlite(), { commit }) satisfies Store;
    return { environment, health: new Health(store, environment) };
  };

  it('says within two seconds that the store does not answer, and looks again later', async () => {
    let answer = new Promise<CommitResult>(() => {});
    const { environment, health } = healthOf(() => answer);
    const startedMs = environment.clock.monotonicMs();
    expect(await environment.complete(health.problem())).to.equal('the store does not answer');
    expect(environment.clock.monotonicMs() - startedMs).to.equal(2000);
    answer = Promise.resolve({ ok: true, revision: 1 });
    await environment.run(startedMs + 6000);
    expect(await environment.complete(health.problem())).to.equal(undefined);
  });

  it('says that the store takes no writes, and that the server is stopping', async () => {
    const { environment, health } = healthOf(() => Promise.reject(new Error('read-only')));
    expect(await environment.complete(health.problem())).to.equal('the store takes no writes');
    health.stop();
    expect(await environment.complete(health.problem())).to.equal('stopping');
  });
});
