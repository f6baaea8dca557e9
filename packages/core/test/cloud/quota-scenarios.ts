import { DEFAULT_ACCOUNT_ID, DEFAULT_PROJECT_ID } from '../../src/cloud/index.ts';
import type { Scenario } from '../../testing/index.ts';
import { on } from './scenario.ts';
import type { SmallCloud } from './small-cloud.ts';

/** Long after everything that a scenario plays. */
const ONE_DAY = '2100-01-01T00:00:00.000Z';

const ofProject = { name: 'more', projectId: DEFAULT_PROJECT_ID, limits: { vcpus: 64, volumes: null }, reason: 'We grow.' };

const limited = async (at: SmallCloud) => {
  await at.sim.done('project.setQuota', { limits: { instances: 5, volumes: 9 } }, DEFAULT_PROJECT_ID);
  return DEFAULT_PROJECT_ID;
};
const requested = async (at: SmallCloud) => {
  await limited(at);
  return at.sim.done('quotaRequest.create', { ...ofProject, expiresAt: ONE_DAY });
};
const granted = async (at: SmallCloud) => {
  const id = await requested(at);
  await at.sim.done('quotaRequest.approve', { answer: 'Well.' }, id);
  return id;
};

export const quotaScenarios: readonly Scenario[] = [
  on('project.setQuota', limited, () => ({ limits: { instances: 3, volumes: null, vcpus: 0 } })),
  on(
    'account.setQuota',
    async () => DEFAULT_ACCOUNT_ID,
    () => ({ limits: { projects: 3 } }),
  ),
  on(
    'quotaRequest.create',
    async () => undefined,
    () => ofProject,
  ),
  on('quotaRequest.approve', requested, () => ({ answer: 'For now.' })),
  on(
    'quotaRequest.approve',
    (at) => at.sim.done('quotaRequest.create', { name: 'all', limits: { projects: 7 } }),
    () => ({}),
    'of an account',
  ),
  on('quotaRequest.deny', requested, () => ({ answer: 'Never.' })),
  on('quotaRequest.expire', granted, () => ({})),
  on('quotaRequest.delete', requested, () => ({})),
];
