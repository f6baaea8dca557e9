/**
 * An OVSDB client in TypeScript alone (RFC 7047 and what Open vSwitch added): for OVN's databases, Open vSwitch's own, and any other.
 *
 * ```ts
 * await using client = new OvsdbClient({ database: ovnNorthbound, remotes: [{ kind: 'unix', path: '/run/ovn/ovnnb_db.sock' }] });
 * const { Logical_Switch, Logical_Switch_Port } = client.database.tables;
 * const port = Logical_Switch_Port.insert({ name: 'web-1', addresses: ['dynamic'] }, uuid);
 * await client.transact([port, Logical_Switch.insert({ name: 'web', ports: [uuid] })], { timeoutMs: 5_000 });
 * ```
 *
 * - `OvsdbClient`: a database, over a connection that heals: `transact`, `transactOnce`, `replicate`, `lock`.
 * - `ovnNorthbound`, `ovnSouthbound`, `openVswitch`: what these databases hold. `database()` describes others, `parseSchema()` reads a schema.
 */
export type { AnyChange, Change, TableChange } from './change.ts';
export type { ConnectionEvent, ConnectionState, OvsdbClientOptions } from './client.ts';
export { OvsdbClient } from './client.ts';
export type { Atom, AtomKind, BaseType, BaseTypeJson, ColumnType, ColumnTypeJson } from './column-type.ts';
export type { Database, DatabaseSchema, SchemaDifferences } from './database.ts';
export { compareSchemas, database, parseSchema } from './database.ts';
export type { Outcome, OvsdbErrorCode, Place } from './errors.ts';
export {
  AbortedError,
  BusyError,
  ClusterError,
  ConnectionLostError,
  InvalidValueError,
  OvsdbError,
  ProtocolError,
  SchemaError,
  TimeoutError,
  UnansweredError,
} from './errors.ts';
export type { Overflow } from './feed.ts';
export type * as OpenVswitchRows from './generated/open-vswitch.ts';
export { type OpenVswitch, openVswitch } from './generated/open-vswitch.ts';
export type * as NorthboundRows from './generated/ovn-northbound.ts';
export { type OvnNorthbound, ovnNorthbound } from './generated/ovn-northbound.ts';
export type * as SouthboundRows from './generated/ovn-southbound.ts';
export { type OvnSouthbound, ovnSouthbound } from './generated/ovn-southbound.ts';
export type { Lock, LockEvent } from './lock.ts';
export type { Operation, Results } from './operation.ts';
export { abort, assertLock, comment, durably } from './operation.ts';
export type { Replica, ReplicaEvent, ReplicaState, Selected, Selection, TableSelection } from './replica.ts';
export type { ReplicaTable, TableView } from './replica-table.ts';
export type { CallOptions } from './requests.ts';
export type {
  ColumnOf,
  Condition,
  MapMutation,
  Mutations,
  NewRow,
  Row,
  RowChanges,
  RowUuid,
  SetMutation,
  ValueMapOf,
  Where,
} from './row.ts';
export { everyRow } from './row.ts';
export type { WaitFor } from './table.ts';
export { Table } from './table.ts';
export type { AnyRow, TableJson, TableSchema } from './table-schema.ts';
export type { Address, TcpAddress, TlsAddress, UnixAddress } from './transport.ts';
export type { Value, ValueMap } from './values.ts';
