import { type Static, Type } from 'typebox';
import { lacks, type Principal, readPermission } from '../access.ts';
import { lookUp } from '../api/lookup.ts';
import { oneOf } from '../article.ts';
import type { Endpoint } from '../endpoint.ts';
import { CloudError } from '../errors.ts';
import type { Json, JsonObject } from '../json.ts';
import type { AnyKind, RowBase } from '../kind.ts';
import type { Store } from '../store.ts';
import type { SettingPorts } from './actions.ts';
import { GLOBAL, type Setting } from './definition.ts';
import { settingValue } from './kinds.ts';
import type { Settings, Source } from './values.ts';

const json = (description: string) => Type.Unsafe<Json>({ description });

const DECLARED = Type.Object({
  items: Type.Array(
    Type.Object({
      key: Type.String(),
      known: Type.Boolean({ description: 'Whether a plugin declares it. Values of what none does are kept, and not used.' }),
      description: Type.Optional(Type.String()),
      plugin: Type.Optional(Type.String({ description: 'Which declares it.' })),
      schema: Type.Optional(Type.Unsafe<JsonObject>({ type: 'object', description: 'JSON schema of its values.' })),
      default: Type.Optional(json('Where nothing is set.')),
      configured: Type.Optional(json('What the configuration says in place of the default.')),
      levels: Type.Optional(Type.Array(Type.String(), { description: 'Where it may have a value: `global`, and kinds of resources.' })),
      tenantsRead: Type.Optional(Type.Boolean({ description: 'Who may read a resource may read what holds there.' })),
      values: Type.Integer({ minimum: 0, description: 'How many are set.' }),
    }),
  ),
});

const QUERY = Type.Object({
  resourceKind: Type.Optional(Type.String({ maxLength: 63, description: 'E.g. `host`. Default: what holds for the whole cloud.' })),
  resource: Type.Optional(Type.String({ maxLength: 63, description: 'Its id or name.' })),
  key: Type.Optional(Type.String({ maxLength: 127, description: 'Of this setting alone.' })),
});

const origin = {
  level: Type.String({
    description:
      '`default`, `configuration`, `global`, or the kind of the resource it is set on. `inherited` for who may not know from where.',
  }),
  resourceId: Type.Optional(Type.String({ format: 'uuid' })),
  resourceName: Type.Optional(Type.String()),
  valueId: Type.Optional(Type.String({ format: 'uuid', description: 'The `settingValue` that holds it.' })),
};
const EFFECTIVE = Type.Object({
  items: Type.Array(
    Type.Object({
      key: Type.String(),
      value: json('What holds.'),
      ...origin,
      overrides: Type.Array(Type.Object({ value: json('What would hold.'), ...origin }), {
        description: 'What would hold without it, and so on, down to the default.',
      }),
    }),
  ),
});
type Effective = Static<typeof EFFECTIVE>['items'][number];

export interface EndpointPorts extends SettingPorts {
  readonly store: Store;
  readonly settings: Settings;
}

interface At {
  readonly kind: AnyKind;
  readonly row: RowBase;
}

/** What settings there are, and what holds where. */
export const settingEndpoints = (ports: EndpointPorts): readonly Endpoint[] => [
  {
    type: 'value',
    method: 'GET',
    path: '/settings',
    summary: 'The settings that there are, with what they take.',
    permission: readPermission(settingValue),
    answer: DECLARED,
    handle: async () => ({ items: await declared(ports) }),
  },
  {
    type: 'value',
    method: 'GET',
    path: '/settings/effective',
    summary: 'What holds, in the whole cloud or for a resource, where that comes from, and what it overrides.',
    permission: 'setting.read',
    scope: 'project',
    query: QUERY,
    answer: EFFECTIVE,
    handle: async ({ principal, query }) => ({ items: await effective(ports, query as Static<typeof QUERY>, principal) }),
  },
];

