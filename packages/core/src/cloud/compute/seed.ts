import type { NicConfig } from '../network/contract.ts';
import { isoImage } from './iso-image.ts';

export interface SeedContent {
  readonly instanceId: string;
  readonly hostname: string;
  readonly sshKeys: readonly string[];
  /** The addresses are the cloud's. Without `config` the network tells them, by DHCP. */
  readonly nics: readonly { readonly mac: string; readonly config?: NicConfig }[];
  /** As given: cloud-config, script, or multipart. */
  readonly userData?: string;
}

const text = new TextEncoder();

/** In double quotes, ASCII alone: readers of YAML refuse some characters, and fold others that they take for line breaks. */
const yamlText = (text: string): string =>
  JSON.stringify(text).replaceAll(/[^\x20-\x7e]/gu, (letter) => `\\U${(letter.codePointAt(0) ?? 0).toString(16).padStart(8, '0')}`);

/** One way out: the machine's first NIC has it, as it is the others whose networks are beside. */
function configLines({ addresses, gateways, routes, dnsServers, domain, mtuBytes }: NicConfig, leadsOut: boolean): readonly string[] {
  const listed = (texts: readonly string[]) => `[${texts.map(yamlText).join(', ')}]`;
  const defaults = gateways.map((nextHop) => ({ destination: nextHop.includes(':') ? '::/0' : '0.0.0.0/0', nextHop }));
  const ways = [...routes, ...(leadsOut ? defaults : [])];
  return [
    '    dhcp4: false',
    '    dhcp6: false',
    `    addresses: ${listed(addresses)}`,
    ...(mtuBytes === undefined ? [] : [`    mtu: ${mtuBytes}`]),
    ...(ways.length === 0 ? [] : ['    routes:']),
    ...ways.flatMap(({ destination, nextHop }) => [`      - to: ${yamlText(destination)}`, `        via: ${yamlText(nextHop)}`]),
    '    nameservers:',
    `      addresses: ${listed(dnsServers)}`,
    ...(domain === undefined ? [] : [`      search: ${listed([domain])}`]),
  ];
}

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
    ...content.nics.flatMap(({ mac, config }, index) => [
      `  nic${index}:`,
      '    match:',
      `      macaddress: ${yamlText(mac)}`,
      ...(config === undefined ? ['    dhcp4: true', '    dhcp6: true'] : configLines(config, index === 0)),
    ]),
    '',
  ].join('\n');
  return isoImage('cidata', [
    { name: 'meta-data', bytes: text.encode(metaData) },
    { name: 'user-data', bytes: text.encode(content.userData ?? '#cloud-config\n{}\n') },
    { name: 'network-config', bytes: text.encode(networkConfig) },
  ]);
}
