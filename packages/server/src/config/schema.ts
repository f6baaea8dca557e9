import {
  addressSignIns,
  heartbeatSeconds,
  imageBytesMax,
  imageDiskBytesMax,
  imagePartHours,
  sessionHours,
  shutdownSeconds,
  strayAfterSeconds,
  strayPolicies,
} from '@pileus/core';
import { auditDays, deletedDays, type Json, operationDays, type Presets, type Setting, trashSeconds } from '@pileus/core/kernel';
import { type Static, Type } from 'typebox';

const group = <T extends Parameters<typeof Type.Object>[0]>(properties: T, description: string) =>
  Type.Object(properties, { description, default: {} });

const seconds = (preset: number, description: string) => Type.Number({ minimum: 0, default: preset, description });
const count = (preset: number, description: string) => Type.Integer({ minimum: 1, default: preset, description });

/** The value that a setting begins with, in place of its default. */
const preset = <V>(setting: Setting<V>) => {
  const { schema, description, name, default: standard } = setting;
  return Type.Optional(Type.Unsafe<V>({ ...schema, description, 'x-setting': name, 'x-default': standard }));
};

const limits = (description: string) =>
  Type.Record(Type.String(), Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }), { default: {}, description });

const account = Type.String({ description: 'Name of the account that its users are of.' });
const makeUsers = Type.Boolean({
  default: false,
  description: 'Make a user of who signs in for the first time. Otherwise users are made, with their `externalId`.',
});

const LDAP = Type.Object(
  {
    account,
    makeUsers,
    url: Type.String({ pattern: '^ldaps?://', description: 'Of the directory, e.g. `ldaps://ldap.example.org`.' }),
    startTls: Type.Boolean({ default: false, description: 'With `ldap://`: speak TLS from the start of each connection on.' }),
    caFile: Type.Optional(Type.String({ description: 'Certificates to trust in place of the system’s, PEM.' })),
    bindDn: Type.Optional(Type.String({ description: 'Who looks users up. Default: nobody in particular.' })),
    bindPasswordFile: Type.Optional(Type.String({ description: 'File with his password.' })),
    userBase: Type.String({ description: 'Below which users are, e.g. `ou=people,dc=example,dc=org`.' }),
    userClass: Type.String({ default: 'person', description: 'Their object class.' }),
    userAttribute: Type.String({ default: 'uid', description: 'What they sign in by.' }),
    idAttribute: Type.String({ default: 'entryUUID', description: 'What they are known by for good; `objectGUID` with Active Directory.' }),
    emailAttribute: Type.String({ default: 'mail', description: 'Their address.' }),
    groupBase: Type.Optional(Type.String({ description: 'Below which groups are. Default: groups are not looked for.' })),
    memberAttribute: Type.String({ default: 'member', description: 'In a group: the names of its users.' }),
    groupAttribute: Type.String({ default: 'cn', description: 'The name of a group.' }),
  },
  { description: 'Users of a directory sign in with their passwords there.' },
);

const OIDC = Type.Object(
  {
    account,
    makeUsers,
    issuer: Type.String({ pattern: '^https?://', description: 'Of the tokens, e.g. `https://id.example.org`.' }),
    clientId: Type.String({ description: 'Under which this cloud is known there: the audience of the tokens.' }),
    nameClaim: Type.String({ default: 'preferred_username', description: 'What new users are called by.' }),
    groupsClaim: Type.String({ default: 'groups', description: 'The names of their groups.' }),
  },
  { description: 'Users of an OpenID provider sign in with an ID token of its.' },
);

const ovsdbServers = (what: string) =>
  Type.Array(Type.String({ pattern: '^(unix:.+|(tcp|ssl):.+:[0-9]+)$' }), {
    minItems: 1,
    description: `Where OVN's ${what} database is, as OVN writes it: \`ssl:192.0.2.7:${what === 'northbound' ? 6641 : 6642}\`, \`tcp:…\` or \`unix:/path\`. Of a cluster all of its servers.`,
  });

const OVN = Type.Object(
  {
    northbound: ovsdbServers('northbound'),
    southbound: ovsdbServers('southbound'),
    tls: Type.Optional(
      Type.Object(
        {
          caFile: Type.String({ description: 'Who signs the certificates of the databases, PEM.' }),
          certFile: Type.String({ description: 'The certificate of this server, PEM.' }),
          keyFile: Type.String({ description: 'Its private key, PEM.' }),
          names: Type.Boolean({
            default: true,
            description: 'Whether certificates must name the host that they are of. Those that `ovs-pki` makes name none.',
          }),
        },
        { description: 'For addresses with `ssl:`. Default: there are none.' },
      ),
    ),
    bridge: Type.String({ default: 'br-int', description: 'The bridge of OVN on the hosts.' }),
    overlayMtuBytes: Type.Integer({
      minimum: 1280,
      maximum: 9216,
      default: 1442,
      description:
        'What guests are told in networks whose frames travel in tunnels: what the hosts’ network takes, less 58 for Geneve over IPv4.',
    }),
    providerMtuBytes: Type.Integer({
      minimum: 1280,
      maximum: 9216,
      default: 1500,
      description: 'What guests are told in networks of physical ones.',
    }),
    gatewayProbeMs: Type.Integer({
      minimum: 100,
      maximum: 60_000,
      default: 400,
      description:
        'How often hosts that may carry NAT gateways ask each other whether they live; after three silences another takes over. A setting of the whole OVN, made only where nobody has made it.',
    }),
  },
  { description: 'OVN makes VPCs, and networks of physical ones. Without it there are none.' },
);

