import { Document, visit } from 'yaml';

/** What steers a terminal (control characters but tabs and ends of lines), or shows a line in another order than it was written. */
const STEERING = /\r(?!\n)|[^\P{Cc}\r\n\t]|[\u202a-\u202e\u2066-\u2069]/gu;
const BREAKING = /[\r\n\t]/g;
const SHORT: Readonly<Record<string, string>> = { '\r': '\\r', '\n': '\\n', '\t': '\\t' };

const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** Text of others as a terminal may have it: what would move the cursor, or paint, is shown, e.g. as `\u001b`. */
export const printable = (text: string): string => text.replaceAll(STEERING, escaped);

/** The same within one line. */
export const onOneLine = (text: string): string => printable(text.replaceAll(BREAKING, (character) => SHORT[character] ?? character));

/** JSON that reads the same, and steers no terminal. */
export const asJson = (value: unknown, indent?: number): string => `${printable(JSON.stringify(value, null, indent))}\n`;

export function asYaml(value: unknown): string {
  const document = new Document(value);
  visit(document, {
    Scalar: (_, scalar) => {
      if (typeof scalar.value === 'string' && printable(scalar.value) !== scalar.value) scalar.type = 'QUOTE_DOUBLE';
    },
  });
  return printable(document.toString());
}
