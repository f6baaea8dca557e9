import { defineKind, type Id, type RowOf, ref } from '@pileus/core/kernel';
import { Type } from 'typebox';

/** Its name leaves the plugin's own words: the kind of machines is the cloud's. */
export const scrapeTarget = defineKind({
  name: 'scrapeTarget',
  plural: 'scrape-targets',
  description: 'A port of a machine that Prometheus collects metrics from. Goes with the machine.',
  scope: 'project',
  schema: Type.Object({
    instanceId: ref('instance', 'cascade', { description: 'The machine.' }),
    address: Type.String({ maxLength: 45, description: 'Of its first NIC.' }),
    port: Type.Integer({ minimum: 1, maximum: 65_535 }),
    scheme: Type.Union([Type.Literal('http'), Type.Literal('https')]),
    metricsPath: Type.String({ pattern: '^/', maxLength: 255 }),
    description: Type.Optional(Type.String({ maxLength: 1024 })),
  }),
  states: {
    creating: ['active', 'deleted'],
    active: ['paused', 'deleting'],
    /** Known, and not collected from. */
    paused: ['active', 'deleting'],
    deleting: ['deleted'],
  },
  initial: 'creating',
  unique: [['instanceId', 'port']],
  indexed: ['port', 'scheme'],
  quota: { scrapeTargets: 1 },
  schemaVersion: 2,
});
export type ScrapeTarget = RowOf<typeof scrapeTarget>;

/** What sagas go by. */
export interface TargetParams {
  readonly id: Id<'scrapeTarget'>;
}
