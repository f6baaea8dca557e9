import { type Static, type TObject, type TSchema, Type } from 'typebox';

interface CommandContract {
  readonly input: TObject;
  readonly result: TSchema;
}

const Id = () => Type.String({ pattern: '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' });
const Mac = () => Type.String({ pattern: '^[0-9a-f]{2}(:[0-9a-f]{2}){5}$' });
/** IPv4 or IPv6, canonical. */
const Address = () => Type.String({ maxLength: 45, pattern: '^[0-9a-f.:]+$' });
const PrefixLength = () => Type.Integer({ minimum: 0, maximum: 128 });
const Cidr = () => Type.String({ maxLength: 49, pattern: '^[0-9a-f.:]+/[0-9]{1,3}$' });
/** A domain name without a dot at the end. */
const DomainName = () => Type.String({ maxLength: 253, pattern: '^[a-z0-9_]([a-z0-9_.-]*[a-z0-9])?$' });

/** Where an agent answers on a network: a port of a virtual switch, and the cloud's own addresses there. */
export const SERVED_NETWORK = Type.Object({
  networkId: Id(),
  /** Whose names it answers for. Without one: metadata alone. */
  vpcId: Type.Optional(Id()),
  /** Of Open vSwitch. */
  bridge: Type.String({ minLength: 1, maxLength: 15, pattern: '^[A-Za-z0-9_.-]+$' }),
  interfaceId: Type.String({ minLength: 1, maxLength: 200 }),
  mac: Mac(),
  mtuBytes: Type.Optional(Type.Integer({ minimum: 1280, maximum: 9216 })),
  addresses: Type.Array(Type.Object({ address: Address(), prefixLength: PrefixLength() }), { maxItems: 64 }),
  /** Where machines are on a network on which the cloud has no address of its own. */
  onLink: Type.Optional(Type.Array(Cidr(), { maxItems: 64 })),
});
export type ServedNetwork = Static<typeof SERVED_NETWORK>;

/** What a machine may know of itself. */
export const SERVED_MACHINE = Type.Object({
  instanceId: Id(),
  name: Type.String(),
  /** Its host name, and with the domain of its first network. */
  hostname: Type.String(),
  fqdn: Type.String(),
  instanceType: Type.String(),
  imageId: Type.Optional(Type.String()),
  zone: Type.String(),
  projectId: Type.String(),
  sshKeys: Type.Array(Type.String()),
  userData: Type.Optional(Type.String()),
  nics: Type.Array(
    Type.Object({
      nicId: Id(),
      networkId: Id(),
      mac: Mac(),
      mtuBytes: Type.Optional(Type.Integer()),
      addresses: Type.Array(
        Type.Object({ address: Address(), prefixLength: PrefixLength(), gateway: Type.Optional(Address()), subnetId: Id() }),
      ),
      dnsServers: Type.Array(Address()),
    }),
  ),
});
export type ServedMachine = Static<typeof SERVED_MACHINE>;

/** The names of a VPC: all of them. What is below its domain, or of an address in `cidrs`, and not among them does not exist. */
export const SERVED_NAMES = Type.Object({
  vpcId: Id(),
  domain: DomainName(),
  cidrs: Type.Array(Cidr()),
  records: Type.Array(Type.Object({ name: DomainName(), addresses: Type.Array(Address(), { minItems: 1 }) })),
});
export type ServedNames = Static<typeof SERVED_NAMES>;

/** False: something newer was said before. */
const Applied = () => Type.Object({ applied: Type.Boolean() });

/**
 * What an agent can be told: all of it. Each is idempotent, since an agent that was killed over one begins it again. What is served is told as a whole, and kept over
 * restarts; of two commands about the same thing the one holds whose id was minted later, in whatever order they come.
 */
export const COMMANDS = {
  /** What its host has. Changes nothing. */
  'host.inspect': {
    input: Type.Object({}),
    result: Type.Object({
      hostname: Type.String(),
      kernel: Type.String(),
      /** Programs that commands need, and whether they are there. */
      programs: Type.Record(Type.String(), Type.Boolean()),
    }),
  },
  'network.serve': { input: SERVED_NETWORK, result: Applied() },
  'network.withdraw': { input: Type.Object({ networkId: Id() }), result: Applied() },
  'machine.serve': { input: SERVED_MACHINE, result: Applied() },
  'machine.withdraw': { input: Type.Object({ instanceId: Id() }), result: Applied() },
  'names.serve': { input: SERVED_NAMES, result: Applied() },
  'names.withdraw': { input: Type.Object({ vpcId: Id() }), result: Applied() },
} as const satisfies Record<string, CommandContract>;

export type CommandType = keyof typeof COMMANDS;
export type InputOf<T extends CommandType> = Static<(typeof COMMANDS)[T]['input']>;
export type ResultOf<T extends CommandType> = Static<(typeof COMMANDS)[T]['result']>;

/** As it is sent. */
export type AgentCommand = { [T in CommandType]: { readonly type: T; readonly input: InputOf<T> } }[CommandType];

export const isCommandType = (type: unknown): type is CommandType => typeof type === 'string' && Object.hasOwn(COMMANDS, type);
