import { expect } from 'chai';
import { dnsRecord } from '../../../../src/cloud/index.ts';
import { LittleCloud } from '../../little-cloud.ts';

describe('names in a VPC', () => {
  let at: LittleCloud;
  let vpcId: string;
  before(async () => {
    at = new LittleCloud();
    await at.sim.start();
    vpcId = await at.sim.done('vpc.create', { name: 'vpc-1', domain: 'shop.internal' });
  });

  const real = (id: string) => at.sim.world.fabric.kept.of('dnsRecords').get(id)?.spec;
  const refused = async (input: object) => {
    const before = await at.revision();
    const error = await at.sim.submit('dnsRecord.create', input).catch((cause: { code: string; pointer?: string }) => cause);
    expect(await at.revision()).to.equal(before);
    return 'code' in error ? [error.code, error.pointer] : ['accepted'];
  };

  it('are kept with canonical addresses, changed, and gone with their records or their VPC', async () => {
    const hostname = 'db.shop.internal';
    const id = await at.sim.done('dnsRecord.create', { vpcId, hostname, addresses: ['10.0.0.5', '2001:DB8:0::1'] });
    expect(real(id)).to.deep.include({ id, vpcId, name: hostname, addresses: ['10.0.0.5', '2001:db8::1'] });
    await at.sim.done('dnsRecord.update', { addresses: ['10.0.0.6'] }, id);
    expect(real(id)).to.deep.include({ name: hostname, addresses: ['10.0.0.6'] });
    expect((await at.row(dnsRecord, id)).addresses).to.deep.equal(['10.0.0.6']);
    await at.sim.done('dnsRecord.delete', {}, id);
    expect(real(id)).to.equal(undefined);
    const own = await at.sim.done('vpc.create', { name: 'vpc-2' });
    const other = await at.sim.done('dnsRecord.create', { vpcId: own, hostname: 'a.b.vpc-2.internal', addresses: ['10.0.0.5'] });
    await at.sim.done('vpc.delete', {}, own);
    expect(real(other)).to.equal(undefined);
  });

  it('are refused with the field at fault', async () => {
    const addresses = ['10.0.0.5'];
    await at.sim.done('dnsRecord.create', { vpcId, hostname: 'taken.shop.internal', addresses });
    for (const [input, code, pointer] of [
      [{ hostname: 'db.elsewhere.internal', addresses }, 'invalid_input', '/hostname'],
      [{ hostname: 'dbshop.internal', addresses }, 'invalid_input', '/hostname'],
      [{ hostname: 'shop.internal', addresses }, 'invalid_input', '/hostname'],
      [{ hostname: 'a..shop.internal', addresses }, 'invalid_input', '/hostname'],
      [{ hostname: 'a-.b.shop.internal', addresses }, 'invalid_input', '/hostname'],
      [{ hostname: `${'a'.repeat(64)}.shop.internal`, addresses }, 'invalid_input', '/hostname'],
      [{ hostname: 'DB.shop.internal', addresses }, 'invalid_input', '/hostname'],
      [{ hostname: 'db.shop.internal', addresses: [] }, 'invalid_input', '/addresses'],
      [{ hostname: 'db.shop.internal', addresses: ['10.0.0.5', 'db'] }, 'invalid_input', '/addresses/1'],
      [{ hostname: 'db.shop.internal', addresses: ['::1', '0:0::1'] }, 'invalid_input', '/addresses/1'],
      [{ hostname: 'taken.shop.internal', addresses }, 'name_taken', '/hostname'],
      [{ vpcId: '00000000-0000-7000-8000-00000000dead', hostname: 'db.shop.internal', addresses }, 'not_found', '/vpcId'],
    ] as const)
      expect(await refused({ vpcId, ...input }), JSON.stringify(input)).to.deep.equal([code, pointer]);
  });
});
