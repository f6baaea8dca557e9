import type { DeletionPreview } from '@pileus/sdk';
import { type Format, formatRows } from './format.ts';

export interface DeletionFlags {
  readonly preview?: boolean;
  readonly yes?: boolean;
}

type Effect = DeletionPreview['deleted' | 'detached' | 'blocked'];
type Shown = { readonly effect: string; readonly kind: string; readonly name: string; readonly why: string; readonly id: string };

/** `delete --preview`: a line for each row, the counts, and the plan. */
export function formatPreview(preview: DeletionPreview, format: Format, width?: number): string {
  if (format !== 'table') return formatRows([{ ...preview }], format, []);
  const rows: Shown[] = [
    ...preview.deleted.rows.map((row) => ({ ...row, effect: 'deleted', why: row.state })),
    ...preview.detached.rows.map((row) => ({ ...row, effect: 'detached', why: row.field })),
    ...preview.blocked.rows.map((row) => ({ ...row, effect: 'in the way', why: row.reason })),
  ];
  const text = formatRows(rows, format, ['effect', 'kind', 'name', 'id', 'why'], width);
  return `${text}\n${describeEffects(preview)}\n${preview.plan === undefined ? '' : `plan ${preview.plan}\n`}`;
}

/** `Deleted: 1 instance, 2 volumes. Detached: 1 volume.` */
export function describeEffects({ deleted, detached, blocked, recoverable }: DeletionPreview): string {
  const parts = { [recoverable ? 'Into the trash' : 'Deleted']: deleted, Detached: detached, 'In the way': blocked };
  const told = Object.entries(parts).filter(([, { total, hidden }]) => total > 0 || hidden);
  return told.map(([title, effect]) => `${title}: ${counted(effect)}.`).join(' ');
}

const counted = ({ kinds, hidden }: Effect): string =>
  [
    ...kinds.map(({ kind, total }) => `${total} ${kind}${total === 1 ? '' : /s$/.test(kind) ? 'es' : 's'}`),
    ...(hidden ? ['more that this key may not see'] : []),
  ].join(', ');

/** More than the thing itself goes, or something is let go of. */
export const takesMore = ({ deleted, detached }: DeletionPreview): boolean =>
  deleted.total > 1 || deleted.hidden || detached.total > 0 || detached.hidden;
