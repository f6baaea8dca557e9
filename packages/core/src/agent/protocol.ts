/**
 * What a control plane and the agents on its hosts say to each other: HTTPS with pinned certificates on both sides, JSON bodies, refusals as RFC 9457 problems.
 *
 * `GET /` answers `Hello`, in every version there will be: from it the newest version that both speak is chosen (`commonVersion`). Everything else is below `/v1`:
 * `PUT /v1/commands/{id}` (202 at once, 200 with the outcome when it is known), `GET /v1/commands/{id}`, `GET /v1/commands`, `GET /v1/status`,
 * `GET /v1/reach?to=host:port&to=…` (`Reach`; 404 by an agent of an older release); and, from the
 * agent, `POST` of a `Callback` to the URL that came with the command, again and again until it is answered 2xx, or 410 by whoever does not want it, or for a
 * minute by other refusals (4xx but 408, 425 and 429).
 *
 * Within a version answers may gain fields, which are overlooked by who does not know them. Commands may not: an agent refuses a field that it does not know,
 * since what it would leave out was meant. A command or field that is new comes with a new version, and the one before is spoken for one more minor release.
 */
import { type Static, Type } from 'typebox';

/** Spoken by this release, newest first. */
export const AGENT_VERSIONS: readonly number[] = [1];

/** Of a command: where its outcome is told. */
export const CALLBACK_HEADER = 'x-callback-url';
/** Of a command: who gives it, as `incarnation:epoch` of the store. One that is older than another seen before is refused. */
export const EPOCH_HEADER = 'x-pileus-epoch';
/**
 * Of any request, either way, and of no version: which span it is below, as W3C Trace Context has it. A command's is kept with it, so that what it does after a
 * restart, and its outcome, are in the trace that it came from. Whoever sends none, or heeds none, lacks nothing else.
 */
export const TRACE_HEADER = 'traceparent';

/** The newest version that both speak. */
export const commonVersion = (theirs: readonly number[], ours: readonly number[] = AGENT_VERSIONS): number | undefined =>
  [...ours].sort((a, b) => b - a).find((version) => theirs.includes(version));

/** An agent of the next release may say more. */
const OPEN = { additionalProperties: true };

export const HELLO = Type.Object(
  {
    product: Type.Literal('pileus-agent'),
    release: Type.String(),
    /** Minted with the journal: another one has forgotten what it was told. */
    agentId: Type.String(),
    versions: Type.Array(Type.Integer()),
  },
  OPEN,
);
export type Hello = Static<typeof HELLO>;

/** A failure is as final as a result: the same command will not be tried again. */
export const OUTCOME = Type.Union([
  Type.Object({ ok: Type.Literal(true), result: Type.Unknown() }, OPEN),
  Type.Object({ ok: Type.Literal(false), error: Type.Object({ code: Type.String(), message: Type.String() }, OPEN) }, OPEN),
]);
export type Outcome = Static<typeof OUTCOME>;

export const COMMAND_RECORD = Type.Object(
  {
    commandId: Type.String(),
    type: Type.String(),
    state: Type.Union([Type.Literal('queued'), Type.Literal('running'), Type.Literal('done')]),
    acceptedAt: Type.String(),
    /** How often it was begun: more than once only if the agent was killed over it. */
    attempts: Type.Integer(),
    finishedAt: Type.Optional(Type.String()),
    acknowledgedAt: Type.Optional(Type.String()),
    /** Of its outcome, again and again, by who was to be told: it is told no more. */
    refusedAt: Type.Optional(Type.String()),
    outcome: Type.Optional(OUTCOME),
  },
  OPEN,
);
export type CommandRecord = Static<typeof COMMAND_RECORD>;

export const CALLBACK = Type.Object(
  {
    agentId: Type.String(),
    commandId: Type.String(),
    type: Type.String(),
    finishedAt: Type.String(),
    outcome: OUTCOME,
  },
  OPEN,
);
export type Callback = Static<typeof CALLBACK>;

export const CHILD_HEALTH = Type.Object(
  {
    name: Type.String(),
    state: Type.Union([Type.Literal('running'), Type.Literal('waiting')]),
    pid: Type.Optional(Type.Integer()),
    /** How often it was started again. */
    restarts: Type.Integer(),
    since: Type.String(),
    lastExit: Type.Optional(Type.String()),
  },
  OPEN,
);
export type ChildHealth = Static<typeof CHILD_HEALTH>;

/** A link of the host's network, as its kernel and Open vSwitch tell it. Those that belong to machines are left out. */
export const HOST_LINK = Type.Object(
  {
    name: Type.String(),
    /** `device`, `bond`, `bridge`, `vlan`, `tunnel` (what it sends goes on inside of other packets) or `virtual`. */
    sort: Type.String(),
    /** It is on, and has a carrier. */
    isUp: Type.Boolean(),
    /** Megabits a second. Absent: it does not tell. */
    speedMbits: Type.Optional(Type.Integer()),
    mtuBytes: Type.Optional(Type.Integer()),
    addresses: Type.Array(Type.String()),
    /** What it sends goes through these: members of a bond, ports of a bridge that lead out, the link of a VLAN. */
    lowers: Type.Array(Type.String()),
    /** Of a bond, as it is called there. */
    bondMode: Type.Optional(Type.String()),
    /** Of a bridge: what leads there is called so by Open vSwitch. */
    labels: Type.Optional(Type.Array(Type.String())),
    /** Of a bridge: machines are plugged in there. */
    hasMachines: Type.Optional(Type.Boolean()),
    /** Tunnels of tenants' networks begin and end at one of its addresses. */
    hasTunnels: Type.Optional(Type.Boolean()),
  },
  OPEN,
);
export type HostLink = Static<typeof HOST_LINK>;

/** By what was asked for: an empty text where something there takes connections from the host, else why not. */
export const REACH = Type.Object({ answers: Type.Record(Type.String(), Type.String()) }, OPEN);
export type Reach = Static<typeof REACH>;
/** Of one question. */
export const REACH_MAX = 256;

export const AGENT_STATUS = Type.Object(
  {
    agentId: Type.String(),
    release: Type.String(),
    startedAt: Type.String(),
    commands: Type.Object(
      {
        queued: Type.Integer(),
        running: Type.Integer(),
        unacknowledged: Type.Integer(),
        refused: Type.Optional(Type.Integer()),
      },
      OPEN,
    ),
    commandTypes: Type.Array(Type.String()),
    children: Type.Array(CHILD_HEALTH),
    /** Ids of what is served. */
    served: Type.Optional(
      Type.Object({ networks: Type.Array(Type.String()), machines: Type.Array(Type.String()), names: Type.Array(Type.String()) }, OPEN),
    ),
    /** Absent: they cannot be told at this moment, or by this release. */
    links: Type.Optional(Type.Array(HOST_LINK)),
  },
  OPEN,
);
export type AgentStatus = Static<typeof AGENT_STATUS>;

/**
 * Ids of commands: a UUID of version 7, such as that of an operation, and mostly what of it, e.g. `018f….inspect`. The time in it tells a command that comes late
 * from one that was forgotten after it had been done.
 */
export const COMMAND_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}(\.[A-Za-z0-9._-]{1,100})?$/;

/** Milliseconds since the epoch at which the id of a command was minted. */
export const mintedAtMs = (commandId: string): number => Number.parseInt(commandId.slice(0, 8) + commandId.slice(9, 13), 16);
