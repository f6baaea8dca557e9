import { isIP } from 'node:net';

/** Messenger version 1's; where it is named, version 2 must not be assumed. */
const PORT_V1 = '6789';
/** `v2:host:port/nonce`: of these only the host is always there. IPv6 is in brackets where something follows it. */
const ENTRY = /^(?:(v1|v2|any):)?(?:\[([\da-fA-F:.]+)\]|([\w.-]+))(?::(\d+))?(?:\/\d+)?$/;

const VECTOR = /^\[((?:v1|v2|any):.+)\]$/;

/** One address of a monitor as somebody wrote it. */
export interface MonitorEntry {
  readonly protocol: string | undefined;
  /** A name or an address, without brackets. */
  readonly host: string;
  readonly port: string | undefined;
}

/** What is between commas, but for those within brackets: `[v2:10.0.0.1:3300,v1:10.0.0.1:6789],10.0.0.2` are two monitors. */
export const monitorsIn = (text: string): readonly string[] =>
  text
    .split(/,(?![^[]*\])/)
    .map((each) => each.trim())
    .filter((each) => each !== '');

/** The addresses of a monitor: several of one that is told with those of both messengers. Undefined of what is no address. */
export function entriesOf(monitor: string): readonly MonitorEntry[] | undefined {
  const entries = (VECTOR.exec(monitor)?.[1]?.split(',') ?? [monitor]).map((text) => entryOf(text.trim()));
  return entries.every((entry) => entry !== undefined) ? entries : undefined;
}

function entryOf(text: string): MonitorEntry | undefined {
  if (isIP(text) !== 0) return { protocol: undefined, host: text, port: undefined };
  const [, protocol, bracketed, plain, port] = ENTRY.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || (bracketed !== undefined && isIP(bracketed) !== 6)) return undefined;
  return { protocol, host, port };
}

/** `host:port` of each, for those who know neither messengers nor vectors of addresses. */
export const hostsOf = (monitors: readonly string[]): readonly string[] => [
  ...new Set(monitors.flatMap((monitor) => entriesOf(monitor)?.map(({ host, port }) => written(host, port)) ?? [monitor])),
];

/**
 * `mon_host` for librados. A port that is not version 1's is said to be version 2's: where librados tries both on one port, a wrong key is told as a time-out.
 * @throws RangeError when one is no address
 */
export function monHost(monitors: readonly string[]): string {
  const all = monitors.flatMap(monitorsIn);
  if (all.length === 0) throw new RangeError('monitors: at least one is needed');
  for (const monitor of all)
    if (entriesOf(monitor) === undefined) throw new RangeError(`monitors: ${JSON.stringify(monitor)} is no address`);
  return all.map((monitor) => (VECTOR.test(monitor) ? monitor : addressed(entryOf(monitor)))).join(',');
}

/** With a port, in brackets: librados takes no protocol without them. */
function addressed(entry: MonitorEntry | undefined): string {
  const { host = '', port, protocol = port === undefined || port === PORT_V1 ? undefined : 'v2' } = entry ?? {};
  return protocol === undefined ? written(host, port) : `[${protocol}:${written(host, port)}]`;
}

function written(host: string, port: string | undefined): string {
  const shown = isIP(host) === 6 ? `[${host}]` : host;
  return port === undefined ? shown : `${shown}:${port}`;
}

/** No monitor can be asked: of none of them an address is known. */
export class NoAddress extends Error {
  /** Its names are not to be found; else nobody answered who would know. */
  readonly isCertain: boolean;

  constructor(names: readonly string[], isCertain: boolean) {
    const of = names.join(', ');
    super(isCertain ? `no address is known of ${of}` : `nobody could be asked for the address of ${of}`);
    this.isCertain = isCertain;
  }
}

/** Answers all addresses of a name. @throws with a `code` when it has none, unless that is `EAI_AGAIN` */
export type Lookup = (name: string) => Promise<readonly string[]>;

/**
 * `mon_host` with addresses alone. librados itself takes no name beside a protocol, gives up all monitors for one whose name has no address, and says so on our
 * standard output. Monitors whose names have none are left out while others have.
 * @throws NoAddress
 */
export async function addressesOf(host: string, lookup: Lookup): Promise<string> {
  const refused: { readonly name: string; readonly error: unknown }[] = [];
  const found = await Promise.all(
    monitorsIn(host).map(async (monitor) => {
      const entries = entriesOf(monitor) ?? [];
      if (entries.every((entry) => isIP(entry.host) !== 0)) return [monitor];
      const each = await Promise.all(
        entries.map(async (entry) => {
          if (isIP(entry.host) !== 0) return [addressed(entry)];
          try {
            return (await lookup(entry.host)).map((address) => addressed({ ...entry, host: address }));
          } catch (error) {
            refused.push({ name: entry.host, error });
            return [];
          }
        }),
      );
      return each.flat();
    }),
  );
  const all = [...new Set(found.flat())];
  if (all.length > 0) return all.join(',');
  const names = [...new Set(refused.map(({ name }) => name))].sort();
  throw new NoAddress(
    names,
    refused.every(({ error }) => error instanceof Error && 'code' in error && error.code !== 'EAI_AGAIN'),
  );
}
