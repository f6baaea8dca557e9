import { type Sown, sow } from '@pileus/core/testing';
import { expect } from 'chai';
import { type Ask, expectStatus, Tenancy, type Tenant } from './tenancy.ts';

const ABSENT = '00000000-0000-7000-8000-00000000ffff';

/** What a template may name, by the kind that it names. */
const NAMING: readonly (readonly [kind: string, resource: (named: string, ownImage: string) => object])[] = [
  ['image', (imageId) => ({ kind: 'volume', properties: { sizeBytes: 4096, imageId } })],
  ['network', (networkId) => ({ kind: 'subnet', properties: { networkId, cidr: '10.77.0.0/24' } })],
  ['subnet', (subnetId, imageId) => ({ kind: 'instance', properties: { instanceType: 'small', imageId, nics: [{ subnetId }] } })],
  ['volume', (id, imageId) => ({ kind: 'instance', properties: { instanceType: 'small', imageId, attachVolumeIds: [id] } })],
  [
    'placementGroup',
    (placementGroupId, imageId) => ({ kind: 'instance', properties: { instanceType: 'small', imageId, placementGroupId } }),
  ],
];

describe("server: one tenant's stacks", function () {
  this.timeout(300_000);
  let at: Tenancy;
  let alpha: Tenant;
  let bravo: Tenant;
  let sown: Sown;
  let ownImage: string;
  before(async () => {
    at = await Tenancy.open();
    [alpha, bravo] = [await at.tenant('alpha'), await at.tenant('bravo')];
    const own = await sow(at.server.plane.kernel, { mark: 'alpha', projectId: alpha.projectId, accountId: alpha.accountId });
    ownImage = own.ids.get('image') ?? '';
    sown = await sow(at.server.plane.kernel, { mark: 'bravo', projectId: bravo.projectId, accountId: bravo.accountId });
  });
  after(() => at.close());

  const held = async () => {
    const { kernel } = at.server.plane;
    const rows = await Promise.all([...sown.ids].map(([kind, id]) => kernel.reader.text(kernel.registry.kind(kind), id)));
    return rows.join('\n');
  };
  const shape = (text: string) => text.replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|bravo-[a-z]+|nobody-has-this/g, 'IT');
  const asked = async (ask: Ask, resource: object) => {
    const template = { resources: { it: resource } };
    const answers = [await ask('POST', '/v1/stacks/plan', { template }), await ask('POST', '/v1/stacks', { name: 'probe', template })];
    return answers.map(({ status, text }) => ({ status, text: shape(text) }));
  };

  for (const [kind, resource] of NAMING)
    it(`reach no ${kind} of another, by its id or its name, and learn nothing of it`, async () => {
      const before = await held();
      const id = sown.ids.get(kind) ?? '';
      for (const [foreign, absent] of [[id, ABSENT] as const, [`bravo-${kind.toLowerCase()}`, 'nobody-has-this'] as const]) {
        const answers = await asked(alpha.admin, resource(foreign, ownImage));
        expect(answers).to.deep.equal(await asked(alpha.admin, resource(absent, ownImage)));
        for (const { status, text } of answers) {
          expect(status).to.equal(404);
          expect(text).to.include(`No ${kind.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)} IT.`);
        }
      }
      expect(await held()).to.equal(before);
    });

  it('are nothing to others: not to plan, to apply, to roll back or to delete', async () => {
    const template = { resources: { group: { kind: 'placementGroup', properties: { name: 'apart', policy: 'antiAffinity' } } } };
    const made = expectStatus(await bravo.admin('POST', '/v1/stacks', { name: 'shop', template }), 200).json.resourceId as string;
    for (const named of [made, 'shop']) {
      const plan = expectStatus(await alpha.admin('POST', '/v1/stacks/plan', { name: named, template }), 200).json;
      expect(plan).not.to.have.property('stackId');
      for (const [method, path, body] of [
        ['POST', 'apply', { template: { resources: {} } }],
        ['POST', 'rollback', { revision: 1 }],
        ['DELETE', '', undefined],
        ['GET', 'deletion', undefined],
        ['PATCH', '', { name: 'mine' }],
      ] as const)
        expect((await alpha.admin(method, `/v1/stacks/${named}${path === '' ? '' : `/${path}`}`, body)).status, path).to.equal(404);
    }
    expect((await bravo.admin('GET', `/v1/stacks/${made}`)).json).to.include({ state: 'ready', revisionNumber: 1 });
  });

  it('have their audit rows in the name of who asked, with the operation of the stack as the cause', async () => {
    const template = { resources: { group: { kind: 'placementGroup', properties: { name: 'near', policy: 'affinity' } } } };
    const { operationId } = expectStatus(await alpha.admin('POST', '/v1/stacks', { name: 'near', template }), 200).json;
    const { items } = (await alpha.admin('GET', '/v1/audit?action=placementGroup.create')).json;
    const own = (await alpha.admin('GET', '/v1/audit?action=stack.create')).json.items[0];
    expect(items[0]).to.include({ causeId: operationId, actor: own.actor });
    expect((await alpha.admin('GET', `/v1/operations/${items[0].id}`)).json).to.include({ causeId: operationId, state: 'succeeded' });
  });
});
