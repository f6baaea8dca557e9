import { CloudError, isCloudError, type KernelServices, type Statement } from '../../kernel/index.ts';
import { given } from '../naming.ts';
import { changedSettings, readSecrets } from './pool-settings.ts';
import type { Seal } from './volume-key.ts';

/** What a place, be it a pool or a store of backups, is opened with; the secrets are a reference. */
export interface Access {
  readonly settings: Record<string, string>;
  readonly secrets?: string;
}

interface ChangedAccess {
  readonly from: Access;
  readonly to: Access;
  readonly statements: readonly Statement[];
}

/** Other credentials for what a row says, with the new secrets sealed. @throws CloudError invalid_input */
export async function changedAccess(
  { secrets }: Pick<KernelServices, 'secrets'>,
  factory: Parameters<typeof changedSettings>[0],
  row: Access,
  { input, seal }: { readonly input: Parameters<typeof changedSettings>[2]; readonly seal: Seal },
): Promise<ChangedAccess> {
  const known = row.secrets === undefined ? undefined : await openedIfAny(secrets, row.secrets);
  const now = { settings: row.settings, secrets: readSecrets(known) };
  const changed = changedSettings(factory, now, input);
  const sealed = changed.secrets === undefined ? undefined : await seal(changed.secrets);
  return {
    from: { settings: row.settings, ...given({ secrets: row.secrets }) },
    to: { settings: changed.settings, ...given({ secrets: sealed?.reference }) },
    statements: sealed === undefined ? [] : [sealed.statement],
  };
}

/** What no key opens, for that is lost, is given anew as a whole. */
const openedIfAny = (secrets: KernelServices['secrets'], reference: string): Promise<string | undefined> =>
  secrets.open(reference).catch((error: unknown) => {
    if (!isCloudError(error) || error.code !== 'internal') throw error;
    return undefined;
  });

/** Whether a row still says what a request was decided on. */
export const isStill = ({ settings, secrets }: Access, from: Access): boolean =>
  secrets === from.secrets && JSON.stringify(settings) === JSON.stringify(from.settings);

/** Uses what was opened with credentials that are tried, and closes it. @throws CloudError, a conflict pointing at what does not do */
export async function triedWith<T extends { close(): Promise<void> }>(beside: T, act: (beside: T) => Promise<void>): Promise<void> {
  try {
    await act(beside);
  } catch (error) {
    if (!isCloudError(error) || error.code !== 'conflict') throw error;
    throw new CloudError('conflict', error.publicMessage, { pointer: '/secrets', cause: error });
  } finally {
    await beside.close();
  }
}
