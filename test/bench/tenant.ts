import type { Client } from './client.ts';

const PROJECT_ID = '00000000-0000-7000-8000-000000000001';
/** Of everything, more than a bench ever takes. */
export const LIMIT = 2 ** 50;

/** A service account that is a member of the project. Answers its key. */
export async function memberKey(root: Client): Promise<string> {
  const serviceAccountId = await root.done('POST', '/v1/service-accounts', { name: 'bench' });
  await root.done('POST', '/v1/role-bindings', { role: 'member', serviceAccountId, projectId: PROJECT_ID });
  const { text } = await root.ask('POST', '/v1/api-keys', JSON.stringify({ name: 'bench', serviceAccountId }));
  return (JSON.parse(text) as { readonly key: string }).key;
}

/** Limits every quota of the project and of its account, or none of them. @throws Error when not all of them are told so */
export async function setLimits(root: Client, limit: number | null): Promise<void> {
  const quotas = await quotasOf(root);
  for (const scope of ['project', 'account'] as const) {
    const own = quotas.filter((quota) => quota.scope === scope);
    const limits = Object.fromEntries(own.map(({ counter }) => [counter, limit]));
    await root.done('POST', `/v1/${scope}s/${own[0]?.id}/set-quota`, { limits });
  }
  const others = (await quotasOf(root)).filter((quota) => quota.limit !== limit);
  if (quotas.length === 0 || others.length > 0) throw new Error(`these have other limits: ${JSON.stringify(others)}`);
}

interface Quota {
  readonly scope: 'project' | 'account';
  readonly id: string;
  readonly counter: string;
  readonly limit: number | null;
}

async function quotasOf(root: Client): Promise<readonly Quota[]> {
  const { text } = await root.ask('GET', '/v1/quota');
  return (JSON.parse(text) as { readonly items: readonly Quota[] }).items;
}
