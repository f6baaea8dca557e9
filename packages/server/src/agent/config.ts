import { dirname, resolve } from 'node:path';
import { type Static, Type } from 'typebox';
import { checkedConfig, readConfigFile } from '../config/load.ts';

const group = <T extends Parameters<typeof Type.Object>[0]>(properties: T, description: string) =>
  Type.Object(properties, { description, default: {} });

const fingerprint = Type.String({ pattern: '^([0-9A-Fa-f]{2}:?){32}$' });

/** Every key of the agent's configuration file. docs/reference/agent-config.md is generated from this. */
export const AGENT_CONFIG = Type.Object({
  listen: group(
    {
      host: Type.String({ default: '127.0.0.1', description: 'Address to listen on: one that control planes reach, and guests do not.' }),
      port: Type.Integer({ minimum: 0, maximum: 65_535, default: 7430, description: 'Port to listen on; 0 takes any that is free.' }),
    },
    'Where control planes are listened to.',
  ),
  identity: Type.Object(
    {
      certFile: Type.String({ description: 'Certificate, PEM. Nobody has to have signed it.' }),
      keyFile: Type.String({ description: 'Its private key, PEM.' }),
    },
    { description: 'Who the agent is. Its fingerprint is what a control plane is told of it.' },
  ),
  controllers: Type.Array(fingerprint, {
    minItems: 1,
    description:
      'SHA-256 fingerprints of the certificates of those who may command, and of those who are told outcomes, as `openssl x509 -noout -fingerprint -sha256` shows them. Two while one replaces the other.',
  }),
  dataDir: Type.String({
    default: './pileus-agent-data',
    description: 'Directory of the journal and of what is served. Made at the first start, for the owner alone.',
  }),
  journal: group(
    {
      keepDays: Type.Number({ minimum: 1, default: 30, description: 'How long a command is known after its outcome was acknowledged.' }),
      keepMax: Type.Integer({ minimum: 1, default: 100_000, description: 'How many of those at most.' }),
      openMax: Type.Integer({
        minimum: 1,
        default: 10_000,
        description: 'Commands that are not done, or whose outcome nobody has acknowledged; beyond, further ones are answered 429.',
      }),
    },
    'The journal of commands.',
  ),
  ovs: group(
    {
      socket: Type.String({ default: '/var/run/openvswitch/db.sock', description: 'Socket of the database of Open vSwitch on this host.' }),
    },
    'Open vSwitch.',
  ),
  dns: group(
    {
      upstreams: Type.Array(Type.String({ pattern: '^[0-9A-Fa-f.:]+(#[0-9]{1,5})?$' }), {
        default: [],
        description:
          'Addresses of resolvers that know all other names, with another port than 53 as `192.0.2.1#5353`. Empty: those of `/etc/resolv.conf`.',
      }),
    },
    'Names that are not of a VPC.',
  ),
  log: group(
    {
      level: Type.Union([Type.Literal('debug'), Type.Literal('info'), Type.Literal('warn'), Type.Literal('error')], {
        default: 'info',
        description: 'Least severe level that is written, as JSON lines on standard error.',
      }),
    },
    'Logging.',
  ),
});

export type AgentConfig = Static<typeof AGENT_CONFIG>;

export interface LoadedAgentConfig {
  readonly config: AgentConfig;
  /** Paths in the file are relative to it. */
  readonly directory: string;
}

/** Reads a YAML or JSON file. @throws ConfigError naming the key that is unknown, missing or wrong */
export async function loadAgentConfig(path: string): Promise<LoadedAgentConfig> {
  const file = resolve(path);
  return { config: checkedConfig(AGENT_CONFIG, await readConfigFile(file)) as AgentConfig, directory: dirname(file) };
}
