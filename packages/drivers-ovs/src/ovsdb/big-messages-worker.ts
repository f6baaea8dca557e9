/** The other side of `BigMessages`. */
import { parentPort } from 'node:worker_threads';
import { type Message, parseMessage, type RowUpdate, type TableUpdates } from './message.ts';

/** `turn` tells messages apart: slices are those of the last one alone. */
export type WorkerQuestion = { readonly turn: number; readonly bytes: Uint8Array } | { readonly turn: number };
export type WorkerAnswer =
  | { readonly failure: string }
  | { readonly message: Message; readonly sliced: 'params' | 'result' | undefined }
  | { readonly slice: TableUpdates | undefined };

const rowsOfSlice = 200;

let slices: Iterator<TableUpdates> | undefined;
let slicesOfTurn = 0;

function answer(question: WorkerQuestion): WorkerAnswer {
  if (!('bytes' in question))
    return question.turn === slicesOfTurn ? { slice: slices?.next().value } : { failure: 'another message has come meanwhile' };
  slicesOfTurn = question.turn;
  try {
    return cut(parseMessage(Buffer.from(question.bytes).toString()));
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) };
  }
}

/** Of a message with updates, which are the last of its result or parameters, all but the updates. */
function cut(message: Message): WorkerAnswer {
  const where = message.method === 'update3' ? 'params' : 'result';
  const list = message[where];
  const updates: unknown = Array.isArray(list) && list.length === 3 ? list[2] : undefined;
  if (!Array.isArray(list) || typeof updates !== 'object' || updates === null || typeof list[1] !== 'string')
    return { message, sliced: undefined };
  slices = slicesOf(updates as TableUpdates);
  return { message: { ...message, [where]: list.slice(0, 2) }, sliced: where };
}

function* slicesOf(updates: TableUpdates): Generator<TableUpdates, undefined, undefined> {
  for (const [table, rows] of Object.entries(updates)) {
    let slice: [string, RowUpdate][] = [];
    for (const row of Object.entries(rows)) {
      slice.push(row);
      if (slice.length < rowsOfSlice) continue;
      yield { [table]: Object.fromEntries(slice) };
      slice = [];
    }
    if (slice.length > 0) yield { [table]: Object.fromEntries(slice) };
  }
}

parentPort?.on('message', (question: WorkerQuestion) => parentPort?.postMessage(answer(question)));