const url = Type.String({ pattern: '^https?://[^/]' });

/** Every key of the configuration file: its type, its default and what it means. docs/reference/config.md is generated from this. */
export const CONFIG = Type.Object({
  listen: group(
    {
      host: Type.String({ default: '127.0.0.1', description: 'Address to listen on.' }),
      port: Type.Integer({ minimum: 0, maximum: 65_535, default: 7420, description: 'Port to listen on; 0 takes any that is free.' }),
      tls: Type.Optional(
        Type.Object(
          {
            certFile: Type.String({ description: 'Certificate chain, PEM.' }),
            keyFile: Type.String({ description: 'Private key, PEM.' }),
          },
          { description: 'Serve HTTPS. Without it, HTTP.' },
        ),
      ),
    },
    'Where the API is served.',
  ),
  cors: group(
    {
      origins: Type.Array(Type.String({ pattern: '^https?://[^/*]+$' }), {
        default: [],
        description: 'Origins of web pages that may call the API from browsers, e.g. `https://console.example.org`. Empty: none.',
      }),
    },
    'Calls from web pages.',
  ),
  dataDir: Type.String({
    minLength: 1,
    default: './pileus-data',
    description:
      'Directory of everything that is kept: the embedded store, the sealing key, the content of images. Made at the first start, for the owner alone.',
  }),
  store: group(
    {
      path: Type.Optional(
        Type.String({ minLength: 1, description: 'Database file of the embedded store. Default: `pileus.db` in `dataDir`.' }),
      ),
      url: Type.Optional(
        Type.String({
          pattern: '^postgres(ql)?://',
          description:
            'PostgreSQL in place of the embedded store: `postgres://user@host:port/database`. Also written `store: postgres://…`. The parameter `schema` names the schema that holds the tables (default `pileus`); `sslmode` and others are as in any such URL.',
        }),
      ),
      passwordFile: Type.Optional(
        Type.String({
          description: 'File with the password, where the URL has none. Without it: `PGPASSWORD`, then `PGPASSFILE` or `~/.pgpass`.',
        }),
      ),
    },
    'Where the store is kept.',
  ),
  auth: group(
    {
      sessionHours: preset(sessionHours),
      addressSignInsPerMinute: preset(addressSignIns),
      ldap: Type.Optional(LDAP),
      oidc: Type.Optional(OIDC),
    },
    'Who is let in.',
  ),
  log: group(
    {
      level: Type.Union([Type.Literal('debug'), Type.Literal('info'), Type.Literal('warn'), Type.Literal('error')], {
        default: 'info',
        description: 'Least severe level that is written, as JSON lines on standard error. Reads are logged at `debug`.',
      }),
    },
    'Logging.',
  ),
  limits: group(
    {
      bodyBytes: count(1_048_576, 'Size of a JSON body at most.'),
      bodySeconds: seconds(30, 'How long a client may take to send a JSON body, or the next bytes of an upload.'),
      requests: count(
        1000,
        'Requests in work at once, beside those below; beyond, they are answered 429. A quarter more is for accounts that have few. Those without a key have little more than half of them.',
      ),
      streams: count(1000, 'Event streams, downloads, uploads, sockets and requests that wait, at once; beyond, they are answered 429.'),
      keyRequestsPerSecond: Type.Optional(
        Type.Number({
          exclusiveMinimum: 0,
          description:
            'Requests of one API key in the long run; beyond, they are answered 429, and one to two seconds late to who does not heed that. `RateLimit` in each answer tells what is left. Default: as many as come; then who floods a cloud with creations makes the slowest hundredth of those of others take half as long again.',
        }),
      ),
      keyBurst: Type.Optional(
        Type.Integer({ minimum: 1, description: 'Requests of one API key at once, after a pause. Default: those of a second.' }),
      ),
      operations: count(10_000, 'Unfinished operations; beyond, changes are answered 429. A quarter more is for accounts that have few.'),
      running: count(
        256,
        'Operations at work at once; the others are queued. When one account has taken all places, others find up to a quarter more.',
      ),
      unindexedRows: count(
        20_000,
        'Rows that a query may look at one by one because no index leads to them; beyond, it is refused with `needs_index`.',
      ),
      feedRevisions: count(100_000, 'Revisions of the change feed that are kept to resume from.'),
    },
    'Bounds that keep the server answering under any load.',
  ),
  retention: group(
    {
      operationDays: preset(operationDays),
      deletedDays: preset(deletedDays),
      auditDays: preset(auditDays),
    },
    'How long what has ended is kept. It is looked for once an hour.',
  ),
  trash: group(
    {
      retentionSeconds: preset(trashSeconds),
    },
    'Deletions that can be taken back.',
  ),
  strays: group(
    {
      afterSeconds: preset(strayAfterSeconds),
      machines: preset(strayPolicies.machine),
      volumes: preset(strayPolicies.volume),
      seeds: preset(strayPolicies.seed),
      images: preset(strayPolicies.image),
      ports: preset(strayPolicies.port),
      networks: preset(strayPolicies.network),
    },
    'What becomes of things on hosts and in pools that carry the mark of this cloud and that nothing here explains. `keep`: they stay in quarantine until an operator adopts or removes them. Never before a restore is confirmed.',
  ),
  hosts: group(
    {
      heartbeatSeconds: preset(heartbeatSeconds),
      shutdownSeconds: preset(shutdownSeconds),
    },
    'How hosts are kept.',
  ),
  agents: Type.Optional(
    Type.Object(
      {
        certFile: Type.String({ description: 'Certificate that is shown to agents, PEM. They are told its fingerprint.' }),
        keyFile: Type.String({ description: 'Its private key, PEM.' }),
        callbackUrl: Type.String({
          pattern: '^https?://[^/?#]+$',
          description: 'Where agents reach this server, e.g. `https://cloud.example.org:7420`.',
        }),
      },
      { description: 'Agents on hosts. Without it there are none.' },
    ),
  ),
  images: group(
    {
      sources: Type.Array(url, {
        default: [],
        description: 'URLs that images may be imported from; each allows what is below it. Empty: images are uploaded only.',
      }),
      directories: Type.Array(Type.String({ pattern: '^/' }), {
        default: [],
        description: 'Directories of the server that operators may import images from (`file:` URLs), with what is below them.',
      }),
      bytesMax: preset(imageBytesMax),
      diskBytesMax: preset(imageDiskBytesMax),
      partHours: preset(imagePartHours),
    },
    'Images.',
  ),
  webhooks: group(
    {
      urls: Type.Array(url, {
        default: [],
        description:
          'URLs that webhooks may call though they are in a private network or without TLS, and the only ones that callbacks (`X-Callback-Url`) may go to; each allows what is below it.',
      }),
    },
    'What is sent to the outside.',
  ),
  quota: group(
    {
      project: limits('Of each new project, e.g. `{ "instances": 20, "vcpus": 64 }`.'),
      account: limits('Of each new account, for all of its projects together.'),
    },
    "Limits that new projects and accounts begin with, by counter; the operator's own begin with none.",
  ),
  settings: Type.Record(Type.String(), Type.Unsafe<Json>({}), {
    default: {},
    description: 'What other [settings](settings.md) are, by name, in place of their defaults: those of further plugins.',
  }),
  network: group(
    {
      ovn: Type.Optional(OVN),
    },
    'Networks beside those of libvirt, which each host has for itself.',
  ),
  kvm: group(
    {
      enabled: Type.Boolean({ default: true, description: 'Load the KVM drivers.' }),
      virtType: Type.Union([Type.Literal('auto'), Type.Literal('kvm'), Type.Literal('tcg')], {
        default: 'auto',
        description: 'How guests run: hardware-assisted, emulated, or whichever a boot probe of the host finds to work.',
      }),
      probeKernel: Type.String({ default: '/vmlinuz', description: 'A stock Linux kernel for that probe, by its path on the hosts.' }),
      cpuShares: Type.Boolean({ default: true, description: 'Whether the hosts can weigh processors (the CPU controller of cgroups).' }),
      nicLimits: Type.Boolean({ default: true, description: 'Whether the hosts can shape traffic (`tc` with its usual disciplines).' }),
    },
    'The KVM drivers.',
  ),
  plugins: Type.Array(
    Type.Object({
      module: Type.String({
        description:
          'Package name, or path beginning with `.` or `/`. A path is relative to the configuration file; a package is looked for from there, then beside the server.',
      }),
      export: Type.Optional(Type.String({ description: 'Name of what the module exports. Default: `default`.' })),
      options: Type.Optional(Type.Unknown({ description: 'Handed to the export when it is a function.' })),
    }),
    {
      default: [],
      description:
        'Further plugins: each exports a plugin, or a function that makes one of its options, or makes of them what makes one of the services of the kernel.',
    },
  ),
  stop: group(
    { seconds: seconds(20, 'How long requests in work may take to be answered when the server is told to stop.') },
    'Graceful stop.',
  ),
});

export type Config = Static<typeof CONFIG>;

interface Described {
  readonly properties?: Readonly<Record<string, Described>>;
  readonly 'x-setting'?: string;
}

/** What the file says of settings: those that have a key of their own, and those below `settings`. */
export function presetsOf(config: Config): Presets {
  const presets: Record<string, Json> = { ...config.settings };
  const collect = (schema: object, given: unknown): void => {
    if (typeof given !== 'object' || given === null) return;
    for (const [key, field] of Object.entries((schema as Described).properties ?? {})) {
      const value = (given as Record<string, Json | undefined>)[key];
      const name = field['x-setting'];
      if (name === undefined) collect(field, value);
      else if (value !== undefined) presets[name] = value;
    }
  };
  collect(CONFIG, config);
  return presets;
}
