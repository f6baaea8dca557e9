import { expect } from 'chai';
import type { HypervisorStage } from './hypervisor.ts';

/** Every printable character, and what a careless writer of XML or of shell words would spoil. */
const PRINTABLE = String.fromCharCode(...Array.from({ length: 0x7e - 0x21 + 1 }, (_, at) => 0x21 + at));
const AWKWARD = `{"text":"  two  spaces, <b>&amp;</b> ]]> <!-- -- --> %s $HOME \\u0000 \\n 'x' ${PRINTABLE}"}`;
const LENGTH_MAX = 32_768;

/** What the cloud keeps with a machine. */
export function recordTests(stage: HypervisorStage): void {
  it('a record comes back as it was, from inspect and list, through every driver object', async () => {
    const maker = await stage.open();
    const spec = await stage.machine({ record: AWKWARD });
    await maker.machines.define(spec, stage.call());
    await maker.close();
    expect((await stage.see(spec.id)).record).to.equal(AWKWARD);
    expect((await stage.listedOf(spec.id)).map((machine) => machine.record)).to.deep.equal([AWKWARD]);
  });

  it('a record is kept while the machine runs and after it stopped', async () => {
    const spec = await stage.running({ record: AWKWARD });
    expect((await stage.see(spec.id)).record).to.equal(AWKWARD);
    await stage.driver.power.powerOff(spec.id, stage.call());
    expect((await stage.see(spec.id)).record).to.equal(AWKWARD);
  });

  it('another definition brings another record, or none', async () => {
    const spec = await stage.defined({ record: 'first' });
    await stage.driver.machines.define({ ...spec, record: 'second' }, stage.call());
    expect((await stage.see(spec.id)).record).to.equal('second');
    const { record: _, ...without } = spec;
    await stage.driver.machines.define(without, stage.call());
    expect(await stage.see(spec.id)).not.to.have.property('record');
  });

  it('a record may be 32 KiB long', async () => {
    const record = '<"&'.repeat(LENGTH_MAX / 2).slice(0, LENGTH_MAX);
    const spec = await stage.defined({ record });
    expect((await stage.see(spec.id)).record).to.equal(record);
  });
}
