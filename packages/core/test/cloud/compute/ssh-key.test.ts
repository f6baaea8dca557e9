import { expect } from 'chai';
import fc from 'fast-check';
import { wholeKeys } from '../../../src/cloud/compute/ssh-key.ts';
import { isCloudError } from '../../../src/kernel/index.ts';
import { SSH_KEY } from './machine-stage.ts';

/** As ssh-keygen made them. */
const OTHERS = [
  'ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBDZAWtw3hCDz8kkBlfxgb53eaGONB0UQvWsxOhu0F5QvJ5PGDQxeK/PsOARbn5fqTBx8694i79L1OBZssiN8fXQ=',
  'ecdsa-sha2-nistp384 AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBMezHOts+yviiHY8xsYCIux/qvBU6HpH9+QTyJspco29BMrlHTaTQanKT4u/JJhHeKH1XDX4Wmtbag3VkqbzD8GzZrmz1CBEq4wSTtr/gMycqFrALgREmwSWqjD7YrjKgA==',
  'ecdsa-sha2-nistp521 AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAAAIbmlzdHA1MjEAAACFBABEYLhfUZ9FLlUELbV2EUL2toUzeoZDJPqGMxu+YUgvMVBoNP5FYOjLiUoGx2GUhwFD3i4m2Z8D/hxqc9NeCtZ9wwFWP3fPlWO31ZjA3DLmScNEKDHwU8iqPmWd1Xzkum4BRwuVbrkah0X8pTdhAEuL/CQzqpfUY/kvn4eQC4WAYth+gw==',
  'ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQCgfpwk4sixGHXohyaHYpVELM9WPdruPcqh1TcYsoEwuIvB/mI4apoBGW/gYU0I9KK3yBeTIqcd3AjKFZx+pgIKNzZI3SpuUXKc184Pr+VdB9M4U8942cMfKXe7SrPsopdXdHWGnEUAYgJPNCnfpszK6WEa2pGt7i9E8VZwTch1doSZv3xbJ2TN8phaU2FSeYOJiD3FqCmUrqpqbGzHMxDS8jOfIBJlKvFmVoEbBMyNtWNaG/3q3jYe18ynqPjIYWqzHnL6uToJ5vHV2fI0WNfvevOURNc/OMSfmwlld17ic529v8RpSEjO5f3Q7GBQSg3RUDBt5iM4wwWDQo9IosHt',
];

const refusal = (keys: readonly string[]): { readonly message: string; readonly pointer: string | undefined } => {
  try {
    wholeKeys(keys);
  } catch (error) {
    if (isCloudError(error) && error.code === 'invalid_input') return { message: error.publicMessage, pointer: error.pointer };
    throw error;
  }
  throw new Error(`taken: ${keys.join()}`);
};

describe('SSH keys of a machine', () => {
  it('are taken as .pub files hold them, and come without the line end', () => {
    const keys = [SSH_KEY, ...OTHERS].flatMap((key) => [key, `${key} me@example.org, "home" é`]);
    expect(wholeKeys(keys.map((key) => `${key}\n`))).to.deep.equal(keys);
  });

  for (const [what, text, message] of [
    ['any word', 'zzz', /begins with its type, one of ssh-ed25519, /],
    ['nothing', '', /begins with its type/],
    ['a key without its type', SSH_KEY.split(' ')[1] ?? '', /begins with its type/],
    ['a type alone', 'ssh-ed25519', /what follows ssh-ed25519/],
    ['a key of another type than it says', SSH_KEY.replace('ssh-ed25519 ', 'ssh-rsa '), /what follows ssh-rsa/],
    ['two keys at once', `${SSH_KEY}\n${SSH_KEY}`, /more than one line/],
    ['a private key', '-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n', /private key/],
  ] as const)
    it(`that are ${what} are refused by their place, and not repeated`, () => {
      const error = refusal([SSH_KEY, text]);
      expect(error.pointer).to.equal('/sshKeys/1');
      expect(error.message).to.match(message);
      if (text.includes('b3Bl')) expect(error.message).not.to.include('b3Bl');
    });

  it('that were cut anywhere are refused', () => {
    fc.assert(
      fc.property(fc.constantFrom(SSH_KEY, ...OTHERS), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (key, share) => {
        expect(refusal([key.slice(0, Math.floor(share * key.length))]).pointer).to.equal('/sshKeys/0');
      }),
    );
  });
});
