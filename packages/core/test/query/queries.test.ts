import { inlineSqlite } from '@pileus/core/sqlite';
import { commit, FULL } from '../../../../tools/test/slice.ts';
import { describeQueries } from '../../testing/query/suite.ts';

/** Each commit asks other queries, and always the same ones. */
const seed = Number(process.env.PILEUS_SEED ?? Number.parseInt(commit.slice(0, 7), 16)) || 1;

describeQueries('the embedded store', { open: async () => inlineSqlite(), runs: FULL ? 50_000 : 10_000, seed, byField: true });
