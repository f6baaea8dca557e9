import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  AbortedError,
  ConnectionLostError,
  DefineFlag,
  domainRef,
  ErrorCode,
  LibvirtConnection,
  LibvirtError,
  LibvirtHost,
  LifecycleEvent,
  StartFlag,
  TimeoutError,
} from '@pileus/drivers-kvm/libvirt';
import { assert, expect } from 'chai';
import { connectTo, domainUuid, domainXml, record, rejection, unlessCrashed } from './fixtures.ts';
import { PrivateHost } from './private-host.ts';
import { TappedSocket } from './tapped-socket.ts';

describe('a connection to libvirtd', function () {
  // Longer than what the client waits by itself, so that a slow test ends by its own errors and never goes on beside the next.
  this.timeout(300_000);
  let host: PrivateHost;
  before(async () => {
    host = await PrivateHost.start();
  });
  // A test that failed may have left it frozen or killed.
  beforeEach(async () => {
    for (const command of ['start', 'thaw'] as const) await host.command(command);
  });
  after(() => host?.[Symbol.asyncDispose]());

  it('opens, and answers what it is asked', async () => {
    await using libvirt = connectTo(host);
    await libvirt.ready();
    expect(libvirt.state).to.equal('up');
    expect(await libvirt.api.connectGetType()).to.equal('QEMU');
    expect(await libvirt.api.connectGetUri()).to.equal('qemu:///system');
    expect(await libvirt.api.connectGetLibVersion()).to.be.greaterThan(9_000_000 - 1);
    expect(await libvirt.nodeMemoryKib()).to.have.all.keys('total', 'free', 'buffers', 'cached');
    expect(await libvirt.nodeCpuNs()).to.include.keys('user', 'idle');
  });

  it('pipelines a thousand calls and never has more than four unanswered', async () => {
    const listen = path.join(host.directory, 'tap');
    await using tap = await TappedSocket.start(host.socketPath, listen);
    await using libvirt = new LibvirtConnection({ address: { kind: 'unix', path: listen } });
    const answers = await Promise.all(Array.from({ length: 1_000 }, () => libvirt.api.connectGetUri()));
    expect(new Set(answers)).to.deep.equal(new Set(['qemu:///system']));
    expect(tap.inFlightMax).to.equal(4);
  });

  it('maps what libvirt reports to typed errors', async () => {
    await using libvirt = connectTo(host);
    const missing = await rejection(libvirt.api.domainLookupByUuid({ uuid: domainUuid }));
    assert(missing instanceof LibvirtError);
    expect(missing).to.include({ code: ErrorCode.noDomain, codeName: 'noDomain', level: 2, domain: 10, procedure: 'domainLookupByUuid' });
    expect(missing.message).to.include(domainUuid);
    expect(missing.is('noDomain')).to.equal(true);
    const invalid = await rejection(libvirt.api.domainDefineXmlFlags({ xml: '<domain', flags: DefineFlag.validate }));
    assert(invalid instanceof LibvirtError);
    expect(invalid.codeName).to.equal('xmlDetail');
  });

  it('rejects arguments that do not fit the protocol without sending them', async () => {
    await using libvirt = connectTo(host);
    expect(await rejection(libvirt.api.domainLookupByUuid({ uuid: 'nonsense' }))).to.be.instanceOf(RangeError);
    expect(await libvirt.api.connectGetUri()).to.equal('qemu:///system');
  });

  it('tells of a domain that is defined, started by UUID alone and destroyed', async () => {
    await using libvirt = connectTo(host);
    await libvirt.ready();
    const { events, until } = record(libvirt);
    const domain = await libvirt.api.domainDefineXmlFlags({ xml: domainXml() });
    expect(domain).to.deep.equal({ name: 'tiny', uuid: domainUuid, id: -1 });
    const started = await libvirt.api.domainCreateWithFlags({ domain: domainRef(domainUuid), flags: StartFlag.paused });
    expect(started.id).to.be.greaterThan(0);
    await libvirt.api.domainDestroyFlags({ domain });
    await libvirt.api.domainUndefineFlags({ domain });
    await until((event) => event.kind === 'lifecycle' && event.event === LifecycleEvent.undefined);
    const { defined, started: running, suspended, shutdown, stopped, undefined: gone } = LifecycleEvent;
    expect(events.map((event) => event.kind === 'lifecycle' && event.event)).to.deep.equal([
      defined,
      running,
      suspended,
      shutdown,
      stopped,
      gone,
    ]);
  });

  it('iterates over events until told to stop', async () => {
    await using libvirt = connectTo(host);
    const stop = new AbortController();
    const kinds: string[] = [];
    for await (const event of libvirt.watch(stop.signal)) {
      kinds.push(event.kind);
      if (event.kind === 'resync') stop.abort();
    }
    expect(kinds).to.deep.equal(['connected', 'resync']);
  });

  it('times out on a frozen daemon, leaves other hosts alone, and drops the late answer', () =>
    unlessCrashed(host, async () => {
      await using other = await PrivateHost.start();
      await using healthy = connectTo(other);
      await using libvirt = connectTo(host);
      await Promise.all([libvirt.ready(), healthy.ready()]);
      const { events } = record(libvirt);
      await host.command('freeze');
      try {
        const late = rejection(libvirt.api.connectGetHostname({}, { timeoutMs: 300 }));
        expect(await healthy.api.connectGetUri()).to.equal('qemu:///system');
        const error = await late;
        assert(error instanceof TimeoutError);
        expect(error.outcome).to.equal('unknown');
      } finally {
        await host.command('thaw');
      }
      expect(await libvirt.api.connectGetUri()).to.equal('qemu:///system');
      expect(events, 'the connection lived on').to.deep.equal([]);
    }));

  it('says not_sent of calls that never left, and unknown of those that did', () =>
    unlessCrashed(host, async () => {
      await using libvirt = new LibvirtConnection({ address: { kind: 'unix', path: host.socketPath }, maxInFlight: 2 });
      await libvirt.ready();
      await host.command('freeze');
      try {
        const abort = new AbortController();
        const sent = rejection(libvirt.api.connectGetUri({}, { signal: abort.signal }));
        const alsoSent = rejection(libvirt.api.connectGetUri({}, { timeoutMs: 3_000 }));
        const waiting = await rejection(libvirt.api.connectGetUri({}, { timeoutMs: 100 }));
        assert(waiting instanceof TimeoutError);
        expect(waiting.outcome).to.equal('not_sent');
        abort.abort();
        const aborted = await sent;
        assert(aborted instanceof AbortedError);
        expect(aborted.outcome).to.equal('unknown');
        const queued = rejection(libvirt.api.connectGetUri());
        expect(await alsoSent).to.be.instanceOf(TimeoutError);
        // Both slots are now held by calls that nobody waits for: the connection is given up.
        const lost = await queued;
        assert(lost instanceof ConnectionLostError);
        expect(lost.outcome).to.equal('not_sent');
      } finally {
        await host.command('thaw');
      }
      await libvirt.ready();
      expect(await libvirt.api.connectGetUri()).to.equal('qemu:///system');
    }));

  it('says not_sent of a call that needs a connection of its own and could not get one', () =>
    unlessCrashed(host, async () => {
      await using libvirt = connectTo(host);
      await libvirt.ready();
      await host.command('freeze');
      try {
        const error = await rejection(libvirt.api.domainManagedSave({ domain: domainRef(domainUuid) }, { timeoutMs: 200 }));
        assert(error instanceof TimeoutError);
        expect(error.outcome).to.equal('not_sent');
      } finally {
        await host.command('thaw');
      }
      const error = await rejection(libvirt.api.domainManagedSave({ domain: domainRef(domainUuid) }));
      assert(error instanceof LibvirtError);
      expect(error.codeName).to.equal('noDomain');
    }));

  it('gives up a frozen connection by keepalive', () =>
    unlessCrashed(host, async () => {
      await using libvirt = connectTo(host, { keepaliveIntervalMs: 500, keepaliveMissesMax: 3, connectTimeoutMs: 10_000 });
      await libvirt.ready();
      const { until } = record(libvirt);
      const domain = domainRef(domainUuid);
      await host.command('freeze');
      try {
        const error = await rejection(libvirt.api.domainResume({ domain }, { timeoutMs: 60_000 }));
        assert(error instanceof ConnectionLostError);
        expect(error.outcome).to.equal('unknown');
        expect(error.message).to.include('keepalive');
        await until((event) => event.kind === 'disconnected');
      } finally {
        await host.command('thaw');
      }
      await libvirt.ready();
    }));

  it('keeps an idle connection alive, both ways', async () => {
    // A daemon that a busy machine lets sleep for longer than the allowance is given up, and rightly so: that is another story.
    for (let attemptsLeft = 2; ; attemptsLeft -= 1) {
      await using libvirt = connectTo(host, { keepaliveIntervalMs: 1_000, keepaliveMissesMax: 4 });
      await libvirt.ready();
      const { events } = record(libvirt);
      // Longer than our own allowance, and longer than one of the daemon's five-second intervals.
      await sleep(6_000);
      if (events.length > 0 && attemptsLeft > 0) continue;
      expect(events).to.deep.equal([]);
      expect(await libvirt.api.connectGetUri()).to.equal('qemu:///system');
      return;
    }
  });

  it('reconnects after libvirtd was killed and restarted, registers anew and asks for a resync', async () => {
    await using libvirt = connectTo(host, { reconnectDelayMsMax: 500 });
    const { events, until } = record(libvirt);
    await libvirt.ready();
    const domain = await libvirt.api.domainDefineXmlFlags({ xml: domainXml() });
    await libvirt.api.domainCreateWithFlags({ domain, flags: StartFlag.paused });
    // An event can come after the answer to the call that caused it.
    await until((event) => event.kind === 'lifecycle' && event.event === LifecycleEvent.suspended);
    events.length = 0;
    await host.command('kill');
    await until((event) => event.kind === 'disconnected');
    const down = await rejection(libvirt.api.domainDestroyFlags({ domain }));
    assert(down instanceof ConnectionLostError);
    expect(down.outcome).to.equal('not_sent');
    await host.command('start');
    await until((event) => event.kind === 'resync');
    expect(events.map((event) => event.kind)).to.deep.equal(['disconnected', 'connected', 'resync']);
    const [found] = await libvirt.api.connectListAllDomains();
    expect(found).to.include({ uuid: domainUuid }, 'the guest outlives its daemon');
    // This waits until the daemon has taken the guest back; before, a destroy can end it and say that it did not run.
    await libvirt.api.domainMemoryStats({ domain });
    await libvirt.api.domainDestroyFlags({ domain });
    await libvirt.api.domainUndefineFlags({ domain });
    await until((event) => event.kind === 'lifecycle' && event.event === LifecycleEvent.stopped);
  });

  it('waits no longer when something else shows that the daemon is back', async () => {
    const listen = path.join(host.directory, 'late');
    await using libvirt = new LibvirtConnection({
      address: { kind: 'unix', path: listen },
      reconnectDelayMs: 60_000,
      reconnectDelayMsMax: 60_000,
    });
    await rejection(libvirt.api.connectGetUri());
    expect(libvirt.state).to.equal('down');
    await using _tap = await TappedSocket.start(host.socketPath, listen);
    libvirt.hurry();
    expect(await libvirt.api.connectGetUri()).to.equal('qemu:///system');
    libvirt.hurry();
    expect(libvirt.state).to.equal('up');
  });

  it('takes every kind of call as soon as it tells that it is connected', async () => {
    await using libvirt = connectTo(host, { reconnectDelayMs: 300, reconnectDelayMsMax: 600 });
    const { events, until } = record(libvirt);
    for (let round = 1; round <= 2; round += 1) {
      await libvirt.api.connectGetCapabilities();
      events.length = 0;
      await host.command('kill');
      await until((event) => event.kind === 'disconnected');
      await rejection(libvirt.api.connectGetCapabilities());
      const answer = new Promise<string>((resolve, reject) => {
        const stop = libvirt.subscribe(({ kind }) => {
          if (kind !== 'connected') return;
          stop();
          libvirt.api.connectGetCapabilities().then(resolve, reject);
        });
      });
      await host.command('start');
      expect(await answer).to.include('<capabilities>');
      await until((event) => event.kind === 'resync');
    }
  });

  it('repeats a read whose connection broke, but never a change', async () => {
    const listen = path.join(host.directory, 'tap');
    await using tap = await TappedSocket.start(host.socketPath, listen);
    await using libvirt = new LibvirtHost({ address: { kind: 'unix', path: listen } });
    await libvirt.ready();
    tap.hold();
    const read = libvirt.api.connectGetUri();
    const change = rejection(libvirt.api.domainResume({ domain: domainRef(domainUuid) }));
    await sleep(50);
    tap.cut();
    expect(await read).to.equal('qemu:///system');
    const error = await change;
    assert(error instanceof ConnectionLostError);
    expect(error.outcome).to.equal('unknown');
  });

  it('rejects what is open when it is closed', async () => {
    const libvirt = connectTo(host);
    await libvirt.ready();
    await host.command('freeze');
    const open = rejection(libvirt.api.connectGetUri());
    await libvirt.close().finally(() => host.command('thaw'));
    expect(await open).to.be.instanceOf(ConnectionLostError);
    expect(await rejection(libvirt.api.connectGetUri())).to.be.instanceOf(ConnectionLostError);
    expect(libvirt.state).to.equal('closed');
  });
});
