import type { KernelServices } from '../kernel.ts';
import type { Plugin } from '../plugin.ts';
import { policyActions, policyDeletion, tagPolicy } from './policy.ts';
import { type TagPorts, tag } from './tag.ts';
import { tagActions } from './tagging.ts';

/** Tags on resources of every kind. */
export function tagging({ kernel, reader }: KernelServices): Plugin {
  const ports: TagPorts = {
    reader,
    taggable: (name) => {
      const { registry } = kernel();
      const kind = registry.findKind(name);
      return kind !== undefined && registry.takesAttached(kind) ? kind : undefined;
    },
  };
  return {
    id: 'tags',
    version: '1',
    kinds: [tag, tagPolicy],
    actions: [...tagActions(ports), ...policyActions(ports)],
    deletions: [policyDeletion],
  };
}
