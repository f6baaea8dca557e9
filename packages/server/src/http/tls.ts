import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { createSecureContext } from 'node:tls';
import { dependingOn } from '../config/load.ts';

export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/**
 * The certificate chain and its key, in PEM, as a server can use them. `within` is where the configuration names the files.
 * @throws ConfigError naming the key of the configuration and the file
 */
export async function readTls(
  files: TlsFiles,
  directory: string,
  within = 'listen.tls',
): Promise<{ readonly cert: string; readonly key: string }> {
  const [inCert, inKey] = [`${within}.certFile`, `${within}.keyFile`];
  const [certFile, keyFile] = [resolve(directory, files.certFile), resolve(directory, files.keyFile)];
  const cert = await dependingOn(inCert, readFile(certFile, 'utf8'));
  const key = await dependingOn(inKey, readFile(keyFile, 'utf8'));
  const certificate = await dependingOn(inCert, certificateIn(cert, certFile));
  const privateKey = await dependingOn(inKey, keyIn(key, keyFile));
  await dependingOn(inKey, fits(certificate, privateKey, keyFile, certFile));
  // What follows the first certificate has not been looked at yet.
  await dependingOn(inCert, usable(cert, key, certFile));
  return { cert, key };
}

async function certificateIn(text: string, file: string): Promise<X509Certificate> {
  try {
    return new X509Certificate(text);
  } catch (cause) {
    throw new Error(`${file} holds no certificate in PEM`, { cause });
  }
}

async function keyIn(text: string, file: string): Promise<KeyObject> {
  try {
    return createPrivateKey(text);
  } catch (cause) {
    const isLocked = /^(-----BEGIN ENCRYPTED |Proc-Type: 4,ENCRYPTED)/m.test(text);
    throw new Error(isLocked ? `the key in ${file} has a passphrase; give it without` : `${file} holds no private key in PEM`, { cause });
  }
}

async function fits(certificate: X509Certificate, key: KeyObject, keyFile: string, certFile: string): Promise<void> {
  if (!certificate.checkPrivateKey(key)) throw new Error(`the key in ${keyFile} is not that of the certificate in ${certFile}`);
}

async function usable(cert: string, key: string, file: string): Promise<void> {
  try {
    createSecureContext({ cert, key });
  } catch (cause) {
    throw new Error(`the certificate chain in ${file} cannot be used`, { cause });
  }
}
