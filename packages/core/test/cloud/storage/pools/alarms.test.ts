import { readFile } from 'node:fs/promises';
import { SHARED_SITE } from '@pileus/core/testing';
import { expect } from 'chai';
import { delivery, type Post } from '../../../../src/cloud/index.ts';
import type { Principal } from '../../../../src/kernel/index.ts';
import { LittleCloud } from '../../little-cloud.ts';

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const HOUR_MS = 3600_000;
/** Slow, for days pass here. */
const presets = { 'hosts.heartbeatSeconds': 600 };

/** A webhook of the operator that is told of pools in trouble. */
async function open(status: () => number) {
  const told: { readonly type: string; readonly subject: string; readonly data: { readonly row: { readonly health?: string } } }[] = [];
  const postUrl = async ({ body }: Post) => {
    told.push(JSON.parse(body));
    return { status: status() };
  };
  const cloud = await LittleCloud.open({ postUrl, presets });
  await cloud.host('hv1');
  const id = await cloud.sim.done('pool.create', { driver: 'simulated-shared', clusterId: cloud.clusterId });
  const hook = { url: 'https://hooks.example.org/alarms', kinds: ['pool'], when: "health = 'degraded'", secret: SECRET };
  const sicken = async () => {
    const pool = cloud.sim.world.pools.get(id);
    if (pool !== undefined) pool.facts = { ...pool.facts, health: 'degraded', reason: '1 osd down' };
    await cloud.sim.run(2 * HOUR_MS);
  };
  return { cloud, id, told, hook, sicken };
}

describe('alarms of pools', () => {
  it('reach webhooks of operators', async () => {
    const { cloud, id, told, hook, sicken } = await open(() => 204);
    await cloud.sim.done('webhook.create', hook);
    await sicken();
    expect(told.map(({ type, subject, data }) => [type, subject, data.row.health])).to.deep.equal([
      ['pileus.pool.updated', `pool/${id}`, 'degraded'],
    ]);
  });

  it('are of pools that cannot be reached, too, by what the guide asks for', async () => {
    const { cloud, id, told, hook } = await open(() => 204);
    const guide = await readFile(new URL('../../../../../../docs/guides/storage-classes.md', import.meta.url), 'utf8');
    const [, when] = /--when "([^"]+)"/.exec(guide) ?? [];
    await cloud.sim.done('webhook.create', { ...hook, when });
    cloud.sim.world.disconnect(SHARED_SITE);
    await cloud.sim.run(6 * HOUR_MS);
    expect(told[0]).to.include({ type: 'pileus.pool.updated', subject: `pool/${id}` });
    expect(told[0]?.data.row).to.include({ status: 'disconnected' });
  });

  it('that nobody takes are dead letters of the project that wanted them, and are replayed', async () => {
    let status = 500;
    const { cloud, id, told, hook, sicken } = await open(() => status);
    const hookId = await cloud.sim.done('webhook.create', hook);
    await sicken();
    await cloud.sim.run(72 * HOUR_MS);
    const [dead] = await cloud.rows(delivery);
    expect(dead).to.include({ webhookId: hookId, resourceKind: 'pool', resourceId: id, projectId: cloud.sim.principal.projectId });
    status = 204;
    told.length = 0;
    await cloud.sim.done('delivery.replay', {}, dead?.id);
    await cloud.sim.run(60_000);
    expect(told).to.have.length(1);
  });

  it('are not for tenants: their webhooks name kinds of projects alone', async () => {
    const { cloud, hook } = await open(() => 204);
    const tenant: Principal = { ...cloud.sim.principal, allows: (permission) => permission !== 'project.any' };
    const refused = await cloud.sim.environment.complete(
      cloud.sim.kernel.submit({ action: 'webhook.create', input: hook, principal: tenant }).catch((error: unknown) => error),
    );
    expect(refused).to.include({ code: 'invalid_input', pointer: '/kinds/0' });
  });
});
