import type { ByteStream } from '@pileus/core/strategy';

/** Reads a console until it has said `text`, hangs up, and gives all that it said. The test's own time-out bounds it. */
export async function readUntil(stream: ByteStream | undefined, text: string): Promise<string> {
  if (stream === undefined) throw new Error('the driver offers no such console');
  const decoder = new TextDecoder();
  let said = '';
  for await (const piece of stream.readable) {
    said += decoder.decode(piece, { stream: true });
    if (said.includes(text)) break;
  }
  return said;
}
