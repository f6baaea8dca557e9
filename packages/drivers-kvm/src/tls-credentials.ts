import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { HostEndpoint } from '@pileus/core/strategy';

type Credentials = NonNullable<HostEndpoint['tls']>;

/** What is wrong with credentials, without a word of what they hold; undefined when a connection can be tried with them. */
export function faultOf({ ca, cert, key }: Credentials): string | undefined {
  if (parsed(() => new X509Certificate(ca)) === undefined) return 'ca holds no certificate in PEM';
  const certificate = parsed(() => new X509Certificate(cert));
  if (certificate === undefined) return 'cert holds no certificate in PEM';
  const privateKey = parsed(() => createPrivateKey(key));
  if (privateKey === undefined) return 'key holds no private key in PEM, or one with a passphrase';
  return certificate.checkPrivateKey(privateKey) ? undefined : 'key is not that of the certificate in cert';
}

function parsed<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch {
    return undefined;
  }
}
