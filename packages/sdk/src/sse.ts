/** One message of a `text/event-stream`. One with an id and no data only moves the place to resume from. */
export interface ServerSentEvent {
  readonly id: string | undefined;
  readonly event: string;
  readonly data: string;
}

/** Splits a byte stream into its events (WHATWG server-sent events). What is left when the stream ends without a blank line is dropped: it may be cut. */
export async function* serverSentEvents(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<ServerSentEvent> {
  const decoder = new TextDecoder();
  let rest = '';
  let fields: Fields = empty();
  for await (const chunk of bytes) {
    rest += decoder.decode(chunk, { stream: true });
    // A carriage return at the very end may be half of a line end.
    const complete = rest.endsWith('\r') ? rest.slice(0, -1) : rest;
    const lines = complete.split(/\r\n|\r|\n/);
    rest = (lines.pop() ?? '') + rest.slice(complete.length);
    for (const line of lines) {
      if (line !== '') {
        readLine(line, fields);
        continue;
      }
      if (fields.id !== undefined || fields.data.length > 0)
        yield { id: fields.id, event: fields.event ?? 'message', data: fields.data.join('\n') };
      fields = empty();
    }
  }
}

interface Fields {
  id: string | undefined;
  event: string | undefined;
  data: string[];
}
const empty = (): Fields => ({ id: undefined, event: undefined, data: [] });

function readLine(line: string, fields: Fields): void {
  const colon = line.indexOf(':');
  if (colon === 0) return;
  const name = colon < 0 ? line : line.slice(0, colon);
  const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
  if (name === 'data') fields.data.push(value);
  else if (name === 'id') fields.id = value;
  else if (name === 'event') fields.event = value;
}
