/** How agents are reached. Answers are whatever came, or a rejection when nothing did. */
export interface AgentLink {
  /** Below it outcomes are told, e.g. `https://cloud.example.org`. */
  readonly callbackUrl: string;
  ask(agent: AgentAddress, request: AgentRequest): Promise<{ readonly status: number; readonly json: unknown }>;
}

/** Nobody is asked whose certificate has another fingerprint. */
export interface AgentAddress {
  readonly url: string;
  readonly fingerprint: string;
}

export interface AgentRequest {
  readonly method: 'GET' | 'PUT';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly signal: AbortSignal;
}
