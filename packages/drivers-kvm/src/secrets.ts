import { createHash } from 'node:crypto';
import type { SecretUse } from '@pileus/core/strategy';
import type { Deadline } from './deadline.ts';
import { DriverError } from './driver-error.ts';
import { except } from './faults.ts';
import type { LibvirtApi } from './libvirt/index.ts';
import { type Element, element, render } from './xml/element.ts';

/** What libvirt calls secrets of disks and of Ceph: it gives each to nothing but what it was defined for. */
const USAGE = {
  ceph: { type: 2, element: (ref: string) => element('usage', { type: 'ceph' }, element('name', {}, ref)) },
  luks: { type: 1, element: (ref: string) => element('usage', { type: 'volume' }, element('volume', {}, ref)) },
} as const satisfies Record<SecretUse, { readonly type: number; readonly element: (ref: string) => Element }>;

/** Keeps a secret on the host, over restarts, for QEMU alone: no client is shown it. Again with another value replaces it. */
export async function putSecret(
  api: LibvirtApi,
  { ref, value, use }: { readonly ref: string; readonly value: string; readonly use: SecretUse },
  deadline: Deadline,
): Promise<void> {
  const bytes = use === 'ceph' ? keyBytes(ref, value) : Buffer.from(value);
  const uuid = secretUuid(ref);
  const xml = render(
    element(
      'secret',
      { ephemeral: 'no', private: 'yes' },
      element('uuid', {}, uuid),
      element('description', {}, 'Given by pileus, for disks of machines'),
      USAGE[use].element(ref),
    ),
  );
  await api.secretDefineXml({ xml }, deadline.left);
  await api.secretSetValue({ secret: { uuid, usageType: USAGE[use].type, usageId: ref }, value: bytes }, deadline.left);
}

/** Absent is done. Of which use it is does not matter: libvirt goes by the number. */
export const deleteSecret = (api: LibvirtApi, ref: string, deadline: Deadline): Promise<void> =>
  except(
    ['noSecret'],
    () => api.secretUndefine({ secret: { uuid: secretUuid(ref), usageType: USAGE.ceph.type, usageId: ref } }, deadline.left),
    () => {},
  );

/** As libvirt knows it. Its number follows from the reference, so that whoever puts it finds the one of before. */
export function secretUuid(ref: string): string {
  const digest = createHash('sha256').update(`pileus secret\0${ref}`).digest();
  digest[6] = ((digest[6] ?? 0) & 0x0f) | 0x80;
  digest[8] = ((digest[8] ?? 0) & 0x3f) | 0x80;
  return digest.toString('hex', 0, 16).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** `<encryption>` of a volume or of a disk. */
export const encryptionElement = (secretRef: string): Element =>
  element('encryption', { format: 'luks' }, element('secret', { type: 'passphrase', uuid: secretUuid(secretRef) }));

/** libvirt takes what a key encodes, and encodes it itself for QEMU. The message never shows the value. */
function keyBytes(ref: string, value: string): Uint8Array {
  const bytes = Buffer.from(value, 'base64');
  if (bytes.length === 0 || bytes.toString('base64') !== value) throw new DriverError('invalid', `the value of ${ref} is no key of Ceph`);
  return bytes;
}
