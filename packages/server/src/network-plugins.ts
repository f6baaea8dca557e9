import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Plugin } from '@pileus/core/kernel';
import type { Address } from '@pileus/drivers-ovs/ovn';
import { ConfigError, dependingOn } from './config/load.ts';
import type { Config } from './config/schema.ts';
import { readTls } from './http/tls.ts';

type Ovn = NonNullable<Config['network']['ovn']>;
type Credentials = Pick<Extract<Address, { kind: 'tls' }>, 'ca' | 'cert' | 'key' | 'servername'>;

/** The drivers of networks that the configuration asks for, loaded by servers alone that use them. @throws ConfigError */
export async function networkPlugins({ ovn: asked }: Config['network'], directory: string): Promise<readonly Plugin[]> {
  if (asked === undefined) return [];
  const { northbound, southbound, tls: _, ...options } = asked;
  const credentials = await credentialsOf(asked, directory);
  const { ovn } = await import('@pileus/drivers-ovs/ovn');
  const servers = (key: 'northbound' | 'southbound', written: readonly string[]) => {
    const [first, ...more] = written.map((text, index) => addressOf(text, `network.ovn.${key}[${index}]`, credentials));
    if (first === undefined) throw new ConfigError(`The configuration is wrong: network.ovn.${key} names no server.`);
    return [first, ...more] as const;
  };
  return [ovn({ ...options, northbound: [...servers('northbound', northbound)], southbound: [...servers('southbound', southbound)] })];
}

async function credentialsOf({ tls }: Ovn, directory: string): Promise<Credentials | undefined> {
  if (tls === undefined) return undefined;
  const ca = await dependingOn('network.ovn.tls.caFile', readFile(resolve(directory, tls.caFile), 'utf8'));
  return { ...(await readTls(tls, directory, 'network.ovn.tls')), ca, ...(tls.names ? {} : { servername: false }) };
}

function addressOf(text: string, key: string, credentials: Credentials | undefined): Address {
  const [, kind, rest = ''] = /^(unix|tcp|ssl):(.+)$/.exec(text) ?? [];
  if (kind === 'unix') return { kind, path: rest };
  const [, bracketed, plain = '', port] = /^(?:\[(.+)\]|(.+)):(\d+)$/.exec(rest) ?? [];
  const place = { host: bracketed ?? plain, port: Number(port) };
  if (place.port < 1 || place.port > 65_535) throw new ConfigError(`The configuration is wrong: ${key}: ${port} is no port.`);
  if (kind === 'tcp') return { kind, ...place };
  if (credentials === undefined)
    throw new ConfigError(`The configuration is wrong: ${key} needs network.ovn.tls, the certificates for it.`);
  return { kind: 'tls', ...place, ...credentials };
}
