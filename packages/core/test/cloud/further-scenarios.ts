import { delivery } from '../../src/cloud/index.ts';
import { create, type Id } from '../../src/kernel/index.ts';
import type { Scenario } from '../../testing/index.ts';
import { identityScenarios } from './identity/scenarios.ts';
import { quotaScenarios } from './quota-scenarios.ts';
import { on } from './scenario.ts';
import { attached, extra, nothing, spare } from './set-ups.ts';
import { settingScenarios } from './setting-scenarios.ts';
import { addImage, machine, type SmallCloud } from './small-cloud.ts';
import { tagScenarios } from './tag-scenarios.ts';

const grouping = (at: SmallCloud) => at.sim.done('placementGroup.create', { name: 'group-1', policy: 'antiAffinity' });
/** With an own and a lasting disk. */
const trashed = async (at: SmallCloud) => {
  const id = await attached(at);
  await at.sim.done('instance.delete', {}, id);
  return id;
};
const trashedVolume = async (at: SmallCloud) => {
  const id = await spare(at);
  await at.sim.done('volume.delete', {}, id);
  return id;
};
const trashedImage = async (at: SmallCloud) => {
  const id = await addImage(at.sim, 'image-2');
  await at.sim.done('image.delete', {}, id);
  return id;
};
const withTrash = { presets: { 'trash.retentionSeconds': 24 * 3600 } };
const hook = { name: 'hook', url: 'https://hooks.example.org/', kinds: ['nic'], secret: `whsec_${Buffer.alloc(32, 1).toString('base64')}` };
const hooked = (at: SmallCloud) => at.sim.done('webhook.create', hook);
const unhooked = async (at: SmallCloud) => {
  const id = await hooked(at);
  await at.sim.done('webhook.disable', {}, id);
  return id;
};
/** As if it had been tried for a day. */
const undelivered = async (at: SmallCloud) => {
  const webhookId = (await unhooked(at)) as Id<'webhook'>;
  const id = at.sim.kernel.services.ids.mint('delivery') as Id<'delivery'>;
  const { projectId, accountId } = at.sim.principal;
  const event = { eventId: 'event-1', resourceKind: 'nic', resourceId: id, attempts: 10, event: { specversion: '1.0' } };
  const row = create(delivery, { id, name: 'delivery-1', projectId, accountId, webhookId, url: hook.url, ...event });
  await at.sim.environment.complete(at.sim.kernel.observe([row]));
  return id;
};

/** The trash, placement groups, webhooks, tenants, tags and quotas. */
export const furtherScenarios: readonly Scenario[] = [
  on(
    'account.update',
    async () => '00000000-0000-7000-8000-000000000002',
    () => ({ description: 'ours' }),
  ),
  on(
    'project.update',
    async () => '00000000-0000-7000-8000-000000000001',
    () => ({ description: 'ours' }),
  ),
  on('placementGroup.create', nothing, () => ({ name: 'group-1', policy: 'antiAffinity', over: 'failureDomain' })),
  on('placementGroup.update', grouping, () => ({ description: 'ours' })),
  on('placementGroup.delete', grouping, () => ({})),
  on(
    'instance.create',
    async (at) => void extra.set(at, await grouping(at)),
    (at) => machine(at, { placementGroupId: extra.get(at) }),
    'in a placement group',
  ),
  on(
    'instance.delete',
    async (at) => at.sim.done('instance.create', machine(at, { placementGroupId: await grouping(at) })),
    () => ({}),
    'out of a placement group',
  ),
  on('instance.delete', attached, () => ({}), 'into the trash', withTrash),
  on('instance.recover', trashed, () => ({}), '', withTrash),
  on('instance.expunge', trashed, () => ({}), '', withTrash),
  on('volume.recover', trashedVolume, () => ({}), '', withTrash),
  on('volume.expunge', trashedVolume, () => ({}), '', withTrash),
  on('image.recover', trashedImage, () => ({}), '', withTrash),
  on('image.expunge', trashedImage, () => ({}), '', withTrash),
  on('webhook.create', nothing, () => hook),
  on('webhook.update', hooked, () => ({ secret: `whsec_${Buffer.alloc(32, 2).toString('base64')}`, kinds: ['volume'] })),
  on('webhook.disable', hooked, () => ({})),
  on('webhook.enable', unhooked, () => ({})),
  on('webhook.replay', hooked, () => ({ after: '0.0' })),
  on('webhook.delete', hooked, () => ({})),
  on('delivery.replay', undelivered, () => ({})),
  on('delivery.delete', undelivered, () => ({})),
  ...identityScenarios(on),
  ...tagScenarios,
  ...settingScenarios,
  ...quotaScenarios,
];
