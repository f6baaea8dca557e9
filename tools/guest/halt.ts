const SECTOR_BYTES = 512;
const MESSAGE = 'PILEUS-GUEST-HALTED\r\n';

/** A boot sector, in 16-bit machine code: writes a line to the first serial port, then halts with interrupts off. */
export function haltBootSector(): Buffer {
  // The BIOS loads the sector at 0000:7c00; the message follows the 23 bytes of code.
  const code = Buffer.from([
    ...[0xfa], //                   cli
    ...[0xfc], //                   cld
    ...[0x31, 0xc0], //             xor ax, ax
    ...[0x8e, 0xd8], //             mov ds, ax
    ...[0xbe, 0x17, 0x7c], //       mov si, 0x7c17
    ...[0xba, 0xf8, 0x03], //       mov dx, 0x3f8
    ...[0xac], //             next: lodsb
    ...[0x84, 0xc0], //             test al, al
    ...[0x74, 0x03], //             jz stop
    ...[0xee], //                   out dx, al
    ...[0xeb, 0xf8], //             jmp next
    ...[0xf4], //             stop: hlt
    ...[0xeb, 0xfd], //             jmp stop
  ]);
  const sector = Buffer.alloc(SECTOR_BYTES);
  code.copy(sector);
  sector.write(MESSAGE, code.length, 'latin1');
  sector.writeUInt16LE(0xaa55, SECTOR_BYTES - 2);
  return sector;
}
