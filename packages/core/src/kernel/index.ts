export {
  ANY_PROJECT,
  changeable,
  inProject,
  isVisible,
  lacks,
  nameable,
  type Principal,
  type Reach,
  readPermission,
  renewed,
  usable,
  visibleRows,
} from './access.ts';
export * from './action.ts';
export { alone } from './alone.ts';
export * from './api/index.ts';
export { inWords, oneOf } from './article.ts';
export { type NotLetIn, notLetIn } from './audit/index.ts';
export { Bus, command, type Message, telemetry } from './bus.ts';
export { bytesText } from './byte-text.ts';
export { canonical } from './canonical.ts';
export { cascadeDelete } from './cascade/delete.ts';
export { type Deletion, type DeletionSpec, defineDeletion, type Taken } from './cascade/deletion.ts';
export type { DeletionPreview } from './cascade/preview.ts';
export { cascadeRecover } from './cascade/recover.ts';
export { earlySetting } from './early-setting.ts';
export type { ChangeRequest, Downloaded, Endpoint, EndpointRequest, Uploaded, UploadRequest } from './endpoint.ts';
export * from './environment.ts';
export * from './errors.ts';
export { FairQueue } from './fair-queue.ts';
export * from './hook.ts';
export { type Id, Ids, isUuid } from './id.ts';
export { instant } from './instant.ts';
export type { Json, JsonObject } from './json.ts';
export { type Accepted, Kernel, type KernelOptions, type KernelServices, type SubmitRequest } from './kernel.ts';
export * from './kind.ts';
export { Lane } from './lane.ts';
export { debt, isFinished, type JournalEntry, type Operation, operation, UNFINISHED } from './operation.ts';
export { announce } from './outbox.ts';
export { AWAITS_PARTS, type PartRequest, Parts } from './parts.ts';
export { isMeant, type PermissionFact, Permissions } from './permissions.ts';
export { Places } from './places.ts';
export { type CallBack, type Callbacks, type DebtHandler, madePlugins, type Plugin, type PluginSource } from './plugin.ts';
export { matches } from './query/matches.ts';
export {
  type QuotaChange,
  type QuotaCounter,
  type QuotaEffect,
  type QuotaScope,
  quotaExceeded,
  quotaGrowth,
  quotaKey,
  quotaOfRow,
  quotaPrefix,
  quotaReleased,
} from './quota/index.ts';
export { type Rate, Rates, rateHeaders } from './rates.ts';
export { both, equals, Reader } from './reader.ts';
export { confirmedIncarnation } from './recovery.ts';
export { taken } from './refusals.ts';
export { Registry, tableOf } from './registry.ts';
export type { Rehearsal } from './rehearse.ts';
export { auditDays, deletedDays, operationDays, rowsNeeded, trashSeconds } from './retention.ts';
export * from './rows.ts';
export * from './saga/definition.ts';
export { inLanes } from './saga/lanes.ts';
export type { StepPoint } from './saga/subject.ts';
export { type SealedAnew, sealAnew } from './seal-anew.ts';
export { forgetSealed, isSealed, Secrets } from './secrets.ts';
export { defineSetting, GLOBAL, type Presets, type Setting, type SettingLevel, type SettingSpec } from './settings/definition.ts';
export { settingsPlugin } from './settings/index.ts';
export { settingChange, settingValue } from './settings/kinds.ts';
export { Settings } from './settings/values.ts';
export { type Waiting, waiting } from './standing.ts';
export * from './store.ts';
export { StoreError } from './store-error.ts';
export { tagging } from './tags/index.ts';
export { tagPolicy } from './tags/policy.ts';
export { defineSystemTag, SYSTEM_TAGS_MAX, type SystemTag, systemTag, systemTagChanged, systemTagValues } from './tags/system-tag.ts';
export { TAGS_MAX, tag } from './tags/tag.ts';
export { operationContext, parseTraceparent, traced, tracedAway, tracedFor, tracedOn } from './tracing.ts';
export { updateAction } from './update.ts';
export { compileInput, type InputCheck } from './validation.ts';
export type { TakenUp } from './waiting-room.ts';
