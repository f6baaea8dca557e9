import { describeStoreAggregates } from './store-aggregate.ts';
import { describeStoreCommits } from './store-commit.ts';
import { describeStoreCounters } from './store-counter.ts';
import { describeStoreFeed } from './store-feed.ts';
import { describeStoreJoins } from './store-join.ts';
import { describeStoreLife } from './store-life.ts';
import { describeStoreQueries } from './store-query.ts';
import { describeStoreRehearsals } from './store-rehearse.ts';
import { describeStoreSchemas } from './store-schema.ts';
import { type StoreFeature, type StoreHarness, StoreStage } from './store-stage.ts';

export type { StoreFeature, StoreHarness } from './store-stage.ts';

/** The store port's contract, sentence by sentence. Every adapter passes it. */
export function describeStore(
  name: string,
  { features, makeHarness }: { readonly features: readonly StoreFeature[]; readonly makeHarness: () => Promise<StoreHarness> },
): void {
  describe(`Store conformance: ${name}`, function () {
    this.timeout(300_000);
    let stage: StoreStage;
    beforeEach(async () => {
      stage = new StoreStage(await makeHarness());
    });
    afterEach(() => stage.end());

    const current = () => stage;
    describeStoreCommits(current);
    describeStoreCounters(current);
    describeStoreRehearsals(current);
    describeStoreQueries(current);
    describeStoreJoins(current);
    describeStoreAggregates(current);
    describeStoreFeed(current);
    describeStoreSchemas(current);
    describeStoreLife(current, features);
  });
}
