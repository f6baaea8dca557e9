import type { KernelServices } from '../kernel.ts';
import type { Plugin } from '../plugin.ts';
import { systemTagEndpoints } from './affected.ts';
import { dropEphemeral } from './ephemeral.ts';
import { policyActions, policyDeletion, tagPolicy } from './policy.ts';
import { systemTag, systemTagChanged } from './system-tag.ts';
import { type SystemTagPorts, systemTagActions } from './system-tagging.ts';
import { tag } from './tag.ts';
import { tagActions } from './tagging.ts';

/** Tags on resources of every kind: those of users, and those that plugins declare. */
export function tagging({ kernel, reader, store }: KernelServices): Plugin {
  const ports: SystemTagPorts = {
    reader,
    taggable: (name) => {
      const { registry } = kernel();
      const kind = registry.findKind(name);
      return kind !== undefined && registry.takesAttached(kind) ? kind : undefined;
    },
    systemTags: () => kernel().registry.systemTags,
  };
  return {
    id: 'tags',
    version: '1',
    kinds: [tag, tagPolicy, systemTag],
    actions: [...tagActions(ports), ...policyActions(ports), ...systemTagActions(ports)],
    deletions: [policyDeletion],
    points: [systemTagChanged],
    endpoints: systemTagEndpoints(ports, store),
    start: async () => {
      await dropEphemeral(kernel());
      return async () => undefined;
    },
  };
}
