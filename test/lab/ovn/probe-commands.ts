/** What a probe can be asked, and what it answers: lines of JSON on its standard input and output. */
export interface ProbeCommands {
  /** Serves until it ends. `tcp` says a line `NAME CLIENT PORT` to whoever connects and then echoes; `udp` and `http` answer that line, `udp` that `isSilent` nothing. */
  serve: {
    ask: { readonly protocol: Served; readonly port: number; readonly address?: string; readonly isSilent?: boolean };
    answer: null;
  };
  /** Stops serving, and cuts who is connected. */
  close: { ask: { readonly protocol: Served; readonly port: number }; answer: null };
  /** Talks to a served port once. */
  greet: { ask: Greeting; answer: Greeted };
  /** Opens a TCP connection to a served port, and keeps sending on it. */
  hold: { ask: { readonly id: string } & Omit<Greeting, 'protocol'>; answer: Greeted };
  /** Of a connection that is held: whether what is sent comes back. Waits for the first echo of what is sent from now on. */
  held: { ask: { readonly id: string; readonly timeoutMs: number }; answer: { readonly alive: boolean } };
  release: { ask: { readonly id: string }; answer: null };
  /** Sends numbered datagrams to a served UDP port, `periodMs` apart, until `gap` asks. */
  stream: {
    ask: { readonly id: string; readonly address: string; readonly port: number; readonly periodMs: number };
    answer: null;
  };
  /** Returns when a stream has been answered, that is, something that is sent from now on. */
  streaming: { ask: { readonly id: string; readonly timeoutMs: number }; answer: { readonly alive: boolean } };
  /** Ends a stream, once the last answers had their time. `gapMs`: the longest time without an answer. */
  gap: { ask: { readonly id: string }; answer: { readonly sent: number; readonly received: number; readonly gapMs: number } };
  /** Talks once each from so many sockets of its own to a served UDP port, some at a time. Answers how often which server answered; `error` counts those that nobody did within 30 s. `firstPort`: to send from; who is asked from a port again may be asked as before. */
  spread: {
    ask: { readonly address: string; readonly port: number; readonly count: number; readonly firstPort?: number };
    answer: Readonly<Record<string, number>>;
  };
  /** Asks a DNS server, without EDNS, as small resolvers do. */
  resolve: {
    ask: { readonly server: string; readonly name: string; readonly type: 'A' | 'AAAA' | 'PTR'; readonly timeoutMs?: number };
    answer: { readonly records: readonly string[] } | { readonly error: string };
  };
  /** GETs a URL. */
  get: {
    ask: {
      readonly url: string;
      readonly method?: string;
      readonly headers?: Readonly<Record<string, string>>;
      readonly timeoutMs?: number;
    };
    answer: { readonly status: number; readonly body: string } | { readonly error: string };
  };
}

export type Served = 'tcp' | 'udp' | 'http';

export interface Greeting {
  readonly protocol: Served;
  readonly address: string;
  readonly port: number;
  /** Default: 3,000. */
  readonly timeoutMs?: number;
  /** Of this machine, to send from. */
  readonly from?: string;
  readonly fromPort?: number;
}

/** `server` said it, and whom it saw. `error`: `timeout`, or the system's code, e.g. `ECONNREFUSED`. */
export type Greeted = { readonly server: string; readonly client: string; readonly clientPort: number } | { readonly error: string };

export type Command = keyof ProbeCommands;
