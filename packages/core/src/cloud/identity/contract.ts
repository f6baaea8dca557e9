/** What other modules may know of identity. */
export { account } from './account.ts';
export { DEFAULT_ACCOUNT_ID, DEFAULT_PROJECT_ID, operatorPrincipal, systemPrincipal } from './principal.ts';
export { project } from './project.ts';