async function declared({ registry, store }: EndpointPorts): Promise<Static<typeof DECLARED>['items']> {
  const { settings: catalog } = registry();
  const tally = new Map<string, number>();
  for (const text of await store.list({ table: settingValue.name })) {
    const { key } = JSON.parse(text) as { readonly key: string };
    tally.set(key, (tally.get(key) ?? 0) + 1);
  }
  const known = catalog.all().map(({ setting, plugin }) => ({
    ...{ key: setting.name, known: true, description: setting.description, plugin },
    ...{ schema: setting.schema as JsonObject, default: setting.default as Json },
    ...(catalog.isPreset(setting.name) ? { configured: catalog.preset(setting) as Json } : {}),
    ...{ levels: [GLOBAL, ...setting.levels], tenantsRead: setting.tenantsRead, values: tally.get(setting.name) ?? 0 },
  }));
  const others = [...tally].filter(([key]) => catalog.find(key) === undefined).map(([key, values]) => ({ key, known: false, values }));
  return [...known, ...others].sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** @throws CloudError */
async function effective(ports: EndpointPorts, asked: Static<typeof QUERY>, principal: Principal): Promise<readonly Effective[]> {
  const seesAll = principal.allows(readPermission(settingValue));
  const at = await resourceAsked(ports, asked, principal);
  if (at === undefined && !seesAll) throw lacks(readPermission(settingValue), principal);
  const { settings: catalog } = ports.registry();
  const holds = ({ levels, tenantsRead }: Setting) => (at === undefined || levels.includes(at.kind.name)) && (seesAll || tenantsRead);
  const meant = catalog.all().filter(({ setting }) => holds(setting) && (asked.key === undefined || asked.key === setting.name));
  if (asked.key !== undefined && meant.length === 0)
    throw new CloudError('invalid_input', `There is no setting ${asked.key} ${at === undefined ? 'here' : `of ${oneOf(at.kind.name)}`}.`, {
      params: { parameter: 'key' },
    });
  const items: Effective[] = [];
  for (const { setting } of meant) {
    const [first, ...rest] = await ports.settings.sources(setting, at);
    const shown = seesAll ? { ...told(first), overrides: rest.map(told) } : { ...toldToOwner(first, at), overrides: [] };
    items.push({ key: setting.name, ...shown });
  }
  return items;
}

/** @throws CloudError `invalid_input`, `permission_denied`, `not_found` */
async function resourceAsked(
  { registry, reader }: EndpointPorts,
  asked: Static<typeof QUERY>,
  principal: Principal,
): Promise<At | undefined> {
  const { resourceKind: name, resource } = asked;
  if (name === undefined && resource === undefined) return undefined;
  if (name === undefined || resource === undefined)
    throw new CloudError('invalid_input', 'A resource is named by its kind and its id or name.', {
      params: { parameter: name === undefined ? 'resourceKind' : 'resource' },
    });
  const { settings: catalog } = registry();
  const kind = catalog.isLevel(name) ? registry().findKind(name) : undefined;
  if (kind === undefined)
    throw new CloudError('invalid_input', `Settings have values at ${[GLOBAL, ...catalog.levels()].join(', ')}.`, {
      params: { parameter: 'resourceKind', levels: [...catalog.levels()] },
    });
  if (!principal.allows(readPermission(kind))) throw lacks(readPermission(kind), principal);
  const { row } = await lookUp(reader, kind, resource, principal);
  return { kind, row };
}

const told = ({ value, level, resource, valueId }: Source) => ({
  value: value as Json,
  level,
  ...(resource === undefined ? {} : { resourceId: resource.id as string, resourceName: resource.name }),
  ...(valueId === undefined ? {} : { valueId }),
});

/** Whose the resource is learns nothing of what is above it: only whether the value is its own. */
const toldToOwner = ({ value, resource }: Source, at: At | undefined) => ({
  value: value as Json,
  ...(resource === undefined || resource.id !== at?.row.id
    ? { level: 'inherited' }
    : { level: at.kind.name as string, resourceId: resource.id as string, resourceName: resource.name }),
});
