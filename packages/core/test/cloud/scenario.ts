import type { Scenario, SimCloud, SimCloudOptions } from '../../testing/index.ts';
import { type SmallCloud, smallCloud } from './small-cloud.ts';

/** A scenario on the small cloud: what is there before, and the request. Names are given everywhere, so that runs compare. */
export function on(
  action: string,
  setUp: (at: SmallCloud) => Promise<string | undefined>,
  input: (at: SmallCloud, id: string | undefined) => object | Promise<object>,
  variant = '',
  kept: Partial<SimCloudOptions> = {},
): Scenario {
  // Scenarios live for as long as the process; clouds must not, of which each has hundreds.
  const prepared = new WeakMap<SimCloud, { readonly at: SmallCloud; readonly target: string | undefined }>();
  let latest: WeakRef<SimCloud> | undefined;
  return {
    name: `${action}${variant === '' ? '' : ` (${variant})`}`,
    prepare: async (options) => {
      const at = await smallCloud({ ...kept, ...options });
      prepared.set(at.sim, { at, target: await setUp(at) });
      latest = new WeakRef(at.sim);
      return at.sim;
    },
    act: async (sim) => {
      const cloud = latest?.deref();
      const known = cloud === undefined ? undefined : prepared.get(cloud);
      if (known === undefined) throw new Error(`${action} was not prepared`);
      const { at, target } = known;
      return (await sim.submit(action, await input(at, target), target)).operationId;
    },
  };
}
