import { expect } from 'chai';
import type { Principal } from '../../src/kernel/index.ts';
import { made, type OpenApi, openApi, parsed } from './harness.ts';
import { OTHER_PROJECT, principalOf } from './widgets.ts';

const of = (note: string) => ({ field: 'note', op: '=', value: note }) as const;

describe('api: what a caller sees', () => {
  let at: OpenApi;
  let id: string;
  const stranger = principalOf(OTHER_PROJECT);
  const operator = principalOf(OTHER_PROJECT, () => true);
  const limited: Principal = { ...principalOf(), limits: (permission) => (permission.startsWith('widget.') ? of('red') : undefined) };

  beforeEach(async () => {
    at = await openApi();
    id = await made(at, 'mine');
  });
  afterEach(() => at.close());

  const names = async (query: string, principal: Principal) =>
    parsed(await at.ask('GET', `/v1/widgets${query}`, { principal })).items.map((row) => row.name);
  const changed = async (query: string, principal: Principal) =>
    parsed(await at.ask('GET', `/v1/changes?after=0.0&kinds=widget${query}`, { principal })).items.length;
  const status = async (method: string, path: string, principal: Principal) => (await at.ask(method, path, { principal })).status;

  it('lets the operator alone look into every project', async () => {
    expect(await names('', stranger)).to.deep.equal([]);
    expect(await names('', operator)).to.deep.equal([]);
    expect(await names('?allProjects=true', operator)).to.deep.equal(['mine']);
    expect(await changed('', operator)).to.equal(0);
    expect(await changed('&allProjects=true', operator)).to.be.greaterThan(0);
    for (const path of ['/v1/widgets?allProjects=true', '/v1/changes?allProjects=true', '/v1/events?allProjects=true']) {
      const refused = await at.ask('GET', path, { principal: stranger });
      expect([refused.status, parsed(refused).params], path).to.deep.equal([403, { permission: 'project.any' }]);
    }
  });

  it('takes a row of any project by its id from the operator, and writes to its project', async () => {
    expect(await status('GET', `/v1/widgets/${id}`, stranger)).to.equal(404);
    expect(await status('POST', `/v1/widgets/${id}/spin-up`, stranger)).to.equal(404);
    expect(await status('GET', `/v1/widgets/${id}`, operator)).to.equal(200);
    expect(await status('GET', '/v1/widgets/mine', operator)).to.equal(404);
    const accepted = parsed(await at.ask('POST', `/v1/widgets/${id}/spin-up`, { principal: operator }));
    const own = parsed(await at.ask('GET', `/v1/operations/${accepted.operationId}`));
    expect(own).to.include({ projectId: principalOf().projectId, actor: operator.actor });
  });

  it('shows and changes only rows within the limits of a role', async () => {
    expect(await names('', limited)).to.deep.equal([]);
    expect(await status('GET', `/v1/widgets/${id}`, limited)).to.equal(404);
    expect(await changed('', limited)).to.equal(0);
    await at.ask('PATCH', `/v1/widgets/${id}`, { body: { note: 'red' }, headers: { prefer: 'wait=60' } });
    expect(await names('', limited)).to.deep.equal(['mine']);
    expect(await changed('', limited)).to.be.greaterThan(0);
    expect(await status('POST', `/v1/widgets/${id}/spin-up`, limited)).to.equal(202);
  });

  it('says so of a row that may be seen but not changed', async () => {
    const reader: Principal = { ...principalOf(), limits: (permission) => (permission === 'widget.read' ? undefined : of('green')) };
    const refused = await at.ask('POST', `/v1/widgets/${id}/spin-up`, { principal: reader });
    expect([refused.status, parsed(refused).code]).to.deep.equal([403, 'permission_denied']);
  });
});
