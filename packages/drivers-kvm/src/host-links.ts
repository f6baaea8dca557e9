import type { HostEndpoint } from '@pileus/core/strategy';
import { DriverError } from './driver-error.ts';
import { type Address, type DomainEventKind, LibvirtHost } from './libvirt/index.ts';
import { faultOf } from './tls-credentials.ts';

export interface LinkOptions {
  /** Unanswered requests at a time on one connection; must stay below libvirtd's `max_client_requests`. Default 4, since libvirtd's is 5. */
  readonly maxInFlight?: number;
  /** How often a host is asked for a sign of life, and after how many unanswered times its connection counts as lost. Defaults 5,000 and 5. */
  readonly keepaliveIntervalMs?: number;
  readonly keepaliveMissesMax?: number;
}

/** What the drivers listen to: states of machines, and how hot-plugging ends. */
const EVENTS: readonly DomainEventKind[] = ['lifecycle', 'reboot', 'deviceRemoved', 'deviceRemovalFailed'];

/** A host that was switched off and on again is found soon after it answers. */
const RECOVERY = { connectTimeoutMs: 5_000, reconnectDelayMsMax: 5_000 } as const;

/** A driver's hold on the connections to one host. */
export interface HostLink {
  /** Connects when first asked for. Throws `unavailable` after `close`. */
  readonly host: LibvirtHost;
  /** True when the host's sockets and files are this machine's own. */
  readonly local: boolean;
  /** The last one to let go of a host ends its connections. */
  close(): Promise<void>;
}

interface Shared {
  host: LibvirtHost | undefined;
  holders: number;
}

/** The connections to all hosts: the hypervisor, storage and network drivers of one host share them. */
export class HostLinks {
  readonly #options: LinkOptions;
  readonly #shared = new Map<string, Shared>();

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  /** Makes no call yet. Throws `invalid` for a URI that this driver cannot reach. */
  open(endpoint: HostEndpoint): HostLink {
    const { address, uri } = locate(endpoint);
    const key = JSON.stringify({ address, uri });
    const shared = this.#shared.get(key) ?? { host: undefined, holders: 0 };
    this.#shared.set(key, shared);
    shared.holders += 1;
    let closed = false;
    const connect = () => {
      if (closed) throw new DriverError('unavailable', `the driver of host ${endpoint.hostId} is closed`);
      shared.host ??= new LibvirtHost({ ...RECOVERY, ...this.#options, address, uri, events: EVENTS });
      return shared.host;
    };
    return {
      get host() {
        return connect();
      },
      local: address.kind === 'unix',
      close: async () => {
        if (closed) return;
        closed = true;
        shared.holders -= 1;
        if (shared.holders > 0) return;
        this.#shared.delete(key);
        await shared.host?.close();
      },
    };
  }
}

const DEFAULT_SOCKET = '/run/libvirt/libvirt-sock';

/** Where a host's daemon is, and which connection to open there. */
export function locate(endpoint: HostEndpoint): { readonly address: Address; readonly uri: string } {
  const { uri: given, tls } = endpoint;
  const url = URL.canParse(given) ? new URL(given) : undefined;
  const invalid = (why: string, field = 'uri') => new DriverError('invalid', `${given}: ${why}`, { field });
  if (url === undefined || url.pathname !== '/system') throw invalid('not a URI like qemu:///system');
  const uri = 'qemu:///system';
  if (url.protocol === 'qemu+tls:') {
    if (url.hostname === '') throw invalid('names no host');
    if (tls === undefined) throw invalid('needs a certificate authority, a certificate and a key', 'tlsCredentials');
    const fault = faultOf(tls);
    if (fault !== undefined) throw invalid(fault, 'tlsCredentials');
    const port = url.port === '' ? {} : { port: Number(url.port) };
    return { address: { kind: 'tls', host: url.hostname.replace(/^\[|\]$/g, ''), ...port, ...tls }, uri };
  }
  if (url.protocol !== 'qemu:' && url.protocol !== 'qemu+unix:') throw invalid('only qemu, qemu+unix and qemu+tls can be reached');
  if (url.hostname !== '') throw invalid('names a host, but no transport to reach it by: use qemu+tls');
  return { address: { kind: 'unix', path: url.searchParams.get('socket') ?? DEFAULT_SOCKET }, uri };
}
