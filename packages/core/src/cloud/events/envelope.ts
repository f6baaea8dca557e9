import type { Change, JsonObject } from '../../kernel/index.ts';

/** What a change is told as, the same each time. */
export interface Envelope {
  readonly id: string;
  readonly body: string;
}

/**
 * A change as CloudEvents 1.0 has it, in structured JSON. The id is of the place in the feed of one life of the store: after a restore places are taken anew.
 */
export function envelopeOf(
  change: Change,
  ordinal: number,
  { incarnation, cloudId }: { readonly incarnation: string; readonly cloudId: string },
): Envelope {
  const { table: kind, key, type, revision, projectId } = change;
  const row = JSON.parse(change.row) as JsonObject;
  const id = `${incarnation.slice(0, 12)}-${revision}.${ordinal}`;
  const event = {
    specversion: '1.0',
    id,
    source: `urn:pileus:${cloudId}`,
    type: `pileus.${kind}.${type}`,
    subject: `${kind}/${key}`,
    time: row.updatedAt,
    datacontenttype: 'application/json',
    ...(projectId === undefined ? {} : { projectid: projectId }),
    data: { kind, id: key, revision, row },
  };
  return { id, body: JSON.stringify(event) };
}
