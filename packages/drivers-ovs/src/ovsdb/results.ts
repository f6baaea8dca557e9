import { ClusterError, OvsdbError, type Place, ProtocolError, readErrorBody } from './errors.ts';
import type { Operation, Results } from './operation.ts';

/**
 * Reads the answer to a transaction: a result for each operation, and after them an error when the commit itself failed.
 * @throws OvsdbError, or ClusterError when the cluster does not know
 */
export function readResults<O extends readonly Operation[]>(database: string, operations: O, answer: unknown): Results<O> {
  if (!Array.isArray(answer)) throw new ProtocolError('the answer to a transaction is no list');
  for (const [index, result] of answer.entries())
    if (typeof result === 'object' && result !== null && 'error' in result) throw errorOf(database, operations, index, result);
  if (answer.length !== operations.length) throw new ProtocolError(`${operations.length} operations have ${answer.length} results`);
  return operations.map((operation, index) => operation.read(answer[index])) as Results<O>;
}

function errorOf(database: string, operations: readonly Operation[], index: number, result: object): Error {
  const body = readErrorBody(result);
  const operation = operations[index];
  if (body.error === 'cluster error') return new ClusterError(`${database}: ${body.details ?? body.error}`, 'unknown');
  const told = placeIn(body.details ?? '');
  if (operation === undefined)
    return new OvsdbError(`${database}: commit`, body, { ...told, row: told.row ?? rowIn(body.details ?? '', operations) });
  const [only, ...others] = operation.columns;
  return new OvsdbError(`${database}: ${operation.json.op} ${operation.table ?? ''}`.trimEnd(), body, {
    operation: index,
    table: operation.table ?? told.table,
    row: operation.row,
    column: told.column ?? (others.length === 0 ? only : undefined),
  });
}

const uuid = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';

/** The server tells places in its sentences alone. */
const sentences: readonly RegExp[] = [
  new RegExp(`^Table (?<table>\\S+) column (?<column>\\S+) row (?<row>${uuid}) references`),
  new RegExp(`^cannot delete (?<table>\\S+) row (?<row>${uuid}) because`),
  /multiple rows in "(?<table>[^"]+)" table to have identical values .* for index on columns? "(?<column>[^"]+)"/,
  new RegExp(`column "(?<column>[^"]+)" in "(?<table>[^"]+)" row (?<row>${uuid})`),
  /causes "(?<table>[^"]+)" table to contain/,
  /operator may not be applied to column (?<column>\S+) /,
  /^No column (?<column>\S+) in table (?<table>\S+)\.$/,
  /No table named (?<table>\S+)\.$/,
  /column "?(?<column>\w+)"? (?:in|of) table "?(?<table>\w+)"?/,
];

function placeIn(details: string): Place {
  for (const sentence of sentences) {
    const groups = sentence.exec(details)?.groups;
    if (groups !== undefined) return { table: groups.table, column: groups.column, row: groups.row };
  }
  return { table: undefined, column: undefined, row: undefined };
}

/** Of several rows that a sentence names, the one that this transaction is about. */
function rowIn(details: string, operations: readonly Operation[]): string | undefined {
  const named = [...details.matchAll(new RegExp(uuid, 'g'))].map(([text]) => text);
  return named.find((row) => operations.some((operation) => operation.row === row)) ?? named.at(-1);
}
