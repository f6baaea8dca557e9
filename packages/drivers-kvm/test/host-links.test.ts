import { expect } from 'chai';
import { classify } from '../src/faults.ts';
import { HostLinks, locate } from '../src/host-links.ts';
import { kvm } from '../src/index.ts';
import { ConnectionLostError, LibvirtError, TimeoutError } from '../src/libvirt/index.ts';
import { selfSigned } from './self-signed.ts';

const at = (uri: string) => locate({ hostId: 'h', uri }).address;
const faultOf = (act: () => unknown) => {
  try {
    act();
  } catch (error) {
    return classify(error);
  }
  return 'no fault';
};

describe('finding a host', () => {
  it('reads every form of URI', async () => {
    const { cert, key } = await selfSigned();
    const tls = { ca: cert, cert, key };
    expect(at('qemu:///system')).to.deep.equal({ kind: 'unix', path: '/run/libvirt/libvirt-sock' });
    expect(at('qemu:///system?socket=/a%20b/c')).to.deep.equal({ kind: 'unix', path: '/a b/c' });
    expect(at('qemu+unix:///system?socket=/a/b')).to.deep.equal({ kind: 'unix', path: '/a/b' });
    const remote = (uri: string) => locate({ hostId: 'h', uri, tls }).address;
    expect(remote('qemu+tls://kvm-1.example/system')).to.deep.equal({ kind: 'tls', host: 'kvm-1.example', ...tls });
    expect(remote('qemu+tls://[fd00::1]:16515/system')).to.deep.equal({ kind: 'tls', host: 'fd00::1', port: 16515, ...tls });
  });

  it('refuses what it cannot reach, and says so before any call', () => {
    const refused = [
      '',
      'x',
      'qemu:///session',
      'qemu+ssh://h/system',
      'qemu://h/system',
      'qemu+tls:///system',
      'qemu+tls://h/system',
      'xen:///system',
    ];
    for (const uri of refused)
      expect(
        faultOf(() => at(uri)),
        uri,
      ).to.equal('invalid');
    const { storage, network } = kvm().strategies;
    const host = { hostId: 'h', uri: 'qemu:///system' };
    for (const path of ['', '/', 'relative', '//'])
      expect(faultOf(() => storage?.[0]?.open({ poolId: 'p', scope: 'host', host, settings: { path } }))).to.equal('invalid');
    expect(faultOf(() => storage?.[0]?.open({ poolId: 'p', scope: 'host', settings: { path: '/p' } }))).to.equal('invalid');
    expect(faultOf(() => network?.[0]?.open({}))).to.equal('invalid');
  });

  it('shares the connections to a host until the last holder lets go', async () => {
    const links = new HostLinks({});
    const [one, two, other] = ['/a', '/a', '/b'].map((socket) => links.open({ hostId: 'h', uri: `qemu+unix:///system?socket=${socket}` }));
    if (one === undefined || two === undefined || other === undefined) return expect.fail('three were opened');
    expect(one.host).to.equal(two.host);
    expect(one.host).not.to.equal(other.host);
    const { host } = two;
    await one.close();
    await one.close();
    expect(faultOf(() => one.host)).to.equal('unavailable');
    expect(host.state).not.to.equal('closed');
    await two.close();
    expect(host.state).to.equal('closed');
    await other.close();
  });
});

describe('faults', () => {
  const answer = (code: number, message = 'no') =>
    new LibvirtError('p', {
      code,
      domain: 10,
      level: 2,
      message,
      dom: undefined,
      str1: undefined,
      str2: undefined,
      str3: undefined,
      int1: 0,
      int2: 0,
      net: undefined,
    });

  it('says what each answer of libvirt means', () => {
    const table: Readonly<Record<string, readonly number[]>> = {
      not_found: [42, 43, 49, 50, 99],
      // 66: of a machine that is there and whose disk wants a secret that is not.
      conflict: [28, 37, 55, 66, 83, 87, 90],
      invalid: [8, 27, 82, 92],
      unsupported: [3, 16, 67, 74, 84, 91],
      unavailable: [5, 39, 68, 86, 95, 97],
      internal: [1, 9, 38, 45, 88, 12_345],
    };
    for (const [fault, codes] of Object.entries(table)) for (const code of codes) expect(classify(answer(code)), `${code}`).to.equal(fault);
    expect(classify(answer(38, 'cannot write: No space left on device'))).to.equal('exhausted');
  });

  it('says whether a call without an answer may still land', () => {
    expect(classify(new TimeoutError('x', 'unknown'))).to.equal('unknown_outcome');
    expect(classify(new ConnectionLostError('x', 'unknown'))).to.equal('unknown_outcome');
    expect(classify(new ConnectionLostError('x', 'not_sent'))).to.equal('unavailable');
  });
});
