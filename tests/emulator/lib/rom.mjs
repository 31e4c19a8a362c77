// The few boot ROM functions that firmware calls after start-up, written from their published contracts (RP2040
// datasheet, 2.8.3). The real ROM is not part of the emulator's package; with these, the flash driver of embassy-rp
// and rp-hal reads the unique id, erases and programs as it does on a board.

const CODE = 0x40;
const TABLE = 0x200;

const RETURN = 0x4770; // bx lr

/** Thumb code by ROM table code; the comments are the instructions. */
const FUNCTIONS = {
  IF: [RETURN], // connect_internal_flash
  EX: [RETURN], // flash_exit_xip
  FC: [RETURN], // flash_flush_cache
  CX: [RETURN], // flash_enter_cmd_xip
  C4: [0x3a04, 0xd402, 0x588b, 0x5083, 0xe7fa, RETURN], // 1: subs r2,#4; bmi 2f; ldr r3,[r1,r2]; str r3,[r0,r2]; b 1b; 2:
  MC: [0x3a01, 0xd402, 0x5c8b, 0x5483, 0xe7fa, RETURN], // 1: subs r2,#1; bmi 2f; ldrb r3,[r1,r2]; strb r3,[r0,r2]; b 1b; 2:
  MS: [0x3a01, 0xd401, 0x5481, 0xe7fb, RETURN], // 1: subs r2,#1; bmi 2f; strb r1,[r0,r2]; b 1b; 2:
  // flash_range_erase(offset, count): movs r3,#16; lsls r3,#24; adds r0,r3; movs r2,#0xff; 1: subs r1,#1; bmi 2f; strb r2,[r0,r1]; b 1b; 2:
  RE: [0x2310, 0x061b, 0x18c0, 0x22ff, 0x3901, 0xd401, 0x5442, 0xe7fb, RETURN],
  // flash_range_program(offset, data, count): movs r3,#16; lsls r3,#24; adds r0,r3; then as MC
  RP: [0x2310, 0x061b, 0x18c0, 0x3a01, 0xd402, 0x5c8b, 0x5483, 0xe7fa, RETURN],
};

/** rom_table_lookup(table, code): 1: ldrh r2,[r0]; cmp r2,#0; beq 3f; cmp r2,r1; beq 2f; adds r0,#4; b 1b; 2: ldrh r0,[r0,#2]; bx lr; 3: movs r0,#0; bx lr */
const LOOKUP = [0x8802, 0x2a00, 0xd005, 0x428a, 0xd001, 0x3004, 0xe7f8, 0x8840, RETURN, 0x2000, RETURN];

/** Writes the ROM into the chip. */
export function installRom(chip) {
  const rom = new Uint16Array(chip.bootrom.buffer, chip.bootrom.byteOffset, 0x2000);
  let at = CODE;
  const place = (code) => {
    const start = at;
    for (const half of code) {
      rom[at / 2] = half;
      at += 2;
    }
    at = (at + 3) & ~3;
    return start | 1;
  };
  rom[0x10 / 2] = 0x754d; // "Mu"
  rom[0x12 / 2] = 0x0301; // version 3
  rom[0x18 / 2] = place(LOOKUP);
  rom[0x14 / 2] = TABLE;
  let entry = TABLE / 2;
  for (const [code, body] of Object.entries(FUNCTIONS)) {
    rom[entry++] = code.charCodeAt(0) | (code.charCodeAt(1) << 8);
    rom[entry++] = place(body);
  }
  rom[entry] = 0;
  rom[0x16 / 2] = entry * 2; // an empty data table
}
