import { context, type Span, SpanStatusCode, TraceFlags, trace } from '@opentelemetry/api';
import { describeChain } from './errors.ts';

/**
 * Runs a piece of an operation under a span of its own. The id of the operation is the id of the trace: with any OpenTelemetry SDK registered, one request,
 * its steps and its driver calls make one trace, also across restarts; without, this costs next to nothing.
 */
export async function traced<T>(
  operationId: string,
  name: string,
  attributes: Record<string, string>,
  body: (span: Span) => Promise<T>,
): Promise<T> {
  const traceId = operationId.replaceAll('-', '');
  const parent = /^[0-9a-f]{32}$/.test(traceId)
    ? trace.setSpanContext(context.active(), { traceId, spanId: traceId.slice(16), traceFlags: TraceFlags.SAMPLED, isRemote: true })
    : context.active();
  const span = trace.getTracer('pileus').startSpan(name, { attributes }, parent);
  try {
    return await body(span);
  } catch (error) {
    span.setStatus({ code: SpanStatusCode.ERROR, message: describeChain(error) });
    throw error;
  } finally {
    span.end();
  }
}
