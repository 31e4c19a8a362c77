// Makes tiny firmware for the tests: a few Thumb instructions, a vector table, an ELF file with symbols.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const FLASH = 0x10000000;
const VECTORS = 0x10000100;
const CODE = 0x10000200;
const STACK = 0x20040000;
const CONDITIONS = { eq: 0, ne: 1, mi: 4, pl: 5, al: 14 };

/** Collects instructions; `label` names a place, `literal` loads any 32-bit constant. */
export class Program {
  constructor() {
    Object.assign(this, { halves: [], labels: {}, fixes: [], literals: [], vectors: {} });
  }

  label(name) {
    this.labels[name] = this.halves.length;
    return this;
  }

  put(...halves) {
    this.halves.push(...halves);
    return this;
  }

  movs(rd, value) { return this.put(0x2000 | (rd << 8) | value); }
  adds(rd, value) { return this.put(0x3000 | (rd << 8) | value); }
  subs(rd, value) { return this.put(0x3800 | (rd << 8) | value); }
  cmp(rd, value) { return this.put(0x2800 | (rd << 8) | value); }
  tst(rd, rm) { return this.put(0x4200 | (rm << 3) | rd); }
  str(rt, rn, offset = 0) { return this.put(0x6000 | ((offset / 4) << 6) | (rn << 3) | rt); }
  ldr(rt, rn, offset = 0) { return this.put(0x6800 | ((offset / 4) << 6) | (rn << 3) | rt); }
  bx(rm) { return this.put(0x4700 | (rm << 3)); }
  sev() { return this.put(0xbf40); }
  wfe() { return this.put(0xbf20); }
  wfi() { return this.put(0xbf30); }
  maskInterrupts() { return this.put(0xb672); }
  unmaskInterrupts() { return this.put(0xb662); }
  unmaskInterrupts() { return this.put(0xb662); }

  branch(label, condition = 'al') {
    this.fixes.push({ at: this.halves.length, label, condition });
    return this.put(0);
  }

  literal(rd, value) {
    this.literals.push({ at: this.halves.length, rd, value });
    return this.put(0);
  }

  /** `register ← value` at a memory address, through r0 and r1. */
  poke(address, value) {
    return this.literal(0, address).literal(1, value).str(1, 0);
  }

  /** The label that handles an exception number. */
  vector(number, label) {
    this.vectors[number] = label;
    return this;
  }

  bytes() {
    const code = this.halves.slice();
    for (const { at, label, condition } of this.fixes) {
      const delta = this.labels[label] - at - 2;
      code[at] = condition === 'al' ? 0xe000 | (delta & 0x7ff) : 0xd000 | (CONDITIONS[condition] << 8) | (delta & 0xff);
    }
    if (code.length % 2) code.push(0);
    for (const { at, rd, value } of this.literals) {
      const words = (code.length - ((at + 2) & ~1)) / 2;
      code[at] = 0x4800 | (rd << 8) | words;
      code.push(value & 0xffff, value >>> 16);
    }
    const image = new Uint8Array(CODE - FLASH + 2 * code.length);
    const view = new DataView(image.buffer);
    view.setUint32(VECTORS - FLASH, STACK, true);
    for (let number = 1; number < 48; number++) {
      const start = this.labels[number === 1 ? 'start' : this.vectors[number]];
      view.setUint32(VECTORS - FLASH + 4 * number, start === undefined ? 0 : (CODE + 2 * start) | 1, true);
    }
    code.forEach((half, index) => view.setUint16(CODE - FLASH + 2 * index, half, true));
    return image;
  }

  symbol(label) {
    return { address: (CODE + 2 * this.labels[label]) | 1, size: 2 };
  }
}

/** Writes an ELF file with one segment and the given symbols, and hands its path to `use`. */
export async function withElf(program, symbols, use) {
  const directory = mkdtempSync(join(tmpdir(), 'emulator-test-'));
  const path = join(directory, 'test.elf');
  try {
    writeFileSync(path, elf(program.bytes(), symbols));
    return await use(path);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function elf(image, symbols) {
  const names = ['', ...Object.keys(symbols)].join('\0') + '\0';
  const imageAt = 52 + 32;
  const symbolsAt = (imageAt + image.length + 3) & ~3;
  const namesAt = symbolsAt + 16 * Object.keys(symbols).length;
  const sectionsAt = (namesAt + names.length + 3) & ~3;
  const bytes = new Uint8Array(sectionsAt + 3 * 40);
  const view = new DataView(bytes.buffer);
  const words = (at, ...values) => values.forEach((value, index) => view.setUint32(at + 4 * index, value, true));
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  [2, 40].forEach((half, index) => view.setUint16(16 + 2 * index, half, true));
  words(20, 1, CODE, 52, sectionsAt, 0);
  [52, 32, 1, 40, 3, 0].forEach((half, index) => view.setUint16(40 + 2 * index, half, true));
  words(52, 1, imageAt, FLASH, FLASH, image.length, image.length, 5, 4);
  bytes.set(image, imageAt);
  let name = 1;
  Object.entries(symbols).forEach(([text, { address, size }], index) => {
    words(symbolsAt + 16 * index, name, address, size, 0x0001_0012);
    name += text.length + 1;
  });
  bytes.set(Buffer.from(names, 'latin1'), namesAt);
  words(sectionsAt + 40, 0, 2, 0, 0, symbolsAt, namesAt - symbolsAt, 2, 0, 4, 16);
  words(sectionsAt + 80, 0, 3, 0, 0, namesAt, names.length, 0, 0, 1, 0);
  return bytes;
}
