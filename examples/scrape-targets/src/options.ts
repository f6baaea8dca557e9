import { compileInput, defineSetting } from '@pileus/core/kernel';
import { type Static, Type } from 'typebox';

/** What stands under `options` in the configuration of the server: what cannot change while it runs. */
export const OPTIONS = Type.Object({
  directory: Type.String({
    minLength: 1,
    description: 'Directory that `file_sd_configs` of Prometheus names; made when it is first used.',
  }),
});
export type Options = Static<typeof OPTIONS>;

const check = compileInput(OPTIONS);

/** @throws CloudError naming what is wrong; the server does not start then */
export function optionsOf(given: unknown): Options {
  check.assert(given ?? {});
  return given as Options;
}

/** What the operator may change at any time. */
export const scrapePorts = defineSetting({
  name: 'scrape.ports',
  description: 'Ports that metrics may be collected from; empty: all. Targets that are there already stay.',
  schema: Type.Array(Type.Integer({ minimum: 1, maximum: 65_535 }), { uniqueItems: true, maxItems: 100 }),
  default: [],
  tenantsRead: true,
});
