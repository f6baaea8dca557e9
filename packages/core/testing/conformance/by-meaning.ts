import { expect } from 'chai';
import type { JsonObject } from '../../src/kernel/json.ts';
import { matches } from '../../src/kernel/query/matches.ts';
import type { AggregateQuery, AggregateRow, Condition } from '../../src/kernel/store.ts';
import { grouped, holds, type RowsOf } from '../query/meaning.ts';

/** The rows that a condition holds for, by what its words mean. What the product takes them for where it asks no store must be the same. */
export function passing(given: readonly JsonObject[], where: Condition, others: RowsOf = () => []): JsonObject[] {
  const expected = given.filter((row) => holds(row, where, others));
  const product = given.filter((row) => matches(row, where, others));
  expect(product, `without a store: ${JSON.stringify(where)}`).to.deep.equal(expected);
  return expected;
}

/** The groups of rows, by what the words mean. Without a store the product asks for none. */
export const groupsOf = (given: readonly JsonObject[], asked: Omit<AggregateQuery, 'table'>, others: RowsOf = () => []): AggregateRow[] =>
  grouped(given, asked, others);
