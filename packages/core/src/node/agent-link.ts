import type { AgentLink } from '../cloud/index.ts';
import { exchange, fingerprintOf, type Identity, PinnedConnections } from './pinned.ts';

export interface AgentLinkOptions {
  /** Who the control plane is to agents. */
  readonly identity: Identity;
  /** Where agents reach it, without a path. */
  readonly callbackUrl: string;
}

/** Agents over HTTPS, each known by the fingerprint of its certificate. */
export function agentLink({ identity, callbackUrl }: AgentLinkOptions): AgentLink & { readonly fingerprint: string } {
  const connections = new Map<string, PinnedConnections>();
  const to = (fingerprint: string): PinnedConnections => {
    const known = connections.get(fingerprint) ?? new PinnedConnections(identity, [fingerprint]);
    connections.set(fingerprint, known);
    return known;
  };
  return {
    callbackUrl: callbackUrl.replace(/\/+$/, ''),
    fingerprint: fingerprintOf(identity.cert),
    ask: async ({ url, fingerprint }, { path, ...request }) => {
      const { status, text } = await exchange(to(fingerprint), { url: url + path, ...request });
      return { status, json: text === '' ? undefined : JSON.parse(text) };
    },
  };
}
