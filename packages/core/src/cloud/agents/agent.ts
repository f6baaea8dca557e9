import { Type } from 'typebox';
import { defineKind, ref } from '../../kernel/index.ts';

/** One a host at most: what no hypervisor and no switch does by itself. Without it the host works, and its machines have neither metadata nor a resolver. */
export const agent = defineKind({
  name: 'agent',
  plural: 'agents',
  description: 'The program on a host that serves its machines metadata and names, and whatever else needs somebody there.',
  scope: 'cloud',
  schema: Type.Object({
    hostId: ref('host', 'cascade'),
    url: Type.String({ maxLength: 512, pattern: '^https://[^/?#]+$', description: 'Where it listens, e.g. `https://192.0.2.7:7430`.' }),
    fingerprint: Type.String({
      pattern: '^[0-9a-f]{64}$',
      description: 'SHA-256 of its certificate, in lower-case hex: nobody else is taken for it.',
    }),
    status: Type.Union([Type.Literal('connecting'), Type.Literal('connected'), Type.Literal('lost')], {
      description: 'Whether it answers.',
    }),
    statusReason: Type.Optional(Type.String()),
    agentId: Type.Optional(Type.String({ description: 'Of its journal: another one has forgotten what it was told.' })),
    release: Type.Optional(Type.String({ description: 'That it runs.' })),
    contractVersion: Type.Optional(Type.Integer({ description: 'The newest version of the contract that both sides speak.' })),
    kernel: Type.Optional(Type.String({ description: 'Release of the kernel of its host.' })),
  }),
  states: { creating: ['available', 'deleted'], available: ['deleting'], deleting: ['deleted'] },
  initial: 'creating',
  unique: [['hostId'], ['fingerprint'], ['url']],
  indexed: ['status'],
});
