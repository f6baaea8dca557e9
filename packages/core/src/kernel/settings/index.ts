import type { KernelServices } from '../kernel.ts';
import type { Plugin } from '../plugin.ts';
import { settingActions } from './actions.ts';
import { settingEndpoints } from './endpoints.ts';
import { settingChange, settingValue } from './kinds.ts';

/** Settings that operators change while the cloud runs. Without it, they are what the configuration says, or their defaults. */
export function settingsPlugin({ kernel, reader, store, settings }: KernelServices): Plugin {
  const ports = { reader, store, settings, registry: () => kernel().registry };
  return {
    id: 'settings',
    version: '1',
    kinds: [settingValue, settingChange],
    actions: settingActions(ports),
    endpoints: settingEndpoints(ports),
  };
}
