import type { JsonObject } from '@pileus/core/kernel';
import type { Drawing, Wish, Wishes } from './wish.ts';

type Part = (drawing: Drawing) => JsonObject;

/** In the order in which they need each other. What one template says of them, the next says otherwise, or not at all. */
const PARTS: Readonly<Record<string, Part>> = {
  net: ({ random, id }) => ({
    kind: 'network',
    properties: { name: `r${id}-net`, driver: 'simulated-shared', subnets: [{ cidr: `10.${random.below(250)}.1.0/28` }] },
    ...(random.chance(0.5) ? { replace: true } : {}),
  }),
  data: ({ random, id, storageClass }) => ({
    kind: 'volume',
    properties: { name: `r${id}-data`, sizeBytes: { param: 'size' }, ...storageClass() },
    ...(random.chance(0.5) ? { replace: true } : {}),
  }),
  more: ({ random, id }) => ({
    kind: 'volume',
    // Of the same name in each template: what is made anew takes it over.
    properties: { name: random.chance(0.5) ? 'more' : `r${id}-more`, sizeBytes: 4096 * (1 + random.below(4)) },
    replace: true,
    ...(random.chance(0.2) ? { keep: true } : {}),
  }),
  apart: ({ random, id }) => ({
    kind: 'placementGroup',
    properties: { name: `r${id}-apart`, policy: random.pick(['antiAffinity', 'softAntiAffinity']) },
    replace: true,
  }),
};

/** Resources that are declared together, and what becomes of them. */
export function stackWishes(drawing: Drawing): Wishes {
  const { random, name, on } = drawing;
  const stack = (verb: string, input: JsonObject = {}): Wish => on(`stack.${verb}`, 'stack', input);
  const previews = (share: number) => (random.chance(share) ? { previews: true } : {});
  return [
    [6, () => ({ action: 'stack.create', input: { name: name(), ...templated(drawing) } })],
    [6, () => ({ ...stack('apply', templated(drawing)), ...previews(0.3) })],
    [2, () => stack('rollback', { revision: 1 + random.below(4) })],
    [1, () => stack('release', random.chance(0.8) ? { resources: [random.pick(['net', 'data', 'more'])] } : {})],
    [3, () => ({ ...stack('delete'), ...previews(0.5) })],
    [1, () => stack('update', { name: name() })],
  ];
}

function templated(drawing: Drawing): JsonObject {
  const { random } = drawing;
  const parts = Object.entries(PARTS).flatMap(([name, make]) => (random.chance(0.6) ? [[name, make(drawing)] as const] : []));
  const there = new Set(parts.map(([name]) => name));
  const machine = random.chance(0.5) ? { web: web(drawing, there) } : {};
  return {
    template: {
      parameters: { size: { type: 'integer', default: 8192 } },
      resources: { ...machine, ...Object.fromEntries(parts) },
      ...(there.has('data') ? { outputs: { data: { ref: 'data' } } } : {}),
    },
    ...(random.chance(0.5) ? { parameters: { size: 4096 * (1 + random.below(6)) } } : {}),
  };
}

const web = ({ random, id, network }: Drawing, there: ReadonlySet<string>): JsonObject => ({
  kind: 'instance',
  properties: {
    name: random.chance(0.5) ? 'web' : `r${id}-web`,
    imageId: '@image',
    instanceType: 'small',
    rootVolume: { storageClass: 'shared' },
    nics: [{ networkId: there.has('net') ? { ref: 'net' } : network() }],
    ...(there.has('data') ? { attachVolumeIds: [{ ref: 'data' }] } : {}),
    ...(there.has('apart') ? { placementGroupId: { ref: 'apart' } } : {}),
  },
  ...(random.chance(0.5) ? { replace: true } : {}),
});
