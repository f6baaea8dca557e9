import { expect } from 'chai';
import { Ids, type JsonObject, Secrets } from '../../src/kernel/index.ts';
import { nodeEnvironment } from '../../src/node/index.ts';
import { inlineSqlite } from '../../src/sqlite/index.ts';

const KEY = new Uint8Array(32).fill(7);

async function open(key = KEY) {
  const environment = nodeEnvironment();
  const store = inlineSqlite();
  await store.prepare({
    tables: [{ name: 'sealed', type: 'plain', key: ['id'], columns: { id: 'text' }, unique: [], indexes: [] }],
    migrations: [],
  });
  const make = (of: Uint8Array) => new Secrets(of, environment, new Ids(environment.clock, environment.random), store);
  const keep = async (row: JsonObject) => {
    const statements = [{ op: 'insert', table: 'sealed', row }] as const;
    await store.commit({ node: 'test', epoch: store.epoch, at: new Date(0).toISOString(), statements });
  };
  return { secrets: make(key), make, keep };
}

const sealedRow = (statement: { readonly op: string }): JsonObject => (statement as unknown as { readonly row: JsonObject }).row;

describe('sealed values', () => {
  it('come back as they were, and look like nothing in between', async () => {
    const { secrets, keep } = await open();
    const { reference, statement } = await secrets.seal('PLANTED ✓');
    expect(JSON.stringify({ reference, statement })).not.to.contain('PLANTED');
    await keep(sealedRow(statement));
    expect(await secrets.open(reference)).to.equal('PLANTED ✓');
  });

  it('are AES-256-GCM of others, too', async () => {
    const { secrets } = await open();
    const { reference, statement } = await secrets.seal('text');
    const row = sealedRow(statement) as { readonly id: string; readonly iv: string; readonly sealed: string };
    const key = await crypto.subtle.importKey('raw', KEY, 'AES-GCM', false, ['decrypt']);
    const algorithm = { name: 'AES-GCM', iv: Buffer.from(row.iv, 'base64'), additionalData: new TextEncoder().encode(row.id) };
    const plain = await crypto.subtle.decrypt(algorithm, key, Buffer.from(row.sealed, 'base64'));
    expect(new TextDecoder().decode(plain)).to.equal('text');
    expect(reference).to.equal(`sealed:${row.id}`);
  });

  it('do not open with another key, under another reference, or changed', async () => {
    const { secrets, make, keep } = await open();
    const { reference, statement } = await secrets.seal('text');
    const row = sealedRow(statement);
    await keep(row);
    await keep({ ...row, id: 'other' });
    const flipped = Buffer.from(String(row.sealed), 'base64');
    flipped[0] = (flipped[0] ?? 0) ^ 1;
    await keep({ ...row, id: 'changed', sealed: flipped.toString('base64') });
    const codeOf = (work: Promise<string>) =>
      work.then(
        () => 'opened',
        (error: { readonly code: string }) => error.code,
      );
    expect(await codeOf(make(new Uint8Array(32)).open(reference))).to.equal('internal');
    expect(await codeOf(secrets.open('sealed:other'))).to.equal('internal');
    expect(await codeOf(secrets.open('sealed:changed'))).to.equal('internal');
    expect(await codeOf(secrets.open('sealed:absent'))).to.equal('internal');
  });

  it('are opened by older keys, sealed by the newest, and sealed anew with that once', async () => {
    const { secrets, make, keep } = await open();
    const other = new Uint8Array(32).fill(9);
    const both = make(new Uint8Array([...KEY, ...other]));
    const { reference, statement } = await secrets.seal('of before');
    await keep(sealedRow(statement));
    expect(await both.open(reference)).to.equal('of before');
    const anew = both.renewed(JSON.stringify(sealedRow(statement))) as { readonly set: JsonObject; readonly expect: JsonObject };
    expect(anew.expect).to.deep.equal({ sealed: sealedRow(statement).sealed });
    const renewed = { ...sealedRow(statement), ...anew.set, id: sealedRow(statement).id ?? '' };
    expect(both.renewed(JSON.stringify(renewed))).to.equal(undefined);
    expect(() => secrets.renewed(JSON.stringify(renewed))).to.throw('cannot be opened');
    const fresh = await both.seal('of now');
    await keep(sealedRow(fresh.statement));
    expect(await make(other).open(fresh.reference)).to.equal('of now');
    for (const length of [0, 31, 33]) expect(() => make(new Uint8Array(length)), String(length)).to.throw('32 bytes');
  });
});
