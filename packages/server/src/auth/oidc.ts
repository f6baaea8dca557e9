import type { IdentityProvider } from '@pileus/core';
import { CloudError } from '@pileus/core/kernel';
import { createRemoteJWKSet, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';

export interface OidcOptions {
  readonly account: string;
  readonly makeUsers: boolean;
  /** As it is in the tokens: `/.well-known/openid-configuration` is below it. */
  readonly issuer: string;
  /** For whom the tokens are. */
  readonly clientId: string;
  readonly nameClaim: string;
  readonly groupsClaim: string;
}

const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];
const AGE_SECONDS_MAX = 600;
const TIMEOUT_MS = 10_000;

/** Users of an OpenID provider, by ID tokens that it has signed for us. Its keys are fetched when they are needed, and kept for a while. */
export function oidcProvider(options: OidcOptions): IdentityProvider {
  let keys: Promise<JWTVerifyGetKey> | undefined;
  return {
    name: 'oidc',
    account: options.account,
    makesUsers: options.makeUsers,
    byToken: async (token) => {
      keys ??= keysOf(options);
      try {
        const { payload } = await jwtVerify(token, await keys, {
          issuer: options.issuer,
          audience: options.clientId,
          algorithms: ALGORITHMS,
          requiredClaims: ['sub', 'exp', 'iat'],
          maxTokenAge: AGE_SECONDS_MAX,
          clockTolerance: 5,
        });
        return isForUs(payload, options) ? identityOf(payload, options) : undefined;
      } catch (error) {
        if (isWrongToken(error)) return undefined;
        keys = undefined;
        throw new CloudError('unavailable', 'The identity provider cannot be asked now.', { cause: error });
      }
    },
  };
}

/** On the way to the keys; an answer that is none has the code that all faults of this kind have. */
const AWAY: ReadonlySet<string> = new Set([errors.JWKSTimeout.code, errors.JWKSInvalid.code, errors.JOSEError.code]);

/** What is wrong with the token, apart from what is wrong with the way to the keys. */
const isWrongToken = (error: unknown): boolean => error instanceof errors.JOSEError && !AWAY.has(error.code);

async function keysOf({ issuer }: OidcOptions): Promise<JWTVerifyGetKey> {
  const response = await fetch(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, {
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const found = (await response.json()) as { readonly issuer?: unknown; readonly jwks_uri?: unknown };
  if (found.issuer !== issuer || typeof found.jwks_uri !== 'string')
    throw new Error(`${issuer} describes itself as ${String(found.issuer)}`);
  return createRemoteJWKSet(new URL(found.jwks_uri), { timeoutDuration: TIMEOUT_MS });
}

/** A token for several is ours only if we asked for it. */
const isForUs = ({ aud, azp }: JWTPayload, { clientId }: OidcOptions): boolean =>
  azp === undefined ? !Array.isArray(aud) || aud.length === 1 : azp === clientId;

function identityOf(payload: JWTPayload, { nameClaim, groupsClaim }: OidcOptions) {
  const { sub = '', email, email_verified: isVerified } = payload;
  const name = payload[nameClaim];
  const groups = payload[groupsClaim];
  return {
    id: sub,
    groups: Array.isArray(groups) ? groups.filter((group): group is string => typeof group === 'string') : [],
    ...(typeof name === 'string' ? { name } : {}),
    ...(typeof email === 'string' && isVerified !== false ? { email } : {}),
  };
}
