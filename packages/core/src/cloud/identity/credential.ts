import { hash, timingSafeEqual } from 'node:crypto';
import {
  type AnyKind,
  type Deletion,
  defineDeletion,
  FORWARD_ONLY,
  forgetSealed,
  type JsonObject,
  NOTHING_TO_UNDO,
  type Random,
  type RowBase,
  revert,
  type Secrets,
  type Statement,
  type Store,
  saga,
  type TableSpec,
} from '../../kernel/index.ts';

/** What proves who somebody is, apart from the rows that are shown: digests and sealed values only. */
export const CREDENTIALS: TableSpec = { name: 'credential', type: 'plain', key: ['id'], columns: { id: 'text' }, unique: [], indexes: [] };

export interface TokenSecret {
  /** Of the token, base64: 32 random bytes need no slow hash. */
  readonly sha256: string;
  /** Reference to the sealed key for signatures. */
  readonly signing?: string;
  /** RFC 3339. Of one that has been replaced. */
  readonly expiresAt?: string;
}

/** `secrets` of an API key or a session, `password` of a user. */
export interface Credential {
  readonly id: string;
  readonly secrets?: readonly TokenSecret[];
  readonly password?: string;
}

export async function readCredential(store: Pick<Store, 'read'>, id: string): Promise<Credential | undefined> {
  const text = await store.read(CREDENTIALS.name, id);
  return text === undefined ? undefined : (JSON.parse(text) as Credential);
}

export const writeCredential = (credential: Credential): readonly Statement[] => [
  { op: 'remove', table: CREDENTIALS.name, key: credential.id },
  { op: 'insert', table: CREDENTIALS.name, row: credential as unknown as JsonObject },
];

/** Instead of the one that was read, and of no other: of two who change it at once one is told. */
export const writePassword = (id: string, password: string, was: string | undefined): Statement =>
  was === undefined
    ? { op: 'insert', table: CREDENTIALS.name, row: { id, password } }
    : { op: 'update', table: CREDENTIALS.name, key: id, set: { password }, expect: { password: was } };

/** Fails where the password was changed since it was read: who has shown the old one gets nothing for it any more. */
export const isStillPassword = (id: string, password: string): Statement => ({
  ...{ op: 'expect', table: CREDENTIALS.name, key: id, expect: { password } },
});

export type TokenPrefix = 'pil' | 'pis';
export interface TokenId {
  readonly prefix: TokenPrefix;
  readonly id: string;
}
const SECRET_BYTES = 32;
const TOKEN = /^(pil|pis)_([0-9a-f]{32})_([A-Za-z0-9_-]{43})$/;

/** `pil_…` for API keys, `pis_…` for sessions: the id, then what only its holder knows. */
export function newToken(prefix: TokenPrefix, id: string, random: Random): { readonly token: string; readonly sha256: string } {
  const token = `${prefix}_${id.replaceAll('-', '')}_${Buffer.from(random.bytes(SECRET_BYTES)).toString('base64url')}`;
  return { token, sha256: hash('sha256', token, 'base64') };
}

/** The id in a token; undefined when it is not one of these. */
export function tokenId(token: string): TokenId | undefined {
  const [, prefix, hex = ''] = TOKEN.exec(token) ?? [];
  return prefix === undefined
    ? undefined
    : { prefix: prefix as TokenPrefix, id: hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5') };
}

/** What signatures are made with: it follows from the key, but not the key from it. */
export const signingKeyOf = (token: string): string => hash('sha256', `pileus-signing:${token}`, 'hex');

export async function tokenSecret(token: string, sha256: string, secrets: Secrets) {
  const sealed = await secrets.seal(signingKeyOf(token));
  return { secret: { sha256, signing: sealed.reference } satisfies TokenSecret, statement: sealed.statement };
}

/** The secret that the token of this digest is, unless it has been replaced too long ago. */
export function secretOf({ secrets = [] }: Credential, sha256Base64: string, now: string): TokenSecret | undefined {
  const digest = Buffer.from(sha256Base64, 'base64');
  const found = secrets.find(({ sha256 }) => timingSafeEqual(Buffer.from(sha256, 'base64'), digest));
  return found?.expiresAt !== undefined && found.expiresAt <= now ? undefined : found;
}

interface RemovalContext {
  readonly store: Store;
}

const removal = saga<RemovalContext, { readonly kind: string; readonly id: string }>('credential.remove', 1)
  .effect('find', {
    do: async ({ ctx, params }) => ({
      sealed: ((await readCredential(ctx.store, params.id))?.secrets ?? []).flatMap(({ signing }) =>
        signing === undefined ? [] : [signing],
      ),
    }),
    undo: NOTHING_TO_UNDO,
    needed: true,
  })
  .write('deleted', {
    do: ({ params, out }) => [
      revert({ name: params.kind } as AnyKind, params.id as never, { from: 'deleting', to: 'deleted' }),
      { op: 'remove', table: CREDENTIALS.name, key: params.id },
      ...out.find.sealed.map(forgetSealed),
    ],
    undo: FORWARD_ONLY,
  })
  .build();

/** Deletion of a row together with what it proves itself by. */
export const credentialDeletion = (kind: AnyKind, from: readonly string[], store: Store): Deletion =>
  defineDeletion({
    kind,
    from,
    remove: removal,
    context: () => ({ store }),
    params: (row: RowBase) => ({ kind: kind.name as string, id: row.id as string }),
  });
