import type { Id, Principal } from '../../kernel/index.ts';

/** The project of everything until tenants are introduced. Fixed, so that a client can be configured before the first start. */
export const DEFAULT_PROJECT_ID = '00000000-0000-7000-8000-000000000001' as Id<'project'>;

/** The cloud itself: what it starts on its own is allowed, and shows as done by `system`. */
export const systemPrincipal = (): Principal => ({ actor: 'system', projectId: DEFAULT_PROJECT_ID, allows: () => true });
