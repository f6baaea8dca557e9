import { type Static, Type } from 'typebox';

const group = <T extends Parameters<typeof Type.Object>[0]>(properties: T, description: string) =>
  Type.Object(properties, { description, default: {} });

const seconds = (preset: number, description: string) => Type.Number({ minimum: 0, default: preset, description });
const days = (preset: number, description: string) => Type.Number({ minimum: 1, default: preset, description });
const count = (preset: number, description: string) => Type.Integer({ minimum: 1, default: preset, description });

/** What becomes of unknown things of a kind: only some can be adopted by themselves. */
const policy = (things: string) =>
  Type.Union([Type.Literal('keep'), Type.Literal('remove')], { default: 'keep', description: `Of unknown ${things}.` });
const adoption = (things: string) =>
  Type.Union([Type.Literal('keep'), Type.Literal('adopt'), Type.Literal('remove')], {
    default: 'keep',
    description: `Of unknown ${things}.`,
  });
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
    default: './pileus-data',
    description:
      'Directory of everything that is kept: the embedded store, the sealing key, the content of images. Made at the first start, for the owner alone.',
  }),
  store: group(
    {
      path: Type.Optional(Type.String({ description: 'Database file of the embedded store. Default: `pileus.db` in `dataDir`.' })),
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
      sessionHours: Type.Number({ minimum: 0.01, default: 12, description: 'How long who signs in may go on without doing it again.' }),
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
        'Requests in work at once, beside those below; beyond, they are answered 429. A quarter more is for accounts that have few.',
      ),
      streams: count(1000, 'Event streams, downloads, uploads, sockets and requests that wait, at once; beyond, they are answered 429.'),
      keyRequestsPerSecond: Type.Optional(
        Type.Number({
          exclusiveMinimum: 0,
          description:
            'Requests of one API key in the long run; beyond, they are answered 429. `RateLimit` in each answer tells what is left. Default: as many as come.',
        }),
      ),
      keyBurst: Type.Optional(
        Type.Integer({ minimum: 1, description: 'Requests of one API key at once, after a pause. Default: those of a second.' }),
      ),
      operations: count(10_000, 'Unfinished operations; beyond, changes are answered 429. A quarter more is for accounts that have few.'),
      running: count(256, 'Operations at work at once; the others are queued.'),
      feedRevisions: count(100_000, 'Revisions of the change feed that are kept to resume from.'),
    },
    'Bounds that keep the server answering under any load.',
  ),
  retention: group(
    {
      operationDays: days(30, 'How long ended operations are kept, with their journals.'),
      deletedDays: days(
        30,
        'How long deleted resources can still be read. Never less than `operationDays`, and longer while something refers to them or something real may turn up that only they explain.',
      ),
      auditDays: Type.Optional(
        Type.Number({ minimum: 1, description: 'How long the audit is kept; what is older goes, from the oldest end. Default: for ever.' }),
      ),
    },
    'How long what has ended is kept. It is looked for once an hour.',
  ),
  trash: group(
    {
      retentionSeconds: Type.Integer({
        minimum: 0,
        default: 0,
        description:
          'How long deleted machines, volumes and images can be recovered. They keep their names, addresses, room and quota until they are expunged. 0: what is deleted is gone.',
      }),
    },
    'Deletions that can be taken back.',
  ),
  strays: group(
    {
      afterSeconds: seconds(86_400, 'How long such a thing lies in quarantine before that.'),
      machines: adoption('machines, with their disks and NICs'),
      volumes: adoption('volumes'),
      seeds: policy('seeds of machines'),
      images: policy('copies of images in pools'),
      ports: policy('ports'),
      networks: policy('networks'),
    },
    'What becomes of things on hosts and in pools that carry the mark of this cloud and that nothing here explains. `keep`: they stay in quarantine until an operator adopts or removes them. Never before a restore is confirmed.',
  ),
  hosts: group(
    {
      heartbeatSeconds: seconds(5, 'How often each host is looked at; three looks missed in a row make it disconnected.'),
      shutdownSeconds: seconds(60, 'How long a guest may take to power off before it is forced, unless the request says otherwise.'),
    },
    'How hosts are kept.',
  ),
  images: group(
    {
      sources: Type.Array(Type.String(), {
        default: [],
        description: 'URLs that images may be imported from; each allows what is below it. Empty: images are uploaded only.',
      }),
      bytesMax: count(1024 ** 4, 'Content of one image at most.'),
    },
    'Images.',
  ),
  webhooks: group(
    {
      urls: Type.Array(Type.String(), {
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
        description: 'Package name, or path beginning with `.` or `/`; a path is relative to the configuration file.',
      }),
      export: Type.Optional(Type.String({ description: 'Name of what the module exports. Default: `default`.' })),
      options: Type.Optional(Type.Unknown({ description: 'Handed to the export when it is a function.' })),
    }),
    { default: [], description: 'Further plugins: each exports a plugin, or a function that makes one of its options.' },
  ),
  stop: group(
    { seconds: seconds(20, 'How long requests in work may take to be answered when the server is told to stop.') },
    'Graceful stop.',
  ),
});

export type Config = Static<typeof CONFIG>;
