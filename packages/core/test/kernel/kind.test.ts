import { expect } from 'chai';
import { Type } from 'typebox';
import { defineKind, type KindSpec, ref, secret, transition } from '../../src/kernel/index.ts';

const schema = Type.Object({
  hostId: Type.Optional(ref('host', 'detach')),
  poolId: ref('pool', 'restrict', { ownedIf: 'own' }),
  own: Type.Boolean(),
  sizeBytes: Type.Integer(),
  password: Type.Optional(secret()),
});
const states = { idle: ['busy', 'deleted'], busy: ['idle'] } as const;
const spec = { name: 'disk', plural: 'disks', description: 'A disk.', scope: 'project', schema, states, initial: 'idle' } as const;

describe('a kind', () => {
  it('knows its references, what owns it, and its secrets', () => {
    const disk = defineKind(spec);
    expect(disk.refs).to.deep.equal([
      { field: 'hostId', kind: 'host', onDelete: 'detach' },
      { field: 'poolId', kind: 'pool', onDelete: 'restrict', ownedIf: 'own' },
    ]);
    expect(disk.secretFields).to.deep.equal(['password']);
    expect(JSON.stringify(disk.rowSchema)).not.to.include('x-secret');
  });

  const contradictions: readonly [string, object, readonly string[]][] = [
    ['a state that leads nowhere known', { states: { idle: ['lost'] } }, ['disk', 'idle', 'lost']],
    ['an initial state that is none', { initial: 'lost' }, ['disk', 'lost']],
    ['an index on no field', { indexed: ['colour'] }, ['disk', 'colour']],
    ['a unique key of no field', { unique: [['hostId', 'colour']] }, ['disk', 'colour']],
    ['a name with no field', { namedWith: ['colour'] }, ['disk', 'colour']],
    ['a quota of no field', { quota: { diskBytes: 'colour' } }, ['disk', 'colour', 'diskBytes']],
    ['a field that every row has', { schema: Type.Object({ state: Type.String() }) }, ['disk', 'state']],
    ['an owner by no field', { schema: Type.Object({ poolId: ref('pool', 'restrict', { ownedIf: 'mine' }) }) }, ['disk', 'poolId', 'mine']],
    ['letting go of what it does not detach', { detached: { poolId: { from: ['busy'], to: 'idle' } } }, ['disk', 'poolId', 'detach']],
    ['letting go by a move it has not', { detached: { hostId: { from: ['idle'], to: 'idle' } } }, ['disk', 'hostId', 'idle']],
  ];
  for (const [title, change, named] of contradictions)
    it(`refuses ${title}, and names it`, () => {
      const wrong = { ...spec, ...change } as unknown as KindSpec<'disk', typeof schema, 'idle' | 'busy'>;
      expect(() => defineKind(wrong))
        .to.throw(Error)
        .with.property('message')
        .that.includes(named[0]);
      for (const name of named) expect(() => defineKind(wrong)).to.throw(name);
    });

  it('has no moves but those of its table', () => {
    const disk = defineKind(spec);
    expect(transition(disk, 'x' as never, { from: ['idle'], to: 'busy' })).to.deep.include({ expect: { state: ['idle'] } });
    expect(() => transition(disk, 'x' as never, { from: ['idle', 'busy'], to: 'deleted' })).to.throw(
      'kind disk has no move from busy to deleted',
    );
  });

  it('states are checked by the compiler', () => {
    const disk = defineKind(spec);
    // @ts-expect-error no such state
    expect(() => transition(disk, 'x' as never, { from: ['idle'], to: 'lost' })).to.throw('lost');
    // @ts-expect-error a table that leads to a state it has not
    expect(() => defineKind({ ...spec, states: { idle: ['lost'] } })).to.throw('lost');
    // @ts-expect-error an initial state that is none
    expect(() => defineKind({ ...spec, initial: 'lost' })).to.throw('lost');
  });
});
