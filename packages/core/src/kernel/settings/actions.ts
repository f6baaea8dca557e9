import { Type } from 'typebox';
import { isVisible, type Principal, readPermission } from '../access.ts';
import { type Acceptance, type AcceptRequest, type Action, defineAction } from '../action.ts';
import { inWords } from '../article.ts';
import { CloudError, isCloudError } from '../errors.ts';
import type { AnyKind, RowBase } from '../kind.ts';
import type { Reader } from '../reader.ts';
import type { Registry } from '../registry.ts';
import { type ChangeContext, type ChangeParams, changeSetting, keyOf, present, type SettingPlace } from './change-saga.ts';
import { GLOBAL, type Setting } from './definition.ts';
import { settingChange, settingValue } from './kinds.ts';

export interface SettingPorts {
  readonly reader: Reader;
  readonly registry: () => Registry;
}

const { key, resourceId, value } = settingValue.schema.properties;
const setInput = Type.Object({
  key,
  value,
  resourceKind: Type.Optional(
    Type.String({ maxLength: 63, description: 'Of the resource that it is for. Default: it is for the whole cloud.' }),
  ),
  resourceId,
});
const updateInput = Type.Object({ value });

type Asked = Pick<AcceptRequest<AnyKind, unknown>, 'principal' | 'mint'>;

/** Of one setting, one value each, by who may. */
export const settingActions = (ports: SettingPorts): readonly Action[] => [
  defineAction<typeof settingValue, typeof setInput, ChangeParams, ChangeContext>({
    kind: settingValue,
    verb: 'set',
    description:
      'Gives a setting a value, or another one: of the whole cloud, or of a resource and all below it. It is in use when the operation has ended.',
    target: 'collection',
    input: setInput,
    accept: async (request) => {
      const { input, principal } = request;
      const setting = declared(ports, input.key);
      setting.assert(input.value);
      const row = await resourceOf(ports, setting, input, principal);
      const at = placeAt(input);
      const there = await present(ports.reader, at);
      const acceptance = changing(request, { at, to: input.value, ...(row === undefined ? {} : { resourceName: row.name }) }, request.id);
      return there === undefined ? acceptance : { ...acceptance, about: there.id };
    },
    ...common(ports),
  }),
  defineAction<typeof settingValue, typeof updateInput, ChangeParams, ChangeContext>({
    kind: settingValue,
    verb: 'update',
    description: 'Gives a setting another value where it has one.',
    target: 'resource',
    input: updateInput,
    from: ['available'],
    accept: async (request) => {
      const { row, input } = request;
      stillDeclared(ports, row.key).assert(input.value);
      return changing(request, { at: placeAt(row), to: input.value, ...(await nameOf(ports, row)) });
    },
    ...common(ports),
  }),
  defineAction<typeof settingValue, ReturnType<typeof Type.Object>, ChangeParams, ChangeContext>({
    kind: settingValue,
    verb: 'reset',
    description: 'Takes a value away: the setting inherits again.',
    target: 'resource',
    input: Type.Object({}),
    from: ['available'],
    satisfied: ({ state }) => state === 'deleted',
    accept: async (request) => changing(request, { at: placeAt(request.row), ...(await nameOf(ports, request.row)) }),
    ...common(ports),
  }),
  defineAction<typeof settingChange, ReturnType<typeof Type.Object>, ChangeParams, ChangeContext>({
    kind: settingChange,
    verb: 'rollback',
    description: 'Puts a setting back to what it was before this change, whatever it was changed to since.',
    target: 'resource',
    input: Type.Object({}),
    from: ['recorded'],
    accept: async (request) => {
      const { row, principal } = request;
      const at = placeAt(row);
      if (row.from !== undefined) {
        const setting = stillDeclared(ports, row.key);
        assertStill(setting, row.from);
        await resourceOf(ports, setting, row, principal);
      }
      const to = row.from === undefined ? {} : { to: row.from };
      return changing(request, { at, ...to, ...(await nameOf(ports, row)) });
    },
    ...common(ports),
  }),
];

const common = ({ reader }: SettingPorts) => ({ saga: changeSetting, context: (): ChangeContext => ({ reader }) });

function changing(
  { principal: { actor }, mint }: Asked,
  change: Pick<ChangeParams, 'at' | 'to' | 'resourceName'>,
  valueId = mint('settingValue'),
): Acceptance<ChangeParams> {
  return { params: { ...change, actor, valueId, changeId: mint('settingChange') }, statements: [], keys: [keyOf(change.at)] };
}

/** @throws CloudError `invalid_input` */
function declared({ registry }: SettingPorts, name: string): Setting {
  const found = registry().settings.find(name);
  if (found !== undefined) return found.setting;
  throw new CloudError('invalid_input', `No plugin declares the setting ${name}.`, { pointer: '/key', params: { setting: name } });
}

/** @throws CloudError `conflict` */
function stillDeclared({ registry }: SettingPorts, name: string): Setting {
  const found = registry().settings.find(name);
  if (found !== undefined) return found.setting;
  throw new CloudError('conflict', `No plugin declares the setting ${name} any more; its value can only be reset.`, {
    params: { setting: name },
  });
}

/** @throws CloudError `conflict` */
function assertStill(setting: Setting, value: unknown): void {
  try {
    setting.assert(value);
  } catch (error) {
    if (!isCloudError(error)) throw error;
    throw new CloudError('conflict', `What the setting ${setting.name} was then does not fit it any more: ${error.publicMessage}`, {
      params: { setting: setting.name },
    });
  }
}

interface Named {
  readonly resourceKind?: string;
  readonly resourceId?: string;
}

/** @throws CloudError `invalid_input` for a level that the setting does not have, `not_found` for a resource that is not there, or not for the caller */
async function resourceOf(
  { reader, registry }: SettingPorts,
  setting: Setting,
  { resourceKind: kindName, resourceId: id }: Named,
  principal: Principal,
): Promise<RowBase | undefined> {
  if (kindName === undefined && id === undefined) return undefined;
  if (kindName === undefined || id === undefined)
    throw new CloudError('invalid_input', 'A resource is named by its kind and its id.', {
      pointer: kindName === undefined ? '/resourceKind' : '/resourceId',
    });
  const levels = [GLOBAL, ...setting.levels];
  if (!setting.levels.includes(kindName))
    throw new CloudError('invalid_input', `The setting ${setting.name} is for ${levels.join(', ')}.`, {
      pointer: '/resourceKind',
      params: { setting: setting.name, levels },
    });
  const kind = registry().kind(kindName);
  const row = (await reader.find(kind, id)) as RowBase | undefined;
  if (row === undefined || row.deletedAt !== undefined || !(await isVisible(kind, row, principal, readPermission(kind), reader)))
    throw new CloudError('not_found', `No ${inWords(kindName)} ${id}.`, { pointer: '/resourceId' });
  return row;
}

function placeAt({ key: name, resourceKind: kind, resourceId: id }: Named & { readonly key: string }): SettingPlace {
  if (kind === undefined || id === undefined) return { key: name, level: GLOBAL, place: GLOBAL };
  return { key: name, level: kind, place: id, resourceKind: kind, resourceId: id };
}

/** As the resource is called now, for who reads of the change when it is gone. */
async function nameOf(
  { reader, registry }: SettingPorts,
  { resourceKind: kind, resourceId: id }: Named,
): Promise<Pick<ChangeParams, 'resourceName'>> {
  const known = kind === undefined ? undefined : registry().findKind(kind);
  const row = known === undefined || id === undefined ? undefined : ((await reader.find(known, id)) as RowBase | undefined);
  return row === undefined ? {} : { resourceName: row.name };
}
