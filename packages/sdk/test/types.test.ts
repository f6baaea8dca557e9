import { expect } from 'chai';
import { type AnyChange, type Cloud, type CloudRows, type Instance, instanceStates, type Volume } from '../src/index.ts';
import { type Id, id, isPileusError, type Operation, type Result } from '../src/runtime.ts';

/** What must not compile. Checked by `tsc`; the function is never called. */
export async function mistakes(cloud: Cloud, vm: Instance, volume: Volume): Promise<void> {
  // @ts-expect-error A field that instances do not have.
  vm.vcpu;
  // @ts-expect-error A state that instances do not have.
  vm.state === 'runing';
  // @ts-expect-error Rows are not changed in place.
  vm.name = 'other';
  // @ts-expect-error The id of a volume is not that of an instance.
  await cloud.instances.get(volume.id);
  // @ts-expect-error The same in an input.
  await cloud.instances.attachVolume(vm.id, { volumeId: vm.id });
  // @ts-expect-error Plain text is no id where an id is stored.
  await cloud.instances.create({ instanceType: 'small', imageId: 'debian' });
  // @ts-expect-error A field that the input does not have.
  await cloud.volumes.create({ name: 'data', size: 1 });
  // @ts-expect-error A field that is missing.
  await cloud.instances.create({ name: 'web-1' });
  // @ts-expect-error A field that cannot be filtered by.
  cloud.instances.list({ where: { memoryBytes: 1 } });
  // @ts-expect-error A value of another type.
  cloud.instances.list({ where: { guestOs: 'beos' } });
  // @ts-expect-error An operator that numbers do not have.
  cloud.instances.list({ where: { generation: { like: '1%' } } });
  // @ts-expect-error A field that cannot be sorted by.
  cloud.instances.list({ sort: '-memoryBytes' });
  // @ts-expect-error A verb that volumes do not have.
  await cloud.volumes.start(volume.id);
  // @ts-expect-error A kind that is not there.
  cloud.events({ kinds: ['machine'] });
  // @ts-expect-error Deleting yields no row.
  (await cloud.instances.delete(vm.id).wait()).name;
  // @ts-expect-error A dry run leads to nothing that could be waited for.
  cloud.instances.dryRun.stop(vm.id).wait();
  // @ts-expect-error It takes what the verb takes.
  await cloud.volumes.dryRun.create({ name: 'data', size: 1 });
  // @ts-expect-error Nor does that of a call that answers at once have its answer.
  (await cloud.apiKeys.dryRun.create({ name: 'ci' })).key;
  // @ts-expect-error It takes none.
  cloud.users.dryRun.get;
  // @ts-expect-error Reading changes nothing in the first place.
  cloud.instances.dryRun.get(vm.id);
  // @ts-expect-error Only deleted rows surely have the time of their end.
  vm.deletedAt.length;
}

/** What must compile. */
export async function intentions(cloud: Cloud, vm: Instance, result: Result<Instance>, change: AnyChange<CloudRows>): Promise<string> {
  await cloud.instances.get('by-name');
  const named: Instance = await cloud.instances.start(vm.id).wait({ onProgress: (operation: Operation) => operation.percent });
  const { accepted, blockers } = await cloud.instances.dryRun.resize(vm.id, { vcpus: 4 }, { ifGeneration: 3 });
  const key = await cloud.apiKeys.dryRun.rotate('ci', { overlapSeconds: 0 });
  const backup = await cloud.backups.dryRun.create({ name: 'nightly' });
  if (!key.accepted || !backup.accepted) return [...key.blockers, ...backup.blockers].map(({ code }) => code).join();
  if (!accepted) return blockers.map(({ code }) => code).join();
  if (named.state === 'deleted') return named.deletedAt;
  if (change.kind === 'volume') return String(change.row.sizeBytes);
  if (change.kind === 'instance') return change.row.hostname;
  const next: readonly string[] = instanceStates[vm.state];
  return result.ok ? result.data.name : `${result.error.code} ${next.join()}`;
}

describe('sdk: types', () => {
  it('takes text as an id only when it is one', () => {
    const instanceId: Id<'instance'> = id('instance', '01931d9a-0000-7000-8000-000000000001');
    expect(instanceId).to.match(/^01931d9a/);
    expect(() => id('instance', 'web-1')).to.throw(TypeError, 'web-1');
    expect(isPileusError(new TypeError())).to.equal(false);
  });
});
