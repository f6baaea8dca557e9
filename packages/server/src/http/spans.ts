import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Attributes, type Context, context, propagation, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import type { ApiResponse, Route } from '@pileus/core/kernel';
import { operationContext } from '@pileus/core/kernel';

const tracer = trace.getTracer('pileus');

/**
 * One span for one request, as the semantic conventions for HTTP servers have it, below the caller's where the registered propagator finds one (`traceparent`).
 * A request that was accepted names its operation and links to the operation's trace. Without an OpenTelemetry SDK this costs next to nothing.
 */
export class RequestSpan {
  readonly #raw: IncomingMessage;
  readonly #span: Span;
  readonly #context: Context;

  constructor(raw: IncomingMessage, requestId: string, scheme: 'http' | 'https') {
    this.#raw = raw;
    const { method = '', httpVersion, headers } = raw;
    const caller = propagation.extract(context.active(), headers);
    const attributes: Attributes = {
      'http.request.method': method,
      'url.scheme': scheme,
      'network.protocol.version': httpVersion,
      'pileus.request.id': requestId,
    };
    this.#span = tracer.startSpan(method, { kind: SpanKind.SERVER, attributes }, caller);
    this.#context = trace.setSpan(caller, this.#span);
  }

  /** Whatever the body begins, other spans included, belongs to the request. */
  within<T>(body: () => T): T {
    return context.with(this.#context, body);
  }

  /** What was decided. The span ends when the whole of the answer has been sent, or nobody is left to send it to. */
  answered({ status, operationId }: Pick<ApiResponse, 'status' | 'operationId'>, route: Route | undefined, response: ServerResponse): void {
    const span = this.#span;
    if (!span.isRecording()) return;
    const { method = '', url = '', headers, socket } = this.#raw;
    const cut = url.indexOf('?');
    // Where a path or a query stands for a key, it is one.
    const isOpen = route?.permission === 'none';
    span.setAttributes({
      'http.response.status_code': status,
      'url.path': isOpen ? route.path : cut < 0 ? url : url.slice(0, cut),
      ...(cut < 0 || isOpen ? {} : { 'url.query': url.slice(cut + 1) }),
      ...(headers['user-agent'] === undefined ? {} : { 'user_agent.original': headers['user-agent'] }),
      ...(socket.remoteAddress === undefined ? {} : { 'network.peer.address': socket.remoteAddress }),
      ...(route === undefined ? {} : { 'http.route': route.path }),
    });
    if (route !== undefined) span.updateName(`${method} ${route.path}`);
    if (operationId !== undefined) {
      span.setAttribute('pileus.operation.id', operationId);
      span.addLink({ context: operationContext(operationId) });
    }
    if (status >= 500) span.setAttribute('error.type', String(status)).setStatus({ code: SpanStatusCode.ERROR });
    if (response.closed || status === 101) span.end();
    else response.once('close', () => span.end());
  }
}
