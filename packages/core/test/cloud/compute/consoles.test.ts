import { expect } from 'chai';
import { CloudError, type EndpointRequest, type Principal, type UploadRequest } from '../../../src/kernel/index.ts';
import type { ByteStream } from '../../../src/strategy/index.ts';
import { codeOf } from '../little-cloud.ts';
import { LOOK_MS, MachineStage, type State } from './machine-stage.ts';

interface Ticket {
  readonly token: string;
  readonly path: string;
  readonly expiresAt: string;
}

class ConsoleStage {
  readonly stage: MachineStage;
  readonly id: string;

  constructor(stage: MachineStage, id: string) {
    this.stage = stage;
    this.id = id;
  }

  static async open(): Promise<ConsoleStage> {
    const stage = await MachineStage.with();
    return new ConsoleStage(stage, await stage.machine({ name: 'web' }));
  }

  issue(more: Partial<UploadRequest> = {}): Promise<Ticket> {
    return this.stage.ask('POST', '/instances/{id}/console', { params: { id: this.id }, body: {}, ...more }) as Promise<Ticket>;
  }

  redeem(token: string, more: Partial<EndpointRequest> = {}): Promise<ByteStream> {
    return this.stage.ask('GET', '/consoles/{token}', { params: { token }, ...more }) as Promise<ByteStream>;
  }

  async session(more: Partial<EndpointRequest> = {}): Promise<Session> {
    return new Session(this.stage, await this.redeem((await this.issue()).token, more));
  }
}

/** Somebody at the console. */
class Session {
  readonly #stage: MachineStage;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  seen = '';
  /** How it ended, for who reads. */
  end: 'open' | 'closed' | 'broken' = 'open';

  constructor(stage: MachineStage, stream: ByteStream) {
    this.#stage = stage;
    this.#writer = stream.writable.getWriter();
    this.#writer.closed.catch(() => undefined);
    void this.#read(stream.readable);
  }

  async #read(readable: ReadableStream<Uint8Array>): Promise<void> {
    try {
      for await (const bytes of readable) this.seen += Buffer.from(bytes).toString();
      this.end = 'closed';
    } catch {
      this.end = 'broken';
    }
  }

  async type(text: string): Promise<'taken' | 'refused'> {
    const answer = this.#writer.write(Buffer.from(text)).then(
      () => 'taken' as const,
      () => 'refused' as const,
    );
    await this.#stage.sim.run(100);
    return answer;
  }

  close(): Promise<void> {
    return this.#writer.close();
  }
}

const other: Principal = {
  actor: 'key:other',
  projectId: '00000000-0000-7000-8000-000000000001' as never,
  accountId: '00000000-0000-7000-8000-000000000002' as never,
  allows: (permission) => permission !== 'project.any',
};

