import { expect } from 'chai';
import fc from 'fast-check';
import { type ApiDocument, Contract } from './contract.ts';
import { made, openServer, type TestServer } from './server.ts';

const FULL = process.env.PILEUS_FULL === '1';
const RUNS = FULL ? 300 : 25;
/** Paths and queries are read by what all routes share. */
const PARAMETER_RUNS = FULL ? 300 : 10;
const TIMEOUT_MS = 300_000 + RUNS * 2000;

/** Values that a body of this schema must not hold: a wrong type, a missing or unknown field, or no object at all. */
function malformed(schema: Record<string, unknown>): fc.Arbitrary<unknown> {
  const { required = [], properties = {} } = schema as { required?: string[]; properties?: Record<string, unknown> };
  const unknownField = fc.string({ minLength: 1 }).filter((name) => !(name in properties));
  return fc.oneof(
    fc.jsonValue().filter((value) => typeof value !== 'object' || value === null || Array.isArray(value)),
    fc.dictionary(unknownField, fc.jsonValue(), { minKeys: 1 }),
    ...(required.length === 0 ? [] : [fc.constant({})]),
    ...Object.keys(properties).map((name) => fc.record({ [name]: fc.constantFrom({ deep: [{ er: 1 }] }, [[]]) })),
  );
}

/** Where nothing is called `one` an id stands for a resource: a name that nothing has is refused before the body is looked at. */
const NOBODY = '00000000-0000-7000-8000-00000000dead';

/** Texts that are not JSON, or not wholly. */
const notJson = fc.oneof(
  fc.constantFrom('{', '[1,', '{"a":}', 'nul', '"\u0000"', '{"a":1}}', "{'a':1}", '{"a":1e}'),
  fc.json().map((text) => `${text}]`),
);

for (const cloud of [false, true])
  describe(`server: malformed requests to ${cloud ? 'the cloud' : 'widgets'}`, function () {
    this.timeout(TIMEOUT_MS);
    let server: TestServer;
    let document: ApiDocument;
    before(async () => {
      server = await openServer({ cloud });
      document = (await Contract.of(server.url, server.key)).document;
      if (!cloud) await made(server, 'one');
    });
    after(() => server.close());

    const unchanged = async (body: () => Promise<void>) => {
      const { store } = server.plane.kernel.services;
      const { newest } = await store.bounds();
      await body();
      expect((await store.bounds()).newest).to.equal(newest);
    };

    /** Every route that takes JSON, asked about something. */
    function* routes() {
      for (const [path, item] of Object.entries(document.paths))
        for (const [method, { requestBody, operationId }] of Object.entries(item)) {
          const [mediaType, content] = Object.entries(requestBody?.content ?? {})[0] ?? [];
          if (mediaType === undefined || !mediaType.endsWith('json')) continue;
          const { $ref = '' } = (content?.schema ?? {}) as { $ref?: string };
          const name = $ref.slice($ref.lastIndexOf('/') + 1);
          const schema = document.components.schemas[name] ?? (content?.schema as Record<string, unknown>);
          const ask = (raw: string) =>
            server.ask(method.toUpperCase(), path.replace(/\{[^}]+\}/g, cloud ? NOBODY : 'one'), {
              raw,
              headers: { 'content-type': mediaType },
            });
          yield { operationId, schema, ask };
        }
    }

    it('are refused by every route at the field at fault, whatever they are about', async () => {
      let asked = 0;
      for (const { operationId, schema, ask } of routes())
        await unchanged(async () => {
          const { status, json, text } = await ask('{"noSuchField":1}');
          expect([status, json.code], `${operationId} ${text}`).to.deep.equal([400, 'invalid_input']);
          const { required = [] } = schema as { required?: string[] };
          expect(json.pointer, `${operationId} ${text}`).to.be.oneOf(['/noSuchField', ...required.map((field) => `/${field}`)]);
          asked += 1;
        });
      expect(asked).to.be.above(cloud ? 100 : 5);
    });

    it('are refused by every route of the document, with no fault and no change of state', async () => {
      for (const { operationId, schema, ask } of routes())
        await unchanged(() =>
          fc.assert(
            fc.asyncProperty(
              fc.oneof(
                malformed(schema).map((value) => JSON.stringify(value)),
                notJson,
              ),
              async (raw) => {
                const { status, text } = await ask(raw);
                expect(status, `${operationId} ${raw} ${text}`).to.be.within(400, 499);
              },
            ),
            { numRuns: RUNS },
          ),
        );
    });

    it('are refused for their parameters and headers, too', async () => {
      const noise = fc.string({ unit: 'binary-ascii', minLength: 1 });
      for (const [path, item] of Object.entries(document.paths))
        for (const [method, { parameters = [], operationId }] of Object.entries(item)) {
          if (operationId === 'events.watch' || method === 'put') continue;
          const names = parameters.filter((parameter) => parameter.in === 'query').map(({ name }) => name);
          await unchanged(() =>
            fc.assert(
              fc.asyncProperty(
                noise,
                fc.constantFrom('', ...names),
                fc.oneof(noise, fc.constantFrom('name', 'id', 'state')),
                async (segment, name, value) => {
                  const inPath = path.replace(/\{[^}]+\}/g, `~${encodeURIComponent(segment)}`);
                  const query = `${encodeURIComponent(name === '' ? value : name)}=${encodeURIComponent(value)}`;
                  const { status } = await server.ask(method.toUpperCase(), `${inPath}?${query}`);
                  expect(status, `${operationId} ${inPath}?${query}`).to.be.lessThan(500);
                },
              ),
              { numRuns: PARAMETER_RUNS },
            ),
          );
        }
    });

    it('leave no trace in the log but their own', () => {
      expect(server.log()).not.to.match(/"level":"(error|warn)"/);
    });
  });
