import { expect } from 'chai';
import { askingAddress } from '../../../src/cloud/network/addresses.ts';

describe('the address that asks machines for their health', () => {
  const of = (gateway: string, serviceAddress: string | undefined) =>
    askingAddress({ gateway, serviceAddress, firstAddress: '10.0.0.1', lastAddress: '10.0.0.6' } as Parameters<typeof askingAddress>[0]);

  it('is next to the service address, and is neither that nor the gateway', () => {
    expect(of('10.0.0.1', '10.0.0.2')).to.equal('10.0.0.3');
    expect(of('10.0.0.5', '10.0.0.6')).to.equal('10.0.0.1');
    expect(of('10.0.0.6', '10.0.0.1')).to.equal('10.0.0.2');
    expect(of('10.0.0.3', '10.0.0.2')).to.equal('10.0.0.4');
    expect(of('10.0.0.1', '10.0.0.6')).to.equal('10.0.0.2');
  });

  it('is there only where the cloud answers, and for IPv4', () => {
    expect(of('10.0.0.1', undefined)).to.equal(undefined);
    expect(of('fd00::1', 'fd00::2')).to.equal(undefined);
  });
});