describe('a console', () => {
  it('carries bytes both ways', async () => {
    const { stage, ...rest } = await ConsoleStage.open();
    const session = await new ConsoleStage(stage, rest.id).session();
    expect(await session.type('hello')).to.equal('taken');
    await stage.sim.run(3000);
    expect(session.seen).to.include('hello').and.to.include('web has booted');
    const vnc = await new ConsoleStage(stage, rest.id).issue({ body: { type: 'vnc' } });
    const screen = new Session(stage, await new ConsoleStage(stage, rest.id).redeem(vnc.token));
    await stage.sim.run(100);
    expect(screen.seen).to.equal('RFB 003.008\n');
  });

  it('ends soon after its user is let in no more, and his tokens are void', async () => {
    const at = await ConsoleStage.open();
    let isLetIn = true;
    const user: Principal = {
      ...other,
      renewed: () => {
        if (isLetIn) return user;
        throw new CloudError('unauthenticated', 'This API key is unknown.');
      },
    };
    const session = new Session(at.stage, await at.redeem((await at.issue({ principal: user })).token, { principal: user }));
    const { token } = await at.issue({ principal: user });
    await at.stage.sim.run(5000);
    expect(await session.type('still here')).to.equal('taken');
    isLetIn = false;
    expect(await codeOf(at.redeem(token, { principal: { ...other, actor: 'anonymous' } }))).to.equal('unauthenticated');
    await at.stage.sim.run(1100);
    expect(session.end).to.equal('broken');
    expect(await session.type('gone')).to.equal('refused');
  });

  it('is opened once by a token, within a minute, under its path', async () => {
    const at = await ConsoleStage.open();
    const used = await at.issue();
    expect(used.path).to.equal(`/v1/consoles/${used.token}`);
    expect(Date.parse(used.expiresAt) - at.stage.sim.environment.clock.nowMs()).to.be.within(1, 60_000);
    await at.redeem(used.token);
    expect(await codeOf(at.redeem(used.token))).to.equal('unauthenticated');
    const late = await at.issue();
    await at.stage.sim.run(60_000);
    expect(await codeOf(at.redeem(late.token))).to.equal('unauthenticated');
    expect(await codeOf(at.redeem('guessed'))).to.equal('unauthenticated');
    expect((await at.issue()).token).to.have.length.above(40);
  });

  it('is for who asked for it: a token that another presents is spent', async () => {
    const at = await ConsoleStage.open();
    const { token } = await at.issue();
    expect(await codeOf(at.redeem(token, { principal: other }))).to.equal('unauthenticated');
    expect(await codeOf(at.redeem(token))).to.equal('unauthenticated');
    const anonymous: Principal = { ...other, actor: 'anonymous' };
    await at.redeem((await at.issue()).token, { principal: anonymous });
  });

  it('is one of a machine of the same project, by id or name, that runs', async () => {
    const at = await ConsoleStage.open();
    await at.issue({ params: { id: 'web' } });
    const stranger: Principal = { ...other, projectId: '00000000-0000-7000-8000-000000000002' as never };
    for (const id of [at.id, 'web']) {
      expect(await codeOf(at.issue({ params: { id }, principal: stranger }))).to.equal('not_found');
      const revoke = at.stage.ask('POST', '/instances/{id}/console/revoke', { params: { id }, principal: stranger });
      expect(await codeOf(revoke)).to.equal('not_found');
    }
    for (const state of ['stopped', 'crashed', 'missing', 'deleted'] as const satisfies readonly State[]) {
      const id = await at.stage.into(state, await at.stage.machine());
      expect(await codeOf(at.issue({ params: { id } })), state).to.equal(state === 'deleted' ? 'not_found' : 'conflict');
    }
  });

  it('is closed for both sides when it is revoked, and its tokens are void', async () => {
    const at = await ConsoleStage.open();
    const [session, { token }] = [await at.session(), await at.issue()];
    await at.stage.ask('POST', '/instances/{id}/console/revoke', { params: { id: 'web' }, body: {} });
    await at.stage.sim.run(100);
    expect([session.end, await session.type('x')]).to.deep.equal(['broken', 'refused']);
    expect(await codeOf(at.redeem(token))).to.equal('unauthenticated');
  });

  it('is not given where it is revoked while the token is being recorded', async () => {
    const at = await ConsoleStage.open();
    const revoke = () => at.stage.sim.call('POST', '/instances/{id}/console/revoke', { params: { id: at.id }, body: {} });
    expect(await codeOf(at.issue({ begin: async () => void (await revoke()) }))).to.equal('conflict');
    await at.redeem((await at.issue()).token);
  });

  it('has a bounded number of tokens, with those that are being recorded, of which one account does not take the last', async () => {
    const at = await ConsoleStage.open();
    const recorded = Promise.withResolvers<void>();
    const request = { params: { id: at.id }, begin: () => recorded.promise };
    const ask = () => codeOf(at.stage.sim.call('POST', '/instances/{id}/console', request));
    const asked = Array.from({ length: 10_002 }, ask);
    await at.stage.sim.run(1000);
    recorded.resolve();
    const codes = await at.stage.sim.environment.complete(Promise.all(asked));
    expect(codes.filter((code) => code === 'busy')).to.have.length(2);
    const elsewhere: Principal = { ...other, accountId: '00000000-0000-7000-8000-0000000000aa' as never };
    expect(await codeOf(at.issue({ principal: elsewhere }))).to.equal('succeeded');
    expect(await codeOf(at.issue())).to.equal('busy');
    await at.stage.sim.run(60_000);
    expect(await codeOf(at.issue())).to.equal('succeeded');
  });

  it('is closed when the one who opened it goes away, and only then', async () => {
    const at = await ConsoleStage.open();
    const gone = new AbortController();
    const [leaving, staying, closing] = [await at.session({ signal: gone.signal }), await at.session(), await at.session()];
    gone.abort();
    await closing.close();
    await at.stage.sim.run(100);
    expect([leaving.end, staying.end, closing.end]).to.deep.equal(['broken', 'open', 'closed']);
    expect(await staying.type('still here')).to.equal('taken');
    expect(staying.seen).to.include('still here');
  });

  for (const [how, act] of [
    ['is stopped', (at) => at.stage.sim.done('instance.stop', { force: true }, at.id)],
    ['is deleted', (at) => at.stage.sim.done('instance.delete', {}, at.id)],
    ['crashes', async (at) => at.stage.real(at.id).stop('crashed')],
    ['is removed behind our back', async (at) => at.stage.worldHost().remove(at.id)],
  ] as const satisfies readonly (readonly [string, (at: ConsoleStage) => Promise<unknown>])[])
    it(`is closed when its machine ${how}, and its tokens are void`, async () => {
      const at = await ConsoleStage.open();
      const [session, { token }] = [await at.session(), await at.issue()];
      await act(at);
      await at.stage.sim.run(LOOK_MS);
      expect(session.end).not.to.equal('open');
      expect(await session.type('x')).to.equal('refused');
      if (how !== 'is deleted') await at.stage.sim.done('instance.start', {}, at.id);
      expect(await codeOf(at.redeem(token))).to.equal('unauthenticated');
    });

  it('is closed when its machine is deleted, although its host has stopped to answer', async () => {
    const at = await ConsoleStage.open();
    const session = await at.session();
    at.stage.sim.world.partition('hv1');
    await at.stage.sim.run(5 * LOOK_MS);
    expect(session.end).to.equal('open');
    await at.stage.sim.done('instance.delete', { force: true }, at.id);
    await at.stage.sim.run(100);
    expect(session.end).to.equal('broken');
  });

  it('that is revoked while it is being opened does not open', async () => {
    const at = await ConsoleStage.open();
    const { token } = await at.issue();
    at.stage.sim.world.faults.add({ command: 'consoles.serial', times: 1, effect: 'delay', delayMs: 2000 });
    const opening = codeOf(at.stage.sim.call('GET', '/consoles/{token}', { params: { token } }));
    await at.stage.sim.run(500);
    await at.stage.ask('POST', '/instances/{id}/console/revoke', { params: { id: at.id }, body: {} });
    expect(await at.stage.sim.environment.complete(opening)).not.to.equal('succeeded');
  });
});
