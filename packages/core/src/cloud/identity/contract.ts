/** What other modules may know of identity. */
export { DEFAULT_PROJECT_ID, systemPrincipal } from './principal.ts';
export { project } from './project.ts';
