import { randomUUID } from 'node:crypto';
import { assert, expect } from 'chai';
import { type Operation, OvsdbClient, OvsdbError, parseSchema } from '../../src/ovsdb/index.ts';
import { PrivateServer, rejection } from './private-server.ts';

/** Of everything that a server can object to. */
const schema = {
  name: 'Strict',
  version: '1.0.0',
  tables: {
    A: {
      isRoot: true,
      maxRows: 2,
      indexes: [['fixed', 'few']],
      columns: {
        fixed: { type: 'string', mutable: false },
        weak: { type: { key: { type: 'uuid', refTable: 'B', refType: 'weak' }, min: 1, max: 'unlimited' } },
        few: { type: { key: 'string', min: 0, max: 2 } },
        small: { type: { key: { type: 'integer', minInteger: 0, maxInteger: 9 } } },
      },
    },
    B: { isRoot: true, columns: { size: { type: 'integer' } } },
  },
} as const;

describe('errors of OVSDB transactions', function () {
  this.timeout(300_000);
  let server: PrivateServer;
  before(async () => {
    server = await PrivateServer.start({ schema });
  });
  after(() => server[Symbol.asyncDispose]());

  it('name table, column and row as far as the server tells them', async () => {
    await using client = new OvsdbClient({ database: parseSchema(schema), remotes: [server.address] });
    const { A, B } = client.database.tables;
    assert(A !== undefined && B !== undefined);
    const [a, b, fresh] = [randomUUID(), randomUUID(), randomUUID()];
    await client.transact([B.insert({ size: 1 }, b), A.insert({ fixed: 'f', weak: [b], few: ['1'], small: 5 }, a)]);
    const cases: readonly (readonly [readonly Operation[], object])[] = [
      [[A.update(a, { fixed: 'g' })], { operation: 0, table: 'A', column: 'fixed', row: a }],
      [[A.mutate(a, { few: { insert: ['2', '3'] } })], { operation: 0, table: 'A', column: 'few', row: a }],
      [[A.mutate(a, { small: { add: 5 } })], { operation: 0, table: 'A', column: 'small', row: a }],
      [[B.delete(b)], { operation: undefined, table: 'A', column: 'weak', row: a }],
      [[A.insert({ fixed: 'f', weak: [b], few: ['1'] }, fresh)], { operation: undefined, table: 'A', column: 'fixed', row: fresh }],
      [[A.insert({ fixed: 'x' }, fresh)], { operation: undefined, table: 'A', column: 'weak', row: fresh }],
      [[A.insert({ fixed: 'x', weak: [b] }), A.insert({ fixed: 'y', weak: [b] })], { operation: undefined, table: 'A' }],
    ];
    for (const [operations, expected] of cases) {
      const error = await rejection(client.transact(operations));
      expect(error).to.be.instanceOf(OvsdbError);
      expect(error, (error as Error).message).to.include({ code: 'constraint_violation', ...expected });
    }
    const unordered = await rejection(client.transact([A.select([['few', '<' as never, ['x']]])]));
    expect(unordered).to.be.instanceOf(OvsdbError).that.includes({ code: 'syntax_error', table: 'A', column: 'few' });
  });
});
