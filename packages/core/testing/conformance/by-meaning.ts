import { expect } from 'chai';
import type { JsonObject } from '../../src/kernel/json.ts';
import { matches } from '../../src/kernel/query/matches.ts';
import { tally } from '../../src/kernel/query/tally.ts';
import type { AggregateQuery, AggregateRow, Condition } from '../../src/kernel/store.ts';
import { grouped, holds, type RowsOf } from '../query/meaning.ts';

/** The rows that a condition holds for, by what its words mean. What the product takes them for where it asks no store must be the same. */
export function passing(given: readonly JsonObject[], where: Condition, others: RowsOf = () => []): JsonObject[] {
  const expected = given.filter((row) => holds(row, where, others));
  const product = given.filter((row) => matches(row, where, others));
  expect(product, `without a store: ${JSON.stringify(where)}`).to.deep.equal(expected);
  return expected;
}

/** The same of groups. */
export function groupsOf(given: readonly JsonObject[], asked: Omit<AggregateQuery, 'table'>, others: RowsOf = () => []): AggregateRow[] {
  const expected = grouped(given, asked, others);
  expect(tally(given, asked, others), `without a store: ${JSON.stringify(asked)}`).to.deep.equal(expected);
  return expected;
}
