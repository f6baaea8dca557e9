import type { JsonObject } from '@pileus/core/kernel';
import type { Drawing, Wish, Wishes } from './wish.ts';

/** Machines, made and unmade, switched, resized, and what is plugged into them. */
export function machineWishes(drawing: Drawing): Wishes {
  const { random, id, further, one, network } = drawing;
  const on = (verb: string, input: JsonObject = {}) => drawing.on(`instance.${verb}`, 'instance', input);
  const withNic = (make: (nicId: string) => Wish) => make(`${one('instance').replace('@', '@nic/')}/${random.below(3)}`);
  return [
    [20, () => machine(drawing, random.chance(0.8) ? { nics: [{ networkId: network() }] } : {})],
    [2, () => machine(drawing, { attachVolumeIds: [one('volume')] })],
    // Fewer where some are to be moved about before.
    [further ? 4 : 9, () => on('delete', random.chance(0.2) ? { force: true } : {})],
    [1, () => on('delete', { permanent: true })],
    [3, () => on('recover')],
    [1, () => on('expunge')],
    [9, () => on('start')],
    [9, () => on('stop', random.chance(0.5) ? { force: true } : { timeoutSeconds: random.below(30) })],
    [4, () => on('suspend')],
    [4, () => on('resume')],
    [3, () => on('reset')],
    [2, () => on('reboot')],
    [6, () => on('resize', shape(drawing))],
    [2, () => on('setCpuShares', { cpuShares: 2 + random.below(2000) })],
    [7, () => on('attachVolume', { volumeId: one('volume') })],
    [5, () => on('detachVolume', { volumeId: one('volume') })],
    [4, () => on('attachNic', { networkId: network() })],
    [3, () => withNic((nicId) => on('detachNic', { nicId }))],
    [
      2,
      () =>
        withNic((nicId) => ({
          action: 'nic.setLimits',
          on: nicId,
          input: { limits: { inboundBytesPerSecond: random.below(3) * 1024 } },
        })),
    ],
    [2, () => on('update', { description: `by request ${id}` })],
  ];
}

/** With a disk or more, mostly switched on. */
export function machine({ random, further, name, one, project, storageClass }: Drawing, more: JsonObject): Wish {
  const group = () => (random.chance(0.7) ? `@group/${project}/${random.below(3)}` : one('placementGroup'));
  return {
    action: 'instance.create',
    input: {
      name: name(),
      imageId: '@image',
      instanceType: 'small',
      start: random.chance(0.8),
      ...more,
      ...(random.chance(0.3) ? { whenFull: 'wait' } : {}),
      ...(random.chance(0.3) ? { placementGroupId: group() } : {}),
      ...(random.chance(0.2) ? { rootVolume: storageClass() } : {}),
      // Only what lies where other hosts reach it goes to them.
      ...(further && random.chance(0.7) ? { rootVolume: { storageClass: 'shared' } } : {}),
      ...(random.chance(0.3) ? { volumes: [{ sizeBytes: 8192, deleteWithInstance: random.chance(0.5), ...storageClass() }] } : {}),
    },
  };
}

const shape = ({ random }: Drawing): JsonObject => ({
  vcpus: 1 + random.below(4),
  ...(random.chance(0.5) ? { memoryBytes: 2 ** 30 * (1 + random.below(4)) } : {}),
});
