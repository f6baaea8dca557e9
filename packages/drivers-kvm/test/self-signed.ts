import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A certificate for 127.0.0.1 and its key, in PEM, new each time; `locked` is the key with a passphrase. */
export async function selfSigned(): Promise<{ readonly cert: string; readonly key: string; readonly locked: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'pileus-certificate-'));
  const [cert, key, locked] = ['cert.pem', 'key.pem', 'locked.pem'].map((name) => join(directory, name)) as [string, string, string];
  const made = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', cert];
  try {
    await run('openssl', ['req', '-x509', '-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2', ...made]);
    await run('openssl', ['pkcs8', '-topk8', '-in', key, '-passout', 'pass:x', '-out', locked]);
    return { cert: await readFile(cert, 'utf8'), key: await readFile(key, 'utf8'), locked: await readFile(locked, 'utf8') };
  } finally {
    await rm(directory, { recursive: true });
  }
}
