import { expect } from 'chai';
import type { ByteStream } from '../../src/strategy/index.ts';
import type { HypervisorFeature, HypervisorStage } from './hypervisor.ts';
import { part, verb } from './hypervisor-change.ts';

export function watchTests(stage: HypervisorStage, features: readonly HypervisorFeature[]): void {
  if (features.includes('serial')) serialTests(stage);
  if (features.includes('vnc'))
    it('vnc speaks RFB for a running machine, not_found for an unknown one, conflict for a stopped one', async () => {
      const consoles = part(stage.driver, 'consoles');
      const vnc = verb(consoles, consoles.vnc);
      const spec = await stage.running();
      const stream = await vnc(spec.id, stage.call());
      await readUntil(stream, (text) => /^RFB \d{3}\.\d{3}\n/.test(text));
      await hangUp(stream);
      await stage.driver.power.powerOff(spec.id, stage.call());
      expect(await stage.fault(vnc(spec.id, stage.call()))).to.equal('conflict');
      expect(await stage.fault(vnc(stage.newId(), stage.call()))).to.equal('not_found');
    });
  if (features.includes('watch')) hintTests(stage);
}

function serialTests(stage: HypervisorStage): void {
  it('the serial console carries bytes both ways, and can be opened again after it was closed', async () => {
    const consoles = part(stage.driver, 'consoles');
    const serial = verb(consoles, consoles.serial);
    const { id } = await stage.booted();
    for (const word of ['first-word', 'second-word']) {
      const stream = await serial(id, stage.call());
      const writer = stream.writable.getWriter();
      await writer.write(new TextEncoder().encode(`${word}\n`));
      writer.releaseLock();
      await readUntil(stream, (text) => text.includes(word));
      await hangUp(stream);
    }
  });

  it('the serial console of a stopped machine is a conflict, of an unknown one not_found', async () => {
    const consoles = part(stage.driver, 'consoles');
    const serial = verb(consoles, consoles.serial);
    const { id } = await stage.defined();
    expect(await stage.fault(serial(id, stage.call()))).to.equal('conflict');
    expect(await stage.fault(serial(stage.newId(), stage.call()))).to.equal('not_found');
  });

  it('closing the writable side of a console ends its readable side', async () => {
    const consoles = part(stage.driver, 'consoles');
    const { id } = await stage.running();
    const stream = await verb(consoles, consoles.serial)(id, stage.call());
    await stream.writable.close();
    const reader = stream.readable.getReader();
    while (!(await reader.read()).done);
  });
}

function hintTests(stage: HypervisorStage): void {
  it('hints come after changes, and none after the watch is stopped', async () => {
    const { power } = stage.driver;
    const watch = verb(stage.driver, stage.driver.watch);
    const hints: (string | undefined)[] = [];
    const stop = watch((machineId) => hints.push(machineId));
    const { id } = await stage.defined();
    const hinted = () => hints.some((hint) => hint === id || hint === undefined);
    // A hint may be dropped, so changes go on until one comes.
    await stage.eventually(async () => {
      await power.start(id, stage.call());
      await power.powerOff(id, stage.call());
      return hinted();
    }, Boolean);
    stop();
    await stage.harness.settle();
    const count = hints.length;
    await power.start(id, stage.call());
    await stage.harness.settle();
    expect(hints).to.have.length(count);
    stop();
  });

  it('hints tell what other driver objects and guests do', async () => {
    const watcher = await stage.open();
    const hints = new Set<string | undefined>();
    const stop = verb(watcher, watcher.watch)((machineId) => hints.add(machineId));
    const { id } = await stage.defined();
    await stage.eventually(async () => {
      await stage.driver.power.start(id, stage.call());
      await stage.driver.power.powerOff(id, stage.call());
      return hints.has(id) || hints.has(undefined);
    }, Boolean);
    stop();
  });
}

/** Reads the stream until its text fits; the test's own time-out bounds it. */
async function readUntil(stream: ByteStream, fits: (text: string) => boolean): Promise<void> {
  const reader = stream.readable.getReader();
  const decoder = new TextDecoder();
  let text = '';
  while (!fits(text)) {
    const { done, value } = await reader.read();
    if (done) expect.fail(`the stream ended after ${JSON.stringify(text)}`);
    text += decoder.decode(value, { stream: true });
  }
  reader.releaseLock();
}

/** Closes both sides, of which the first may already have ended the second. */
async function hangUp(stream: ByteStream): Promise<void> {
  await Promise.allSettled([stream.readable.cancel(), stream.writable.close()]);
}
