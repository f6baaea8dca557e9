import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider from 'oidc-provider';

const REDIRECT = 'http://127.0.0.1:1/callback';

/** An OpenID provider of one's own, which lets everybody in as whom he says he is: `oidc-provider`, over HTTP on a free port. */
export class OpenId implements AsyncDisposable {
  readonly issuer: string;
  readonly #server: Server;

  private constructor(issuer: string, server: Server) {
    this.issuer = issuer;
    this.#server = server;
  }

  /** @param claims by the name of the user */
  static async start(clientIds: readonly string[], claims: Readonly<Record<string, object>>): Promise<OpenId> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const provider = new Provider(issuer, {
      clients: clientIds.map((id) => ({
        client_id: id,
        client_secret: 'secret',
        redirect_uris: [REDIRECT],
        application_type: 'native' as const,
      })),
      pkce: { required: () => false },
      features: { devInteractions: { enabled: false } },
      interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
      claims: { openid: ['sub', 'preferred_username', 'email', 'groups'] },
      conformIdTokenClaims: false,
      findAccount: (_ctx, id) => ({ accountId: id, claims: async () => ({ sub: id, preferred_username: id, ...claims[id] }) }),
    });
    const answer = provider.callback();
    server.on('request', async (request, response) => {
      if (request.url?.startsWith('/interaction/') !== true) return answer(request, response);
      const { params } = await provider.interactionDetails(request, response);
      const accountId = String(params.login_hint);
      const grant = new provider.Grant({ accountId, clientId: String(params.client_id) });
      grant.addOIDCScope('openid');
      await provider.interactionFinished(request, response, { login: { accountId }, consent: { grantId: await grant.save() } });
    });
    return new OpenId(issuer, server);
  }

  /** An ID token by the code flow, as a browser and a client would get it. */
  async idToken(clientId: string, user: string): Promise<string> {
    const query = new URLSearchParams({
      client_id: clientId,
      response_type: 'code',
      scope: 'openid',
      redirect_uri: REDIRECT,
      login_hint: user,
    });
    const cookies = new Map<string, string>();
    let url = `${this.issuer}/auth?${query}`;
    while (!url.startsWith(REDIRECT)) {
      const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
      const response = await fetch(url, { redirect: 'manual', headers: { cookie } });
      for (const line of response.headers.getSetCookie()) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
        cookies.set(name, value);
      }
      const location = response.headers.get('location');
      if (location === null) throw new Error(`${url}: ${response.status} ${await response.text()}`);
      url = new URL(location, url).href;
    }
    const code = new URL(url).searchParams.get('code') ?? '';
    const body = new URLSearchParams({ grant_type: 'authorization_code', code, redirect_uri: REDIRECT });
    const authorization = `Basic ${Buffer.from(`${clientId}:secret`).toString('base64')}`;
    const answer = await fetch(`${this.issuer}/token`, { method: 'POST', headers: { authorization }, body });
    const { id_token: token } = (await answer.json()) as { readonly id_token?: string };
    if (token === undefined) throw new Error(`no ID token for ${user}: ${answer.status}`);
    return token;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
