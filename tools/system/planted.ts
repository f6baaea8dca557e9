import { DatabaseSync } from 'node:sqlite';

/** The names of the secrets that a content holds in one form or another. */
export function plantedIn(planted: Readonly<Record<string, string>>, content: Buffer | string): readonly string[] {
  const bytes = Buffer.from(content);
  return Object.entries(planted).flatMap(([what, secret]) => (formsOf(secret).some((form) => bytes.includes(form)) ? [what] : []));
}

/** The forms in which a text may be written down: as it is, for URLs, in hexadecimal, in base64 at each of the three alignments, and as what it encodes. */
function formsOf(text: string): readonly (string | Buffer)[] {
  const aligned = [0, 1, 2].map((shift) => {
    const encoded = Buffer.from(' '.repeat(shift) + text)
      .toString('base64url')
      .replace(/=+$/, '');
    return encoded.slice(shift === 0 ? 0 : 4, -4);
  });
  const standard = aligned.map((form) => form.replaceAll('-', '+').replaceAll('_', '/'));
  const decoded = /^[A-Za-z0-9+/]{60,}=*$/.test(text) ? [Buffer.from(text, 'base64')] : [];
  return [text, encodeURIComponent(text), Buffer.from(text).toString('hex'), ...aligned, ...standard, ...decoded];
}

/** Everything that SQLite reads from a file, as one text for each table. */
export function tablesOf(path: string): Readonly<Record<string, string>> {
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    const names = db
      .prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")
      .all()
      .map(({ name }) => String(name));
    const text = (value: unknown): string => (value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : String(value));
    return Object.fromEntries(
      names.map((name) => [
        name,
        db
          .prepare(`SELECT * FROM "${name}"`)
          .all()
          .map((row) => Object.values(row).map(text).join(' '))
          .join('\n'),
      ]),
    );
  } finally {
    db.close();
  }
}
