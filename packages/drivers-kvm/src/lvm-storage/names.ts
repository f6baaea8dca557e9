/**
 * A volume is a logical volume, of which there may have been several attempts: each has a number of its own in its name, and only one counts, the one that the
 * mark tells. The mark is a file that is made once, at the end, and never changed: as many KiB long as the number says.
 */
const UUID = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';
const ATTEMPT = new RegExp(`^volume-(${UUID})\\.([1-9][0-9]{0,8})$`);
const MARK = new RegExp(`^volume-(${UUID})\\.mark$`);
const MARK_UNIT_BYTES = 1024;

export interface Attempt {
  readonly id: string;
  readonly number: number;
}

export const attemptName = ({ id, number }: Attempt): string => `volume-${id}.${number}`;
export const markName = (id: string): string => `volume-${id}.mark`;

export const markBytes = (number: number): number => number * MARK_UNIT_BYTES;
export const numberOfMark = (sizeBytes: number): number => Math.floor(sizeBytes / MARK_UNIT_BYTES);

export function readAttempt(name: string): Attempt | undefined {
  const [, id, number] = ATTEMPT.exec(name) ?? [];
  return id === undefined ? undefined : { id, number: Number(number) };
}

/** The id of the volume whose mark it is. */
export const readMark = (name: string): string | undefined => MARK.exec(name)?.[1];
