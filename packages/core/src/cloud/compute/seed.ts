import { isoImage } from './iso-image.ts';

export interface SeedContent {
  readonly instanceId: string;
  readonly hostname: string;
  readonly sshKeys: readonly string[];
  /** Each is configured by DHCP: the addresses are the cloud's, and the network tells them. */
  readonly nics: readonly { readonly mac: string }[];
  /** As given: cloud-config, script, or multipart. */
  readonly userData?: string;
}

const text = new TextEncoder();

/** In double quotes, ASCII alone: readers of YAML refuse some characters, and fold others that they take for line breaks. */
const yamlText = (text: string): string =>
  JSON.stringify(text).replaceAll(/[^\x20-\x7e]/gu, (letter) => `\\U${(letter.codePointAt(0) ?? 0).toString(16).padStart(8, '0')}`);

/** What cloud-init's NoCloud source reads from a CD-ROM labelled `cidata`: https://cloudinit.readthedocs.io/en/latest/reference/datasources/nocloud.html */
export function noCloudSeed(content: SeedContent): Uint8Array {
  const metaData = [
    `instance-id: ${yamlText(content.instanceId)}`,
    `local-hostname: ${yamlText(content.hostname)}`,
    ...(content.sshKeys.length === 0 ? [] : ['public-keys:', ...content.sshKeys.map((key) => `  - ${yamlText(key)}`)]),
    '',
  ].join('\n');
  const networkConfig = [
    'version: 2',
    ...(content.nics.length === 0 ? ['ethernets: {}'] : ['ethernets:']),
    ...content.nics.flatMap(({ mac }, index) => [
      `  nic${index}:`,
      '    match:',
      `      macaddress: ${yamlText(mac)}`,
      '    dhcp4: true',
      '    dhcp6: true',
    ]),
    '',
  ].join('\n');
  return isoImage('cidata', [
    { name: 'meta-data', bytes: text.encode(metaData) },
    { name: 'user-data', bytes: text.encode(content.userData ?? '#cloud-config\n{}\n') },
    { name: 'network-config', bytes: text.encode(networkConfig) },
  ]);
}
