import { expect } from 'chai';
import { Compile } from 'typebox/compile';
import { Router } from '../../src/kernel/api/router.ts';
import { openapi, routesOf } from '../../src/kernel/index.ts';
import { made, type OpenApi, openApi, parsed } from './harness.ts';

interface Document {
  readonly paths: Record<string, Record<string, { operationId: string; responses: object; parameters?: { name: string; in: string }[] }>>;
  readonly components: { readonly schemas: Record<string, Record<string, unknown>> };
}

describe('api: the document', () => {
  let at: OpenApi;
  let document: Document;
  before(async () => {
    at = await openApi();
    document = parsed(await at.ask('GET', '/v1/openapi.json')) as unknown as Document;
  });
  after(() => at.close());

  it('has every route once, and the same bytes each time', () => {
    const listed = Object.entries(document.paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(listed.sort()).to.deep.equal(
      routesOf(at.kernel.registry)
        .map(({ method, path }) => `${method} ${path}`)
        .sort(),
    );
    expect(JSON.stringify(openapi(at.kernel.registry))).to.equal(JSON.stringify(document));
  });

  it('names operations after what they do', () => {
    const names = Object.values(document.paths).flatMap((item) => Object.values(item).map(({ operationId }) => operationId));
    expect(new Set(names).size).to.equal(names.length);
    expect(names).to.include.members([
      ...['list', 'get', 'create', 'update', 'delete', 'spinUp', 'measure', 'uploadPicture', 'downloadPicture', 'connectEcho'].map(
        (verb) => `widgets.${verb}`,
      ),
      ...['operations.cancel', 'events.watch', 'changes.list'],
    ]);
  });

  it('names every path parameter, and resolves every reference', () => {
    for (const [path, item] of Object.entries(document.paths))
      for (const { parameters = [] } of Object.values(item))
        expect(parameters.filter((parameter) => parameter.in === 'path').map(({ name }) => `{${name}}`)).to.deep.equal(
          path.match(/\{[^}]+\}/g) ?? [],
        );
    for (const [, name] of JSON.stringify(document).matchAll(/"#\/components\/schemas\/([^"]+)"/g))
      expect(document.components.schemas).to.have.property(name ?? '');
  });

  it('tells of kinds what clients need: states, references, secrets', () => {
    const { Widget, WidgetCreate } = document.components.schemas as Record<string, { properties: Record<string, unknown> }>;
    expect(Widget).to.deep.include({ 'x-pileus-kind': 'widget' });
    expect(Widget).to.have.nested.property('x-pileus-states.still').that.deep.equals(['spinning', 'deleting']);
    expect(Widget?.properties.shelfId).to.deep.include({ 'x-ref': { kind: 'shelf', onDelete: 'restrict' } });
    expect(WidgetCreate?.properties.password).to.include({ 'x-secret': true, writeOnly: true });
    expect(Widget?.properties.password).not.to.have.property('x-secret');
  });

  it('describes rows as they are', async () => {
    await made(at, 'one', { color: 'red', note: 'x', password: 'hidden' });
    const row = parsed(await at.ask('GET', '/v1/widgets/one'));
    const schema = { ...document.components.schemas.Widget, additionalProperties: false };
    expect([...Compile(schema as object).Errors(row)]).to.deep.equal([]);
    expect(row.password).to.match(/^sealed:/);
  });
});

describe('api: the router', () => {
  const route = (method: string, path: string) =>
    ({ type: 'document', method, path, operationId: `${method} ${path}`, permission: '' }) as const;

  it('prefers a literal, and falls back to the parameter where the literal leads nowhere', () => {
    const router = new Router([route('POST', '/v1/a/actions/import'), route('POST', '/v1/a/{id}/{verb}'), route('GET', '/v1/a/{id}')]);
    expect(router.match('POST', '/v1/a/actions/import').route.operationId).to.equal('POST /v1/a/actions/import');
    expect(router.match('POST', '/v1/a/actions/start').params).to.deep.equal({ id: 'actions', verb: 'start' });
    expect(router.match('GET', '/v1/a/actions').params).to.deep.equal({ id: 'actions' });
    expect(router.match('GET', '/v1/a/x%2Fy').params).to.deep.equal({ id: 'x/y' });
  });

  it('is told of a clash at the start', () => {
    expect(() => new Router([route('GET', '/v1/a'), route('GET', '/v1/a')])).to.throw('GET /v1/a');
  });
});
