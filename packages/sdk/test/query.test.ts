import { expect } from 'chai';
import { all, any, fromNow, isPileusError } from '../src/runtime.ts';
import { type Cloud, connect, type Instance } from './fixture/generated/cloud.ts';
import { type Fixture, startFixture } from './fixture/server.ts';

const GIB = 1024 ** 3;

/** What must not compile. Checked by `tsc`; the function is never called. */
export async function mistakes(cloud: Cloud): Promise<void> {
  const vms = cloud.instances.query();
  // @ts-expect-error A field that instances do not have.
  vms.where((vm) => vm.vcpu.eq(1));
  // @ts-expect-error A value of another type.
  vms.where((vm) => vm.vcpus.eq('two'));
  // @ts-expect-error A value that the field never has.
  vms.where((vm) => vm.guestOs.eq('beos'));
  // @ts-expect-error A state that instances do not have.
  vms.where((vm) => vm.state.in(['runing']));
  // @ts-expect-error An operator that numbers do not have.
  vms.where((vm) => vm.vcpus.like('1%'));
  // @ts-expect-error A size is a number.
  vms.where((vm) => vm.memoryBytes.gt('1GiB'));
  // @ts-expect-error What is sealed cannot be asked about.
  vms.where((vm) => vm.userData.isNull());
  // @ts-expect-error A field that what lies deeper does not have.
  vms.where((vm) => vm.limits.iops.gt(1));
  // @ts-expect-error A way that there is not.
  vms.where((vm) => vm.images.has());
  // @ts-expect-error A field that the kind at the other end does not have.
  vms.where((vm) => vm.volumes.vcpus.gt(1));
  // @ts-expect-error The same within `has`.
  vms.where((vm) => vm.volumes.has((volume) => volume.size.gt(1)));
  // @ts-expect-error A way is no condition.
  vms.where((vm) => vm.volumes);
  // @ts-expect-error The id of a volume is not that of an instance.
  cloud.volumes.query().where((volume) => volume.instanceId.eq(volumeId));
  // @ts-expect-error A field that cannot be answered.
  vms.select('vcpu');
  // @ts-expect-error A field that was not asked for.
  (await vms.select('name').first())?.vcpus;
  // @ts-expect-error A field to sort by that there is not.
  vms.sort('-memory');
  // @ts-expect-error A field to sort by that the kind at the other end does not have.
  cloud.volumes.query().sort('-instance.memory');
  // @ts-expect-error A way that leads to several.
  vms.sort('volumes.name');
  // @ts-expect-error Texts have no sum at the other end either.
  await cloud.volumes.query().groups({ sum: ['instance.name'] });
  // @ts-expect-error Texts have no sum.
  await vms.groups({ sum: ['name'] });
  // @ts-expect-error A field to group by that there is not.
  await vms.groups({ by: ['size'] });
  // @ts-expect-error A sum that was not asked for.
  (await vms.groups({ by: ['state'], sum: ['vcpus'] }))[0]?.sum.memoryBytes;
}
declare const volumeId: import('../src/runtime.ts').Id<'volume'>;

/** What must compile. */
export async function intentions(cloud: Cloud, vm: Instance): Promise<bigint | undefined> {
  const mine = cloud.volumes.query().where((volume) => volume.instanceId.eq(vm.id).and(volume.createdAt.gt(fromNow(-1000))));
  const named: { readonly name: string; readonly state: string } | undefined = await mine.select('name', 'state').first();
  const [group] = await cloud.instances.query().groups({ by: ['guestOs'], sum: ['memoryBytes'], max: ['name'] });
  const os: 'linux' | 'windows' | null | undefined = group?.by.guestOs;
  const last: string | null | undefined = group?.max.name;
  const [far] = await mine.sort('-instance.guestOs', 'name').groups({ by: ['instance.guestOs'], sum: ['instance.memoryBytes'] });
  const farOs: 'linux' | 'windows' | null | undefined = far?.by['instance.guestOs'];
  if (farOs === 'windows') return far?.sum['instance.memoryBytes'];
  return named === undefined || os === null || last === null ? undefined : group?.sum.memoryBytes;
}

