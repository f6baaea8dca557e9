import type { TestServer } from './server.ts';

export interface Event {
  readonly id: string;
  readonly type: string;
  readonly data: Record<string, unknown>;
}

/** Reads an event stream until it ends, is cut or the signal aborts. */
export async function readEvents(
  server: Pick<TestServer, 'url' | 'key'>,
  options: { readonly after: string; readonly kinds?: string; readonly signal?: AbortSignal; readonly onEvent?: (event: Event) => void },
): Promise<void> {
  try {
    const response = await fetch(
      `${server.url}/v1/events?${new URLSearchParams(options.kinds === undefined ? {} : { kinds: options.kinds })}`,
      {
        headers: { authorization: `Bearer ${server.key}`, 'last-event-id': options.after },
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      },
    );
    if (response.status !== 200) throw new Error(await response.text());
    let text = '';
    for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      const blocks = (text + chunk).split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) {
        const lines = new Map(block.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]));
        const data = lines.get('data');
        if (data !== undefined) options.onEvent?.({ id: lines.get('id') ?? '', type: lines.get('event') ?? '', data: JSON.parse(data) });
      }
    }
  } catch (error) {
    // A stream that is cut is what these tests are about; a refusal is not.
    if (error instanceof Error && (error.name === 'AbortError' || error.name === 'TimeoutError' || error.message === 'terminated')) return;
    throw error;
  }
}
