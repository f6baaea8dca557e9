import {
  context,
  isSpanContextValid,
  ProxyTracerProvider,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api';
import { describeChain } from './errors.ts';
import { isUuid } from './id.ts';

// The API is 1.9 and not newer: it takes no tracer that was registered through an older API than itself, and the SDKs of today come with 1.9.

/** What all spans of an operation are below, and what a span of something else links to: the id of the operation is the id of its trace. */
export function operationContext(operationId: string): SpanContext {
  const traceId = operationId.replaceAll('-', '');
  return { traceId, spanId: traceId.slice(16), traceFlags: TraceFlags.SAMPLED, isRemote: true };
}

/** What there is before an SDK is registered. */
const NOBODY = new ProxyTracerProvider().getDelegate();

/** Whether somebody hears of spans. An SDK may be registered at any time. */
function isTraced(): boolean {
  const provider = trace.getTracerProvider();
  return !(provider instanceof ProxyTracerProvider) || provider.getDelegate() !== NOBODY;
}

/**
 * Runs a piece of an operation under a span of its own. The id of the operation is the id of the trace: with any OpenTelemetry SDK registered, its
 * steps and its driver calls make one trace, also across restarts; without, this costs next to nothing.
 */
export function traced<T>(operationId: string, name: string, attributes: Record<string, string>, body: () => Promise<T>): Promise<T> {
  return isTraced() ? underSpan(contextOf(operationId), SpanKind.INTERNAL, name, attributes, body) : body();
}

/**
 * As `traced`, for what another program does: `body` gets the `traceparent` to send along, so that spans over there are below this one. Without an SDK here it
 * is the operation's own, since there may be one over there; undefined when there is neither an operation nor an SDK.
 */
export function tracedAway<T>(
  operationId: string,
  name: string,
  attributes: Record<string, string>,
  body: (traceparent: string | undefined) => Promise<T>,
): Promise<T> {
  return away(contextOf(operationId), name, attributes, body);
}

/** A piece of what another program has asked for, below what it sent as `traceparent`. Without that it is a trace of its own. */
export function tracedFor<T>(
  traceparent: string | undefined,
  name: string,
  attributes: Record<string, string>,
  body: () => Promise<T>,
): Promise<T> {
  return isTraced() ? underSpan(parseTraceparent(traceparent), SpanKind.INTERNAL, name, attributes, body) : body();
}

/** Both: asked for by another program, and told to one. */
export function tracedOn<T>(
  traceparent: string | undefined,
  name: string,
  attributes: Record<string, string>,
  body: (traceparent: string | undefined) => Promise<T>,
): Promise<T> {
  return away(parseTraceparent(traceparent), name, attributes, body);
}

function away<T>(
  parent: SpanContext | undefined,
  name: string,
  attributes: Record<string, string>,
  body: (traceparent: string | undefined) => Promise<T>,
): Promise<T> {
  if (!isTraced()) return body(parent === undefined ? undefined : traceparentOf(parent));
  return underSpan(parent, SpanKind.CLIENT, name, attributes, (span) => body(traceparentOf(span)));
}

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const VERSION = '00';
const INVALID_VERSION = 'ff';

const traceparentOf = ({ traceId, spanId, traceFlags }: SpanContext): string =>
  `${VERSION}-${traceId}-${spanId}-${(traceFlags & TraceFlags.SAMPLED).toString(16).padStart(2, '0')}`;

/** Undefined for what is none: a caller is never refused over it. Later versions begin as this one does. (W3C Trace Context) */
export function parseTraceparent(text: string | undefined): SpanContext | undefined {
  const [, version, traceId = '', spanId = '', flags = '', more] = TRACEPARENT.exec(text ?? '') ?? [];
  if (version === undefined || version === INVALID_VERSION || (version === VERSION && more !== undefined)) return undefined;
  const parsed = { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & TraceFlags.SAMPLED, isRemote: true };
  return isSpanContextValid(parsed) ? parsed : undefined;
}

const contextOf = (operationId: string): SpanContext | undefined => (isUuid(operationId) ? operationContext(operationId) : undefined);

async function underSpan<T>(
  parent: SpanContext | undefined,
  kind: SpanKind,
  name: string,
  attributes: Record<string, string>,
  body: (span: SpanContext) => Promise<T>,
): Promise<T> {
  const active = context.active();
  const below = parent === undefined ? active : trace.setSpanContext(active, parent);
  const span = trace.getTracer('pileus').startSpan(name, { kind, attributes }, below);
  try {
    return await body(span.spanContext());
  } catch (error) {
    span.setStatus({ code: SpanStatusCode.ERROR, message: describeChain(error) });
    throw error;
  } finally {
    span.end();
  }
}
