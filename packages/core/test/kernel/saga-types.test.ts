import { expect } from 'chai';
import { FORWARD_ONLY, NOTHING_TO_UNDO, saga } from '../../src/kernel/index.ts';

interface Ports {
  readonly disk: { create(id: string): Promise<{ readonly path: string }>; remove(id: string): Promise<void> };
}
interface Params {
  readonly id: string;
}
const undo = NOTHING_TO_UNDO;
const begin = () => saga<Ports, Params>('types', 1);
const disk = () =>
  begin().effect('disk', { do: ({ ctx, params }) => ctx.disk.create(params.id), undo: ({ ctx, params }) => ctx.disk.remove(params.id) });

describe('the saga builder, as the compiler sees it', () => {
  it('an undo must be there, or be refused by name', () => {
    // @ts-expect-error forgotten undo
    begin().effect('disk', { do: () => undefined });
    // @ts-expect-error forgotten undo of a write
    begin().write('row', { do: () => [] });
    // @ts-expect-error forgotten undo of a fan-out
    begin().each('rows', { items: () => [1], limit: 1, do: () => undefined });
    const built = begin()
      .effect('look', { do: () => undefined, undo })
      .build();
    expect(built.steps).to.have.length(1);
  });

  it('a step sees the outputs before it, and its undo its own as perhaps absent', () => {
    const built = disk()
      .write('row', { do: ({ out }) => [{ op: 'adjust', counter: out.disk.path, by: 1 }], undo: NOTHING_TO_UNDO })
      // @ts-expect-error the output of a later step
      .effect('early', { do: ({ out }) => String(out.later), undo: NOTHING_TO_UNDO })
      // @ts-expect-error its own output may be absent in its undo
      .effect('later', { do: () => ({ port: 1 }), undo: ({ out }) => void out.later.port })
      .effect('last', { do: ({ out }) => out.later.port, undo: ({ out }) => void out.last?.toFixed() })
      .build();
    expect(built.steps.map((step) => step.name)).to.deep.equal(['disk', 'row', 'early', 'later', 'last']);
  });

  it('from a step that cannot be taken back on, an output may be absent, for an operator may pass over it, but not that of one that is needed', () => {
    const one = { do: () => ({ port: 1 }), undo: NOTHING_TO_UNDO } as const;
    const gone = { ...one, undo: FORWARD_ONLY } as const;
    const each = { items: () => ['a'], limit: 1, do: () => 'b', undo: NOTHING_TO_UNDO } as const;
    const built = begin()
      .effect('before', one)
      .effect('gone', gone)
      .effect('behind', one)
      .effect('needed', { ...one, needed: true })
      .each('all', each)
      .effect('sound', { ...one, do: ({ out }) => out.before.port + out.needed.port + (out.gone?.port ?? 0) + (out.behind?.port ?? 0) })
      // @ts-expect-error it may have been passed over
      .effect('own', { ...one, do: ({ out }) => out.gone.port })
      // @ts-expect-error so may what comes behind it
      .effect('later', { ...one, do: ({ out }) => out.behind.port })
      // @ts-expect-error or a part of what comes behind it
      .effect('parts', { ...one, do: ({ out }) => out.all.map((part) => part.length) })
      .build();
    const written = begin().write('row', { do: () => [], undo: FORWARD_ONLY });
    // @ts-expect-error behind a write that cannot be taken back
    written.effect('one', one).effect('two', { ...one, do: ({ out }) => out.one.port });
    const more = begin().subs('more', { limit: 1, run: () => [] });
    // @ts-expect-error behind sagas that may have such steps
    more.effect('one', one).effect('two', { ...one, do: ({ out }) => out.one.port });
    // @ts-expect-error what is needed has nothing to undo
    begin().effect('one', { ...gone, needed: true });
    expect(built.steps).to.have.length(9);
  });

  it('the output of a fan-out is a list, in order', () => {
    const built = begin()
      .each('sizes', { items: () => ['a', 'b'], limit: 2, do: ({ item }) => item.length, undo: NOTHING_TO_UNDO })
      .effect('sum', { do: ({ out }) => out.sizes.reduce((sum, size) => sum + size, 0), undo: NOTHING_TO_UNDO })
      // @ts-expect-error a list is no number
      .effect('wrong', { do: ({ out }) => out.sizes.toFixed(), undo: NOTHING_TO_UNDO })
      .build();
    expect(built.steps).to.have.length(3);
  });

  it('a name is taken once', () => {
    // @ts-expect-error two steps of one name
    expect(() => disk().effect('disk', { do: () => undefined, undo })).to.throw('saga types: two steps named disk');
    expect(() =>
      disk()
        .write('row', { do: () => [], undo })
        .write('row', { do: () => [], undo }),
    ).to.throw('two steps named row');
  });

  it('an output is JSON', () => {
    // @ts-expect-error a Date does not survive the journal
    begin().effect('when', { do: () => new Date(0), undo });
    // @ts-expect-error nor does a Map
    begin().effect('map', { do: () => new Map(), undo });
    // @ts-expect-error nor a bigint
    begin().effect('big', { do: () => 1n, undo });
    const built = begin()
      .effect('plain', { do: () => ({ list: [1, null, 'a'] }), undo })
      .build();
    expect(built.steps).to.have.length(1);
  });

  it('a context is what was declared, and nothing else', () => {
    // @ts-expect-error no such port
    begin().effect('net', { do: ({ ctx }) => ctx.network, undo });
    // @ts-expect-error no such parameter
    begin().effect('name', { do: ({ params }) => params.name, undo });
    // @ts-expect-error a write is synchronous
    begin().write('row', { do: async () => [], undo });
    const built = begin()
      .effect('id', { do: ({ params }) => params.id, undo })
      .build();
    expect(built.steps).to.have.length(1);
  });
});
