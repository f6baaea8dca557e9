import { expect } from 'chai';
import { slotsOf } from '../../../src/cloud/compute/adopt-machine.ts';
import type { InstanceRow, NicRow, VolumeRow } from '../../../src/cloud/compute/context.ts';
import { readRecord, writeRecord } from '../../../src/cloud/compute/machine-record.ts';
import { instance, nic, volume } from '../../../src/cloud/index.ts';
import { machine, smallCloud } from '../small-cloud.ts';
import { SSH_KEY } from './machine-stage.ts';

const LENGTH_MAX = 32_768;

/** The rows of a machine as they are when it is defined again. */
async function rowsOf(more: object = {}) {
  const at = await smallCloud();
  await at.sim.done('instance.create', machine(at, { volumes: [{ sizeBytes: 4096 }], userData: 'planted-secret', ...more }));
  const list = <K extends Parameters<typeof at.sim.kernel.reader.list>[0]>(kind: K) =>
    at.sim.environment.complete(at.sim.kernel.reader.list(kind));
  const [row] = (await list(instance)) as readonly InstanceRow[];
  const volumes = ((await list(volume)) as readonly VolumeRow[]).map((entry) => ({ row: entry, slot: entry.slot ?? 0 }));
  if (row === undefined) throw new Error('no instance');
  return { row, volumes, nics: (await list(nic)) as readonly NicRow[] };
}

describe('the record of a machine', () => {
  it('is printable ASCII, says what the rows say, and no secrets', async () => {
    const { row, volumes, nics } = await rowsOf({ description: 'Käse \u{1F9C0} \u0000\u0085\uFFFF <&>' });
    const text = writeRecord(row, volumes, nics);
    expect(text).to.match(/^[\x21-\x7e][\x20-\x7e]*[\x21-\x7e]$/);
    expect(text).not.to.include('sealed').and.not.to.include('planted-secret');
    const record = readRecord(text);
    expect(record?.instance).to.include({ name: 'vm-1', description: row.description, hostname: row.hostname, imageId: row.imageId });
    expect(record?.volumes.map(({ id, slot }) => ({ id, slot }))).to.deep.equal(
      volumes.map((entry) => ({ id: entry.row.id, slot: entry.slot })),
    );
    expect(record?.nics.map(({ id, mac, address }) => ({ id, mac, address }))).to.deep.equal(
      nics.map(({ id, mac, address }) => ({ id, mac, address })),
    );
  });

  it('leaves out what is long where it would not fit', async () => {
    const { row, volumes, nics } = await rowsOf({
      description: '\u{1F9C0}'.repeat(500),
      sshKeys: Array.from({ length: 8 }, () => `${SSH_KEY} ${'k'.repeat(7900)}`),
    });
    const text = writeRecord(row, volumes, nics);
    expect(text.length).to.be.at.most(LENGTH_MAX);
    expect(readRecord(text)?.instance).to.include({ name: 'vm-1' }).and.not.to.have.property('description');
    expect(readRecord(text)?.instance.sshKeys).to.deep.equal([]);
  });

  it('of another release, or none at all, is no record', async () => {
    const { row, volumes, nics } = await rowsOf();
    const record = JSON.parse(writeRecord(row, volumes, nics)) as object;
    for (const text of [
      undefined,
      '',
      '{',
      '{}',
      'null',
      JSON.stringify({ ...record, version: 2 }),
      JSON.stringify({ ...record, nics: [{}] }),
    ])
      expect(readRecord(text), String(text)).to.equal(undefined);
    expect(readRecord(JSON.stringify(record))).to.deep.equal(record);
  });
});

describe('slots of adopted disks', () => {
  for (const { shown, known, slots } of [
    { shown: ['a', 'b'], known: { a: 0, b: 1 }, slots: [0, 1] },
    { shown: ['a', 'x', 'b', 'y'], known: { a: 0, b: 2 }, slots: [0, 1, 2, 3] },
    { shown: ['a', 'b', 'x'], known: { a: 0, b: 5 }, slots: [0, 5, 6] },
    { shown: ['x', 'y'], known: {}, slots: [0, 1] },
  ])
    it(`${shown.join(', ')} with ${JSON.stringify(known)} known are ${slots.join(', ')}`, () => {
      const entries = Object.entries(known).map(([id, slot]) => ({ id, slot }));
      expect(slotsOf(shown, entries)).to.deep.equal(slots);
    });
});