describe('sdk: queries', () => {
  let fixture: Fixture;
  let cloud: Cloud;
  before(async () => {
    fixture = await startFixture();
    cloud = connect({ url: fixture.url, apiKey: fixture.apiKey });
    for (let index = 0; index < 8; index += 1)
      await cloud.instances
        .create({
          name: `web-${index}`,
          vcpus: 1 + (index % 4),
          memoryBytes: 4 * GIB + index,
          guestOs: index % 4 === 0 ? 'windows' : 'linux',
          sshKeys: index % 2 === 0 ? ['blue', `key-${index}`] : [],
          ...(index < 3 ? { limits: { iopsPerSecond: index * 100 } } : {}),
        })
        .wait();
    for (const [name, sizeBytes, to] of [
      ['small', GIB, 'web-1'],
      ['big', 200 * GIB, 'web-2'],
      ['loose', 300 * GIB, undefined],
    ] as const) {
      const volume = await cloud.volumes.create({ name, sizeBytes }).wait();
      if (to !== undefined) await cloud.instances.attachVolume(to, { volumeId: volume.id }).wait();
    }
  });
  after(() => fixture.close());

  const names = async (list: { toArray(): Promise<{ readonly name: string }[]> }) => (await list.toArray()).map(({ name }) => name);

  it('asks about any field, also of what lies deeper, and of elements of lists', async () => {
    const vms = cloud.instances.query();
    expect(await names(vms.where((vm) => vm.memoryBytes.gte(4 * GIB + 6)))).to.deep.equal(['web-6', 'web-7']);
    expect(await names(vms.where((vm) => vm.limits.iopsPerSecond.gt(0)))).to.deep.equal(['web-1', 'web-2']);
    expect(await names(vms.where((vm) => vm.limits.iopsPerSecond.notNull().not()).where((vm) => vm.guestOs.ne('linux')))).to.deep.equal([
      'web-4',
    ]);
    expect(await names(vms.where((vm) => vm.sshKeys.eq('key-4')))).to.deep.equal(['web-4']);
    expect(await names(vms.where((vm) => vm.sshKeys.has((key) => key.value.like('key-%').and(key.value.ne('key-0')))))).to.deep.equal([
      'web-2',
      'web-4',
      'web-6',
    ]);
    expect(await names(vms.where((vm) => vm.createdAt.gt(fromNow(3_600_000))))).to.deep.equal([]);
    expect(await names(vms.where((vm) => vm.name.notIn(['web-0', 'web-1']).and(vm.name.notLike('web-%'))))).to.deep.equal([]);
  });

  it('goes along the graph both ways', async () => {
    const vms = cloud.instances.query();
    expect(await names(vms.where((vm) => vm.volumes.has((volume) => volume.sizeBytes.gt(100 * GIB))))).to.deep.equal(['web-2']);
    expect(await names(vms.where((vm) => vm.volumes.has()))).to.deep.equal(['web-1', 'web-2']);
    expect(await names(vms.where((vm) => all(vm.volumes.has().not(), any(vm.vcpus.eq(1), vm.name.eq('web-1')))))).to.deep.equal([
      'web-0',
      'web-4',
    ]);
    expect(await names(cloud.volumes.query().where((volume) => volume.instance.name.eq('web-1')))).to.deep.equal(['small']);
    expect(await names(cloud.volumes.query().where((volume) => volume.instance.volumes.name.eq('big')))).to.deep.equal(['big']);
  });

  it('answers parts of rows, in any order, page by page', async () => {
    const query = cloud.instances.query().sort('-guestOs', '-memoryBytes').select('name', 'vcpus');
    expect(await query.limit(3).toArray()).to.deep.equal([
      { name: 'web-4', vcpus: 1 },
      { name: 'web-0', vcpus: 1 },
      { name: 'web-7', vcpus: 4 },
    ]);
    expect(await names(query.pageSize(3))).to.deep.equal(await names(query));
    expect(await names(cloud.instances.query().filter("name = 'web-1' or name = 'web-2'"))).to.deep.equal(['web-1', 'web-2']);
  });

  it('counts, and groups with exact sums', async () => {
    const vms = cloud.instances.query();
    expect(await vms.count()).to.equal(8);
    expect(await vms.where((vm) => vm.vcpus.gt(2)).count()).to.equal(4);
    expect(await vms.groups({ by: ['guestOs'], sum: ['memoryBytes'], max: ['name'], min: ['vcpus'] })).to.deep.equal([
      { by: { guestOs: 'linux' }, count: 6, sum: { memoryBytes: 6n * BigInt(4 * GIB) + 24n }, max: { name: 'web-7' }, min: { vcpus: 2 } },
      { by: { guestOs: 'windows' }, count: 2, sum: { memoryBytes: 2n * BigInt(4 * GIB) + 4n }, max: { name: 'web-4' }, min: { vcpus: 1 } },
    ]);
    expect((await vms.groups({}))[0]?.count).to.equal(8);
    expect(await cloud.instances.list({ where: { guestOs: 'windows' } }).count()).to.equal(2);
  });

  it('sorts and groups by what references lead to', async () => {
    expect(await names(cloud.volumes.query().sort('-instance.name').pageSize(1))).to.deep.equal(['big', 'small', 'loose']);
    expect(await cloud.volumes.query().groups({ by: ['instance.guestOs'], sum: ['instance.vcpus'] })).to.deep.equal([
      { by: { 'instance.guestOs': null }, count: 1, sum: { 'instance.vcpus': 0n }, min: {}, max: {} },
      { by: { 'instance.guestOs': 'linux' }, count: 2, sum: { 'instance.vcpus': 5n }, min: {}, max: {} },
    ]);
  });

  it('tells where to watch from, and which index it went without', async () => {
    const page = await cloud.instances
      .query()
      .where((vm) => vm.memoryBytes.gt(0))
      .page();
    expect(page.unindexed).to.deep.equal(['instance.memoryBytes']);
    expect(
      (
        await cloud.instances
          .query()
          .where((vm) => vm.vcpus.eq(1))
          .page()
      ).unindexed,
    ).to.equal(undefined);
    await cloud.volumes.create({ name: 'late', sizeBytes: 1 }).wait();
    for await (const change of cloud.events({ kinds: ['volume'], ...(page.cursor === undefined ? {} : { after: page.cursor }) })) {
      expect(change.row).to.include({ name: 'late' });
      break;
    }
  });

  it('says what a server does not understand', async () => {
    const error: unknown = await cloud.instances
      .query()
      .filter('vcpu = 1')
      .toArray()
      .catch((cause: unknown) => cause);
    expect(isPileusError(error) && error.message).to.include('no field vcpu of instance');
  });
});
