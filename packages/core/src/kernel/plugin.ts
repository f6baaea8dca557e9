import type { Call, Strategies } from '../strategy/index.ts';
import type { Action } from './action.ts';
import type { Deletion } from './cascade/deletion.ts';
import type { Endpoint } from './endpoint.ts';
import type { HookBinding } from './hook.ts';
import type { KernelServices } from './kernel.ts';
import type { AnyKind } from './kind.ts';
import type { AnySaga, Owed } from './saga/definition.ts';
import type { Setting, SettingLevel } from './settings/definition.ts';
import type { Migration, Statement, TableSpec } from './store.ts';
import type { SystemTag } from './tags/system-tag.ts';

/** From now on the end of the operation is told. The statements go into the transaction that accepts it. */
export type CallBack = (operationId: string) => readonly Statement[];

/** Tells a URL how an operation ended. */
export interface Callbacks {
  /** @throws CloudError when nothing may be sent there */
  refuse(url: string): void;
  /** Called before the operation is accepted. */
  prepare(url: string): Promise<CallBack>;
  /** It was not accepted. */
  forget(operationId: string): void;
}

/** A handler of one kind of cleanup. Idempotent; absent is done. */
export interface DebtHandler {
  readonly task: string;
  pay(target: Owed['target'], place: string, call: Call): Promise<void>;
}

/**
 * All that a part of the system brings, as one value. Drivers fill `strategies` only (`DriverPlugin`); modules fill what they need. The order of plugins
 * does not matter; `requires` is checked. Whatever is declared twice, unknown or cyclic is a start-up error that names both sides.
 */
export interface Plugin {
  readonly id: string;
  readonly version: string;
  readonly requires?: readonly string[];
  readonly kinds?: readonly AnyKind[];
  readonly actions?: readonly Action[];
  readonly deletions?: readonly Deletion[];
  /** Older versions of sagas, kept for operations that began under them. */
  readonly sagas?: readonly AnySaga[];
  readonly strategies?: Strategies;
  /** Typed words on resources, which steer what is done with them. */
  readonly systemTags?: readonly SystemTag[];
  /** Typed words of configuration, changed while the cloud runs. */
  readonly settings?: readonly Setting[];
  /** Kinds whose rows may have values of their own. */
  readonly settingLevels?: readonly SettingLevel[];
  /** Points that others may hook into. */
  readonly points?: readonly { readonly type: string; readonly id: string }[];
  readonly hooks?: readonly HookBinding[];
  readonly endpoints?: readonly Endpoint[];
  readonly debts?: readonly DebtHandler[];
  readonly tables?: readonly TableSpec[];
  readonly migrations?: readonly Migration[];
  /** Calls back when an operation has ended, for requests that ask for it. One plugin at most. */
  readonly callbacks?: Callbacks;
  /** Begins background work (reconcilers) when the kernel has started; answers how to stop it. */
  readonly start?: () => Promise<() => Promise<void>>;
}

/** A plugin, or what makes it of the kernel's services: to read rows in hooks and endpoints, to submit actions, for clock and log. */
export type PluginSource = Plugin | ((services: KernelServices) => Plugin);

export const madePlugins = (sources: readonly PluginSource[], services: KernelServices): readonly Plugin[] =>
  sources.map((source) => (typeof source === 'function' ? source(services) : source));
