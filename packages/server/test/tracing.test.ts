import { once } from 'node:events';
import { propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { BasicTracerProvider, InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { CloudError, Ids, type KernelServices } from '@pileus/core/kernel';
import { agentLink, nodeEnvironment } from '@pileus/core/node';
import { expect } from 'chai';
import { WebSocket } from 'ws';
import { Agents, commandIdOf } from '../../core/src/cloud/agents/agents.ts';
import { machine, smallCloud } from '../../core/test/cloud/small-cloud.ts';
import { Receiver } from './agent/agent-process.ts';
import { AgentWithin } from './agent/agent-within.ts';
import { eventually, made, openServer, type TestServer } from './server.ts';

describe('server: tracing', () => {
  const exporter = new InMemorySpanExporter();
  let server: TestServer;
  before(async () => {
    trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
    propagation.setGlobalPropagator(new W3CTraceContextPropagator());
    server = await openServer();
    await made(server, 'one');
  });
  after(async () => {
    await server.close();
    trace.disable();
    propagation.disable();
  });
  beforeEach(() => exporter.reset());

  const requests = () => exporter.getFinishedSpans().filter((span) => span.kind === SpanKind.SERVER);
  const only = async (): Promise<ReadableSpan> => {
    await eventually(() => requests().length > 0);
    expect(requests()).to.have.length(1);
    return requests()[0] as ReadableSpan;
  };

  it('has one span for each request, below the caller, and named after the route', async () => {
    const traceparent = '00-0123456789abcdef0123456789abcdef-0123456789abcdef-01';
    const { headers } = await server.ask('GET', '/v1/widgets/one?deleted=true', { headers: { traceparent, 'user-agent': 'test/1' } });
    const span = await only();
    expect(span.name).to.equal('GET /v1/widgets/{idOrName}');
    expect([span.spanContext().traceId, span.parentSpanContext?.spanId]).to.deep.equal([
      traceparent.slice(3, 35),
      traceparent.slice(36, 52),
    ]);
    expect(span.attributes).to.deep.equal({
      'http.request.method': 'GET',
      'http.response.status_code': 200,
      'http.route': '/v1/widgets/{idOrName}',
      'network.peer.address': '127.0.0.1',
      'network.protocol.version': '1.1',
      'pileus.request.id': headers.get('x-request-id'),
      'url.path': '/v1/widgets/one',
      'url.query': 'deleted=true',
      'url.scheme': 'http',
      'user_agent.original': 'test/1',
    });
    expect(span.status.code).to.equal(SpanStatusCode.UNSET);
  });

  it('leads from a request to the trace of the operation that it was accepted as', async () => {
    const { json } = await server.ask('POST', '/v1/widgets/one/spin-up', { headers: { prefer: 'wait=60' } });
    const span = await only();
    const operationTrace = json.operationId.replaceAll('-', '');
    expect(span.attributes).to.include({ 'pileus.operation.id': json.operationId, 'http.response.status_code': 200 });
    expect(span.links.map(({ context }) => context.traceId)).to.deep.equal([operationTrace]);
    const steps = exporter.getFinishedSpans().filter((each) => each.spanContext().traceId === operationTrace);
    expect(steps.map(({ name }) => name)).to.include('turn');
    expect(new Set(steps.map(({ parentSpanContext }) => parentSpanContext?.spanId))).to.deep.equal(
      new Set([span.links[0]?.context.spanId]),
    );
  });

  it('has a span for each step of an operation and for each call of a driver, in one trace, also across a crash', async () => {
    const at = await smallCloud();
    let crashed = false;
    at.sim.around = (point, body, sim) => {
      if (crashed || point.path !== 'start') return body();
      crashed = true;
      sim.crash();
      return new Promise(() => undefined);
    };
    exporter.reset();
    const { operationId } = await at.sim.submit('instance.create', machine(at));
    expect((await at.sim.ended(operationId)).state).to.equal('succeeded');
    expect(crashed).to.equal(true);
    const traceId = operationId.replaceAll('-', '');
    const spans = exporter.getFinishedSpans().filter((span) => span.spanContext().traceId === traceId);
    expect(spans.map(({ name }) => name)).to.include.members(['define', 'start', 'ready']);
    expect(spans.map(({ name }) => name)).to.include.members([
      'storage.volumes.create',
      'network.ensurePort',
      'hypervisor.define',
      'hypervisor.start',
    ]);
    for (const { name, attributes, parentSpanContext } of spans) {
      expect(parentSpanContext?.spanId, name).to.equal(traceId.slice(16));
      if (/^(hypervisor|storage|network)\./.test(name)) expect(attributes, name).to.have.property('pileus.place');
      else expect(attributes, name).to.have.property('pileus.phase', 'do');
    }
    at.sim.dispose();
  });

  it('tells what went wrong: what nobody serves has no route, and only faults of ours are errors', async () => {
    await server.ask('GET', '/v1/nothing');
    const lost = await only();
    expect([lost.name, lost.attributes['http.route'], lost.status.code]).to.deep.equal(['GET', undefined, SpanStatusCode.UNSET]);
    exporter.reset();
    server.workshop.failure = new CloudError('unavailable', 'Not now.');
    await server.ask('POST', '/v1/widgets/one/polish', { body: {} });
    server.workshop.failure = undefined;
    const failed = await only();
    expect([failed.attributes['error.type'], failed.status.code]).to.deep.equal(['503', SpanStatusCode.ERROR]);
  });

  it('does not tell what stands for a key', async () => {
    const socket = new WebSocket(`${server.url.replace('http', 'ws')}/v1/widgets/one/echo?ticket=sesame`);
    await once(socket, 'open');
    socket.close();
    const span = await only();
    expect(span.attributes).to.include({ 'url.path': '/v1/widgets/{id}/echo', 'http.response.status_code': 101 });
    expect(JSON.stringify(span.attributes)).not.to.include('sesame');
  });

  it('goes on in the agent that an operation commands, and with the outcome that is told, over restarts of the agent', async () => {
    const agent = await AgentWithin.start();
    const receiver = await Receiver.start(agent.controller);
    const environment = nodeEnvironment();
    const store = { incarnation: 'store', epoch: 1 };
    const link = agentLink({ identity: agent.controller, callbackUrl: receiver.url });
    const agents = new Agents({ environment, store, secrets: { digest: () => 'proof' } } as unknown as KernelServices, link);
    const requestId = new Ids(environment.clock, environment.random).mint('operation');
    const commandId = commandIdOf(requestId, 'inspect');
    const gone = new AbortController();
    const asked = agents
      .run(agent, commandId, { type: 'host.inspect', input: {} }, { requestId, signal: gone.signal, timeoutMs: 600_000 })
      .catch((error: unknown) => error);
    await eventually(() => agent.runs === 1);
    gone.abort(new Error('the server stops'));
    await asked;
    await agent.restart();
    await eventually(() => agent.runs === 2);
    agent.open();
    await eventually(() => exporter.getFinishedSpans().some(({ name }) => name === 'outcome'));
    const traceId = requestId.replaceAll('-', '');
    const spans = exporter.getFinishedSpans().filter((span) => span.attributes['pileus.command.id'] === commandId);
    const [command] = spans.filter(({ name }) => name === 'agent.host.inspect');
    expect([command?.kind, command?.parentSpanContext?.spanId]).to.deep.equal([SpanKind.CLIENT, traceId.slice(16)]);
    expect(command?.attributes['pileus.place']).to.equal(agent.url);
    const there = spans.filter((span) => span !== command);
    expect(there.map(({ name }) => name)).to.deep.equal(['host.inspect', 'host.inspect', 'outcome']);
    for (const span of there) expect(span.parentSpanContext?.spanId, span.name).to.equal(command?.spanContext().spanId);
    expect(new Set(spans.map((span) => span.spanContext().traceId))).to.deep.equal(new Set([traceId]));
    expect(receiver.traceparents).to.deep.equal([`00-${traceId}-${there[2]?.spanContext().spanId}-01`]);
    await receiver.close();
    await agent.close();
  });

  it('ends with the answer, not with its head', async () => {
    const gone = new AbortController();
    const response = await fetch(`${server.url}/v1/events`, { headers: { authorization: `Bearer ${server.key}` }, signal: gone.signal });
    await response.body?.getReader().read();
    expect(requests()).to.deep.equal([]);
    gone.abort();
    expect((await only()).name).to.equal('GET /v1/events');
  });
});
