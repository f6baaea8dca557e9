import { Type } from 'typebox';
import type { Json } from '../json.ts';
import { defineKind, type RowOf } from '../kind.ts';

/** Settings are few: a bound that nobody meets who sets each once. */
const VALUES_MAX = 1000;

const json = (description: string) => Type.Unsafe<Json>({ description });

/** Where a setting has a value. */
const placeFields = {
  key: Type.String({ maxLength: 127, description: 'E.g. `hosts.heartbeatSeconds`.' }),
  level: Type.String({ maxLength: 63, description: '`global`, or the kind of the resource.' }),
  resourceKind: Type.Optional(Type.String({ maxLength: 63, description: 'Absent at the level `global`.' })),
  resourceId: Type.Optional(Type.String({ format: 'uuid', description: 'Absent at the level `global`.' })),
};

export const settingValue = defineKind({
  name: 'settingValue',
  plural: 'setting-values',
  description:
    'A value of a setting, for the whole cloud or for one resource and all below it. Goes with the resource, or by `reset`: the setting inherits again.',
  scope: 'cloud',
  schema: Type.Object({
    ...placeFields,
    place: Type.String({ maxLength: 63, description: '`global`, or the id of the resource.' }),
    value: json('As the schema of the setting says.'),
  }),
  attached: { max: VALUES_MAX, levelsOnly: true },
  states: { available: ['deleted'] },
  initial: 'available',
  unique: [['key', 'place']],
  indexed: ['key', 'level', 'resourceId'],
});
export type SettingValue = RowOf<typeof settingValue>;

export const settingChange = defineKind({
  name: 'settingChange',
  plural: 'setting-changes',
  description: 'That a setting was given a value, another one, or none any more. Kept when the value is gone; `rollback` takes it back.',
  scope: 'cloud',
  schema: Type.Object({
    ...placeFields,
    place: Type.String({ maxLength: 63, description: '`global`, or the id of the resource.' }),
    resourceName: Type.Optional(Type.String({ description: 'As it was called then.' })),
    from: Type.Optional(json('What it was. Absent: it inherited.')),
    to: Type.Optional(json('What it became. Absent: it inherits.')),
    actor: Type.String({ description: 'Who asked.' }),
    operationId: Type.String({ format: 'uuid', description: 'Of the request.' }),
  }),
  states: { recorded: ['deleted'] },
  initial: 'recorded',
  indexed: ['key', 'level', 'resourceId', 'place', 'actor'],
});
export type SettingChange = RowOf<typeof settingChange>;
