import { Type } from 'typebox';
import { CloudError, secret } from '../../kernel/index.ts';
import type { StorageFactory } from '../../strategy/index.ts';

/** Of whatever is opened with settings. */
type Factory = Pick<StorageFactory, 'name' | 'settings' | 'settingFault'>;

/** The secret settings of a pool, as requests give them: text by name. */
export const poolSecrets = () =>
  Type.Record(Type.String(), secret({ maxLength: 4096, format: 'password' }), {
    description: 'What the driver asks for and marks as secret, e.g. `key`.',
  });

export interface PoolSettings {
  readonly settings: Record<string, string>;
  /** JSON, to be sealed; absent where there are none. */
  readonly secrets?: string;
}

/** @throws CloudError invalid_input naming a setting that is unknown, missing, given where it does not belong, or of no use to the driver */
export function checkedSettings(
  factory: Factory,
  { settings = {}, secrets = {} }: { readonly settings?: Record<string, string>; readonly secrets?: Record<string, string> },
): PoolSettings {
  refuseStrangers(factory, 'settings', settings);
  refuseStrangers(factory, 'secrets', secrets);
  for (const [name, { required, description }] of Object.entries(factory.settings)) {
    const at = placeOf(factory, name);
    if (required && (at === 'secrets' ? secrets : settings)[name] === undefined)
      throw new CloudError('invalid_input', `${factory.name} needs the setting ${name}: ${description}`, { pointer: `/${at}/${name}` });
  }
  const fault = factory.settingFault?.({ ...settings, ...secrets });
  if (fault !== undefined)
    throw new CloudError('invalid_input', `The setting ${fault.setting} ${fault.reason}.`, {
      pointer: `/${placeOf(factory, fault.setting) ?? 'settings'}/${fault.setting}`,
    });
  return { settings: { ...settings }, ...(Object.keys(secrets).length === 0 ? {} : { secrets: JSON.stringify(secrets) }) };
}

/** What `checkedSettings` gave, together again. */
export const openedSettings = (
  settings: Readonly<Record<string, string>>,
  secrets: string | undefined,
): Readonly<Record<string, string>> => ({
  ...settings,
  ...readSecrets(secrets),
});

export const readSecrets = (secrets: string | undefined): Record<string, string> =>
  secrets === undefined ? {} : (JSON.parse(secrets) as Record<string, string>);

type Place = 'settings' | 'secrets';

const placeOf = ({ settings }: Factory, name: string): Place | undefined => {
  if (!Object.hasOwn(settings, name)) return undefined;
  return settings[name]?.secret === true ? 'secrets' : 'settings';
};

function refuseStrangers(factory: Factory, given: Place, values: Readonly<Record<string, string>>): void {
  for (const name of Object.keys(values)) {
    const at = placeOf(factory, name);
    if (at === given) continue;
    const known = Object.keys(factory.settings).filter((each) => placeOf(factory, each) === given);
    const message =
      at === undefined
        ? `${factory.name} has no such ${given}: ${name}; it has ${known.join(', ') || 'none'}.`
        : `${name} belongs to ${at}.`;
    throw new CloudError('invalid_input', message, { pointer: `/${given}/${name}` });
  }
}

type Given = Parameters<typeof checkedSettings>[1];

/** Other credentials, and all else as it was. @throws CloudError invalid_input as above, and naming a setting that says where something is */
export function changedSettings(factory: Factory, now: Required<Given>, asked: Given): PoolSettings {
  if (Object.keys({ ...asked.settings, ...asked.secrets }).length === 0)
    throw new CloudError('invalid_input', 'Nothing to change was given.', { pointer: '' });
  for (const setting of Object.keys(asked.settings ?? {}))
    if (placeOf(factory, setting) === 'settings' && factory.settings[setting]?.credential !== true)
      throw new CloudError('invalid_input', `${setting} says where ${factory.name} keeps things, not who asks: it stays as it is.`, {
        pointer: `/settings/${setting}`,
      });
  return checkedSettings(factory, { settings: { ...now.settings, ...asked.settings }, secrets: { ...now.secrets, ...asked.secrets } });
}

/** The settings that tell one place from another. */
export const placeSettings = (
  { settings: specs }: Pick<Factory, 'settings'>,
  settings: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> => Object.fromEntries(Object.entries(settings).filter(([name]) => specs[name]?.credential !== true));
