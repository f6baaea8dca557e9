import { context, ProxyTracerProvider, type SpanContext, SpanStatusCode, TraceFlags, trace } from '@opentelemetry/api';
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
  return isTraced() ? underSpan(operationId, name, attributes, body) : body();
}

async function underSpan<T>(operationId: string, name: string, attributes: Record<string, string>, body: () => Promise<T>): Promise<T> {
  const parent = isUuid(operationId) ? trace.setSpanContext(context.active(), operationContext(operationId)) : context.active();
  const span = trace.getTracer('pileus').startSpan(name, { attributes }, parent);
  try {
    return await body();
  } catch (error) {
    span.setStatus({ code: SpanStatusCode.ERROR, message: describeChain(error) });
    throw error;
  } finally {
    span.end();
  }
}
