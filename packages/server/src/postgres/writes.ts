import { changeCode, type Row } from '@pileus/core/store';
import { doubleArray, textArray } from './arrays.ts';
import type { Decision } from './decide.ts';
import type { Draft, FeedEntry, Written } from './draft.ts';
import { tupleId } from './facts.ts';
import type { Sql } from './message.ts';
import type { OwnTables } from './own-tables.ts';
import { type PgTable, sql, tupleOf } from './table.ts';

/**
 * The statements that make a decision durable; none when no transaction came through. One that only guards is written, too: that what it read was all true
 * at once is known only when nothing else came between. Many rows travel in one statement. The first takes the store from the version
 * that was decided on to the next, or fails, and everything with it: the column takes no NULL.
 */
export function writesOf({ outcomes, draft, revision }: Decision, own: OwnTables): Sql[] {
  if (!outcomes.some((outcome) => 'ok' in outcome && outcome.ok)) return [];
  const { facts, feed } = draft;
  const rows = [...draft.rows].flatMap(([table, written]) => tableWrites(table, written, draft));
  const counters = [...draft.counters.values()];
  const advance = `UPDATE ${own.state} SET version = CASE WHEN version = $1 AND epoch = $2 THEN version + 1 END, revision = $3`;
  return [
    sql(advance, String(facts.version), String(facts.epoch), String(revision)),
    ...rows,
    ...(counters.length === 0 ? [] : [counterWrite(own, counters)]),
    ...(feed.length === 0 ? [] : [feedWrite(own, feed), sql('SELECT pg_notify($1, $2)', own.channel, String(revision))]),
  ];
}

/**
 * Rows go, change, and come, in this order, so that what one gives up another may take. Two that exchange the values of a unique index would meet in the
 * midst of an update: a row that takes such a value goes and comes again.
 */
function tableWrites(table: PgTable, written: ReadonlyMap<string, Written | undefined>, { facts }: Draft): Sql[] {
  const gone: string[] = [];
  const changed: Written[] = [];
  const made: Written[] = [];
  for (const [key, after] of written) {
    const before = facts.row(table, key);
    const moves = before !== undefined && after !== undefined && takes(table, before, after.row);
    if (before !== undefined && (after === undefined || moves)) gone.push(key);
    if (after !== undefined) (before === undefined || moves ? made : changed).push(after);
  }
  return [
    ...(gone.length === 0 ? [] : [sql(table.deleteSql, ...table.keyArrays(gone))]),
    ...(changed.length === 0 ? [] : [sql(table.updateSql, ...table.rowArrays(changed))]),
    ...(made.length === 0 ? [] : [sql(table.insertSql, ...table.rowArrays(made))]),
  ];
}

const takes = (table: PgTable, before: Row, after: Row): boolean =>
  table.uniques.some((index) => {
    const [from, to] = [tupleOf(index, before), tupleOf(index, after)];
    return to !== undefined && (from === undefined || tupleId(from) !== tupleId(to));
  });

function counterWrite({ counter }: OwnTables, counters: readonly { key: string; value: number; limit: number | null }[]): Sql {
  const text = `INSERT INTO ${counter} (key, value, "limit") SELECT u.key, u.value::bigint, u."limit"::bigint
    FROM unnest($1::text[], $2::float8[], $3::float8[]) AS u(key, value, "limit")
    ON CONFLICT (key) DO UPDATE SET value = excluded.value, "limit" = excluded."limit"`;
  return sql(
    text,
    textArray(counters.map(({ key }) => key)),
    doubleArray(counters.map(({ value }) => value)),
    doubleArray(counters.map(({ limit }) => limit)),
  );
}

function feedWrite({ feed }: OwnTables, entries: readonly FeedEntry[]): Sql {
  const text = `INSERT INTO ${feed} (revision, ordinal, "table", key, type, "projectId", row)
    SELECT u.revision::bigint, u.ordinal::integer, u."table", u.key, u.type::smallint, u."projectId", u.row
    FROM unnest($1::float8[], $2::float8[], $3::text[], $4::text[], $5::float8[], $6::text[], $7::text[])
    AS u(revision, ordinal, "table", key, type, "projectId", row)`;
  return sql(
    text,
    doubleArray(entries.map(({ revision }) => revision)),
    doubleArray(entries.map(({ ordinal }) => ordinal)),
    textArray(entries.map(({ table }) => table.name)),
    textArray(entries.map(({ key }) => key)),
    doubleArray(entries.map(({ type }) => changeCode(type))),
    textArray(entries.map(({ projectId }) => projectId)),
    textArray(entries.map((entry) => entry.text)),
  );
}
