import { CloudError } from '../../kernel/index.ts';

/** What sshd takes by default. Keys of type `ssh-dss` it has not taken for years. */
const TYPES = [
  'ssh-ed25519',
  'ssh-rsa',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'sk-ssh-ed25519@openssh.com',
  'sk-ecdsa-sha2-nistp256@openssh.com',
];
const LENGTH_BYTES = 4;

/** The keys as guests get them: without the line end that a `.pub` file has. @throws CloudError invalid_input naming the first that is no OpenSSH public key */
export const wholeKeys = (given: readonly string[]): string[] =>
  given.map((key, index) => {
    const text = key.trim();
    const fault = faultOf(text);
    if (fault !== undefined) throw new CloudError('invalid_input', fault, { pointer: `/sshKeys/${index}` });
    return text;
  });

/** What is wrong with it; the text itself is not repeated, for it may be a private key. */
function faultOf(text: string): string | undefined {
  if (text.startsWith('-----BEGIN'))
    return 'This is a private key. Give the public one, from the file that ends with .pub, and keep this to yourself.';
  if (/\p{Cc}/u.test(text.replaceAll('\t', ' '))) return 'This is more than one line. Give each public key on its own.';
  const [type = '', blob = ''] = text.split(/[ \t]+/, 2);
  if (!TYPES.includes(type)) return `This is no OpenSSH public key: it begins with its type, one of ${TYPES.join(', ')}.`;
  return isKeyOf(type, blob) ? undefined : `This is no whole OpenSSH public key: what follows ${type} is not such a key in base64.`;
}

/** RFC 4253, 6.6: fields with their lengths before them, the first of which is the type. A key that was cut ends within one. */
function isKeyOf(type: string, blob: string): boolean {
  const bytes = Buffer.from(blob, 'base64');
  if (bytes.toString('base64') !== blob) return false;
  const fields: Buffer[] = [];
  let at = 0;
  while (at + LENGTH_BYTES <= bytes.length) {
    const end = at + LENGTH_BYTES + bytes.readUInt32BE(at);
    if (end > bytes.length) return false;
    fields.push(bytes.subarray(at + LENGTH_BYTES, end));
    at = end;
  }
  return at === bytes.length && fields.length > 1 && fields[0]?.toString() === type;
}
