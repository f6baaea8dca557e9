import type { Compilation } from '../compiled.ts';

export interface CompiledRoute {
  readonly routerId: string;
  readonly role: string;
  readonly destination: string;
  /** Without one packets are dropped. */
  readonly nextHop: string | undefined;
  readonly outputPort?: string;
}

export function compileRoute(object: Compilation, { routerId, role, destination, nextHop, outputPort }: CompiledRoute): void {
  object.part(
    'Logical_Router_Static_Route',
    role,
    { ip_prefix: destination, nexthop: nextHop ?? 'discard', ...(outputPort === undefined ? {} : { output_port: outputPort }) },
    { places: [`Logical_Router.static_routes:${routerId}`] },
  );
}
