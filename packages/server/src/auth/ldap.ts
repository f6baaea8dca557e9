import { readFile } from 'node:fs/promises';
import type { ExternalIdentity, IdentityProvider } from '@pileus/core';
import { CloudError } from '@pileus/core/kernel';
import { AndFilter, Client, type Entry, EqualityFilter, InvalidCredentialsError } from 'ldapts';

export interface LdapOptions {
  readonly account: string;
  readonly makeUsers: boolean;
  /** `ldap://` or `ldaps://`. */
  readonly url: string;
  /** Speak TLS on a connection that begins without. */
  readonly startTls: boolean;
  /** Certificates to trust in place of the system's, PEM. */
  readonly caFile?: string | undefined;
  /** Who looks users up. Default: nobody. */
  readonly bindDn?: string | undefined;
  readonly bindPasswordFile?: string | undefined;
  readonly userBase: string;
  readonly userClass: string;
  readonly userAttribute: string;
  readonly idAttribute: string;
  readonly emailAttribute: string;
  readonly groupBase?: string | undefined;
  readonly memberAttribute: string;
  readonly groupAttribute: string;
}

const TIMEOUT_MS = 10_000;

/** Users of a directory: looked up by name, proven by binding as the one that was found. */
export function ldapProvider(options: LdapOptions): IdentityProvider {
  return {
    name: 'ldap',
    account: options.account,
    makesUsers: options.makeUsers,
    byPassword: async (user, password) => {
      // A bind without a password is one as nobody, and succeeds.
      if (password === '') return undefined;
      try {
        return await asked(options, user, password);
      } catch (cause) {
        throw new CloudError('unavailable', 'The directory of users cannot be asked now.', { cause });
      }
    },
  };
}

/** Who must be at the other end, and who says so. */
async function tlsOf({ url, caFile }: LdapOptions): Promise<{ readonly host: string; readonly ca?: readonly Buffer[] }> {
  const host = new URL(url).hostname.replaceAll(/^\[|\]$/g, '');
  return { host, ...(caFile === undefined ? {} : { ca: [await readFile(caFile)] }) };
}

async function asked(options: LdapOptions, name: string, password: string): Promise<ExternalIdentity | undefined> {
  const { url, startTls } = options;
  const tls = await tlsOf(options);
  const tlsOptions = url.startsWith('ldaps:') ? { tlsOptions: tls as object } : {};
  const client = new Client({ url, timeout: TIMEOUT_MS, connectTimeout: TIMEOUT_MS, ...tlsOptions });
  try {
    if (startTls) await client.startTLS(tls as object);
    return await identityOf(client, options, name, password);
  } finally {
    await client.unbind().catch(() => undefined);
  }
}

async function identityOf(client: Client, options: LdapOptions, name: string, password: string): Promise<ExternalIdentity | undefined> {
  await bindAsReader(client, options);
  const { userBase, userClass, userAttribute, idAttribute, emailAttribute } = options;
  const filter = new AndFilter({ filters: [equality('objectClass', userClass), equality(userAttribute, name)] });
  const attributes = [userAttribute, idAttribute, emailAttribute];
  const { searchEntries } = await client.search(userBase, { scope: 'sub', filter, attributes, sizeLimit: 2 });
  const [entry] = searchEntries;
  // Two that are called so are nobody.
  if (entry === undefined || searchEntries.length > 1) return undefined;
  const groups = await groupsOf(client, options, entry.dn);
  if (!(await binds(client, entry.dn, password))) return undefined;
  const id = textOf(entry, idAttribute);
  if (id === undefined) throw new Error(`${entry.dn} has no ${idAttribute}`);
  const email = textOf(entry, emailAttribute);
  return { id, name, groups, ...(email === undefined ? {} : { email }) };
}

async function bindAsReader(client: Client, { bindDn, bindPasswordFile }: LdapOptions): Promise<void> {
  if (bindDn === undefined) return;
  await client.bind(bindDn, bindPasswordFile === undefined ? '' : (await readFile(bindPasswordFile, 'utf8')).trimEnd());
}

async function groupsOf(
  client: Client,
  { groupBase, memberAttribute, groupAttribute }: LdapOptions,
  dn: string,
): Promise<readonly string[]> {
  if (groupBase === undefined) return [];
  const { searchEntries } = await client.search(groupBase, {
    scope: 'sub',
    filter: equality(memberAttribute, dn),
    attributes: [groupAttribute],
  });
  return searchEntries.flatMap((entry) => textOf(entry, groupAttribute) ?? []);
}

async function binds(client: Client, dn: string, password: string): Promise<boolean> {
  try {
    await client.bind(dn, password);
    return true;
  } catch (error) {
    if (error instanceof InvalidCredentialsError) return false;
    throw error;
  }
}

const equality = (attribute: string, value: string): EqualityFilter => new EqualityFilter({ attribute, value });

function textOf(entry: Entry, attribute: string): string | undefined {
  const value = entry[attribute];
  const first = Array.isArray(value) ? value[0] : value;
  return first === undefined || first.length === 0 ? undefined : String(first);
}
