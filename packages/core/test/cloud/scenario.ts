import type { Scenario, SimCloudOptions } from '../../testing/index.ts';
import { type SmallCloud, smallCloud } from './small-cloud.ts';

/** A scenario on the small cloud: what is there before, and the request. Names are given everywhere, so that runs compare. */
export function on(
  action: string,
  setUp: (at: SmallCloud) => Promise<string | undefined>,
  input: (at: SmallCloud, id: string | undefined) => object | Promise<object>,
  variant = '',
  kept: Partial<SimCloudOptions> = {},
): Scenario {
  let at: SmallCloud | undefined;
  let target: string | undefined;
  return {
    name: `${action}${variant === '' ? '' : ` (${variant})`}`,
    prepare: async (options) => {
      at = await smallCloud({ ...kept, ...options });
      target = await setUp(at);
      return at.sim;
    },
    act: async (sim) => (await sim.submit(action, await input(at as SmallCloud, target), target)).operationId,
  };
}
