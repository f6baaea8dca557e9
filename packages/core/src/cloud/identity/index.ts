import { create, updateAction } from '../../kernel/index.ts';
import type { Module } from '../services.ts';
import { DEFAULT_PROJECT_ID } from './principal.ts';
import { project } from './project.ts';

export { DEFAULT_PROJECT_ID, systemPrincipal } from './principal.ts';
export { project } from './project.ts';

/** Who owns resources. One project for now; it is there from the first start on. */
export const identity: Module = ({ kernel, reader }) => ({
  id: 'identity',
  version: '0.1.0',
  kinds: [project],
  actions: [updateAction(project, ['description'])],
  start: async () => {
    if ((await reader.find(project, DEFAULT_PROJECT_ID)) === undefined)
      // `exists` means that a start before this one made it: as good.
      await kernel().observe([create(project, { id: DEFAULT_PROJECT_ID, name: 'default' })]);
    return async () => undefined;
  },
});
