import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const SCHEMAS = '/usr/share/libvirt/schemas';

/** Rejects with what libvirt's own schema says against any of the documents. */
export async function validate(
  schema: 'domain' | 'network' | 'storagepool' | 'storagevol',
  documents: Readonly<Record<string, string>>,
): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'pileus-schema-'));
  try {
    const paths = Object.keys(documents).map((name) => join(dir, `${name}.xml`));
    await Promise.all(Object.values(documents).map((text, at) => writeFile(paths[at] ?? '', text)));
    await promisify(execFile)('xmllint', ['--noout', '--relaxng', join(SCHEMAS, `${schema}.rng`), ...paths]);
  } finally {
    await rm(dir, { recursive: true });
  }
}
