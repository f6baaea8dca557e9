import { ANY_PROJECT, readPermission } from './access.ts';
import { AUTHENTICATED, routesOf } from './api/routes.ts';
import type { AnyKind, Scope } from './kind.ts';
import type { Registry } from './registry.ts';
import { tagPermission } from './tags/names.ts';

/** One thing that a role can grant. */
export interface PermissionFact {
  readonly name: string;
  /** Of the rows it is about: a role that is bound to a project reaches no further than `project`. */
  readonly scope: Scope;
  readonly kind?: AnyKind;
  readonly isRead: boolean;
}

/** What is no route's permission, or none of this API's. */
const BESIDE = [
  [ANY_PROJECT, 'cloud', false],
  ['audit.account', 'account', true],
  ['quota.grant', 'account', false],
  ['metrics.read', 'cloud', true],
] as const;

/** All permissions there are, as they follow from the registry. */
export class Permissions {
  readonly #facts = new Map<string, PermissionFact>();

  constructor(registry: Registry) {
    for (const route of routesOf(registry)) {
      if (route.permission === 'none' || route.permission === AUTHENTICATED) continue;
      const scope = route.type === 'endpoint' ? route.endpoint.scope : undefined;
      this.#add(route.permission, registry, scope);
    }
    for (const kind of registry.kinds())
      if (registry.takesAttached(kind) && registry.attachedKinds().length > 0) this.#add(tagPermission(kind), registry, undefined);
    for (const [name, scope, isRead] of BESIDE) this.#facts.set(name, { name, scope, isRead });
  }

  #add(name: string, registry: Registry, scope: Scope | undefined): void {
    const kind = registry.findKind(name.slice(0, name.indexOf('.')));
    const isRead = kind === undefined ? name.endsWith('.read') : name === readPermission(kind);
    this.#facts.set(name, { name, scope: kind?.scope ?? scope ?? 'cloud', isRead, ...(kind === undefined ? {} : { kind }) });
  }

  all(): readonly PermissionFact[] {
    return [...this.#facts.values()];
  }
  find(name: string): PermissionFact | undefined {
    return this.#facts.get(name);
  }
}

/** Whether a pattern of a role means the permission: `*`, `instance.*`, `*.read` or the name itself. */
export function isMeant(pattern: string, permission: string): boolean {
  if (pattern === '*' || pattern === permission) return true;
  if (pattern.endsWith('.*')) return permission.startsWith(pattern.slice(0, -1));
  return pattern.startsWith('*.') && permission.endsWith(pattern.slice(1));
}
