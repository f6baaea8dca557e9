/** What generated clients are made of. */
export type { CallOptions, ChangeOptions, Client, RepeatOptions, RetryPolicy } from './client.ts';
export { type AnyChange, BaseCloud, type ServerDocument, type UntypedRow } from './cloud.ts';
export type { ConnectOptions } from './connect.ts';
export { type ConsoleTicket, openSocket, socketUrl, type WebSocketConstructor } from './console.ts';
export type { DownloadOptions } from './download.ts';
export { Answer, type DryRun, type DryRuns } from './dry-run.ts';
export { type Embedded, type EmbeddedRequest, type EmbeddedResponse, embeddedTransport } from './embedded.ts';
export { AnyEndpoints, Endpoints, type ValueRequest } from './endpoints.ts';
export {
  CLIENT_CODES,
  type ErrorCode,
  errorOf,
  isOperationFailed,
  isPileusError,
  OperationFailed,
  PileusError,
  type PileusErrorOptions,
  type Retry,
  SERVER_CODES,
} from './errors.ts';
export type { Change, ChangesOptions, ChangesPage, EventsOptions, Listed, WatchOptions } from './events.ts';
export {
  type AnyGraph,
  all,
  any,
  Condition as QueryCondition,
  type Filter as QueryFilter,
  type FromNow,
  fromNow,
  type LooseGraph,
  type Row as QueryRow,
} from './graph.ts';
export { type Id, id, isUuid, type Named } from './id.ts';
export type { Lifecycle } from './lifecycle.ts';
export type { Comparison, Group as QueryGroup, GroupOptions as QueryGroupOptions, List, ListOptions, Page, Where } from './list.ts';
export { isFinished, type Operation, type OperationState, type OperationWaiting } from './operation.ts';
export { type OperationFields, Operations } from './operations.ts';
export { Accepted, Pending, type WaitOptions } from './pending.ts';
export { Query } from './query.ts';
export { Reply, type Result } from './reply.ts';
export {
  type DeleteOptions,
  type DeletionEffects,
  type DeletionPreview,
  type PreviewOptions,
  Resource,
  type ResourceNames,
} from './resource.ts';
export {
  type FetchTransportOptions,
  fetchTransport,
  type ReplayableBody,
  type StreamBody,
  type Transport,
  type TransportRequest,
  type TransportResponse,
} from './transport.ts';
export type { Upload, UploadOptions } from './upload.ts';
export {
  createWebhookSecret,
  verifyWebhook,
  type WebhookEvent,
  type WebhookHeaders,
  type WebhookMessage,
  WebhookVerificationError,
} from './webhooks.ts';
