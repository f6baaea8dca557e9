import type { Id, Principal } from '../../kernel/index.ts';

/** The project that is there from the first start on. Fixed, so that a client can be configured before that. */
export const DEFAULT_PROJECT_ID = '00000000-0000-7000-8000-000000000001' as Id<'project'>;

/** Its account, the operator's own. */
export const DEFAULT_ACCOUNT_ID = '00000000-0000-7000-8000-000000000002' as Id<'account'>;

/** Who may do everything, everywhere. */
export const operatorPrincipal = (actor: string): Principal => ({
  actor,
  projectId: DEFAULT_PROJECT_ID,
  accountId: DEFAULT_ACCOUNT_ID,
  allows: () => true,
});

/** The cloud itself: what it starts on its own is allowed, and shows as done by `system`. */
export const systemPrincipal = (): Principal => operatorPrincipal('system');
