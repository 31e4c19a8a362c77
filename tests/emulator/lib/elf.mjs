// Reads what the emulator needs from a 32-bit little-endian ARM ELF file: the bytes to load and the symbols.

import { readFileSync } from 'node:fs';

const MACHINE_ARM = 40;
const SEGMENT_LOAD = 1;
const SECTION_SYMBOLS = 2;

/** A firmware image: `segments` are loaded at their physical address, `symbols` maps linker names. */
export class Elf {
  constructor(path) {
    this.path = path;
    this.bytes = readBytes(path);
    this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength);
    this.checkHeader();
    this.segments = this.readSegments();
    this.symbols = this.readSymbols();
  }

  checkHeader() {
    const { bytes, view, path } = this;
    const magic = bytes.length > 52 && view.getUint32(0, false) === 0x7f454c46;
    if (!magic || bytes[4] !== 1 || bytes[5] !== 1 || view.getUint16(18, true) !== MACHINE_ARM) {
      throw new Error(
        `${path} is not a 32-bit ARM ELF file; give the file cargo writes for thumbv6m-none-eabi`,
      );
    }
  }

  readSegments() {
    const { bytes, view } = this;
    const offset = view.getUint32(28, true);
    const entrySize = view.getUint16(42, true);
    const segments = [];
    for (let i = 0; i < view.getUint16(44, true); i++) {
      const at = offset + i * entrySize;
      const start = view.getUint32(at + 4, true);
      const size = view.getUint32(at + 16, true);
      if (view.getUint32(at, true) === SEGMENT_LOAD && size > 0) {
        const address = view.getUint32(at + 12, true);
        segments.push({ address, data: bytes.subarray(start, start + size) });
      }
    }
    return segments;
  }

  readSymbols() {
    const { view } = this;
    const sections = view.getUint32(32, true);
    const entrySize = view.getUint16(46, true);
    const header = (index) => {
      const at = sections + index * entrySize;
      const word = (field) => view.getUint32(at + field, true);
      return { type: word(4), offset: word(16), size: word(20), link: word(24) };
    };
    const symbols = [];
    for (let i = 0; i < view.getUint16(48, true); i++) {
      const table = header(i);
      if (table.type !== SECTION_SYMBOLS) continue;
      const names = header(table.link);
      for (let at = table.offset; at < table.offset + table.size; at += 16) {
        const name = this.string(names.offset + view.getUint32(at, true));
        if (!name || name.startsWith('$')) continue;
        const address = view.getUint32(at + 4, true);
        const size = view.getUint32(at + 8, true);
        symbols.push({ name, path: demangle(name), address, size });
      }
    }
    return symbols;
  }

  string(offset) {
    const end = this.bytes.indexOf(0, offset);
    return Buffer.from(this.bytes.subarray(offset, end)).toString('latin1');
  }

  /**
   * The one symbol called `wanted`: its linker name, its Rust path, or the last segments of that path
   * (`MOTOR::WORDS` for `timing_loop::MOTOR::WORDS`).
   */
  symbol(wanted) {
    const found = this.symbols.filter(
      ({ name, path }) => name === wanted || path === wanted || path.endsWith(`::${wanted}`),
    );
    const addresses = new Set(found.map(({ address }) => address));
    if (addresses.size === 1) return found[0];
    if (addresses.size > 1) {
      const paths = found.map(({ path }) => path).join(', ');
      throw new Error(`symbol ${wanted} is ambiguous in ${this.path}: ${paths}`);
    }
    const last = wanted.split('::').pop().toLowerCase();
    const near = this.symbols.filter(({ path }) => path.toLowerCase().includes(last));
    const hint = near.slice(0, 8).map(({ path }) => path).join(', ') || 'no name resembles it';
    throw new Error(`no symbol ${wanted} in ${this.path} (${hint})`);
  }

  /** The name of the function at `address`, for messages. */
  nameAt(address) {
    let best;
    for (const symbol of this.symbols) {
      const start = symbol.address & ~1;
      const inside = address >= start && address < start + Math.max(symbol.size, 2);
      if (inside && (!best || start > (best.address & ~1))) best = symbol;
    }
    return best ? best.path : `0x${address.toString(16)}`;
  }
}

function readBytes(path) {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (error) {
    throw new Error(`cannot read ${path}: ${error.message}; build it with: cargo xtask emulate BIN`);
  }
}

/** The path in a mangled Rust name (legacy and v0), without crate hashes, generics and disambiguators. */
export function demangle(name) {
  if (name.startsWith('_ZN')) return legacyPath(name);
  if (name.startsWith('_R')) return v0Path(name);
  return name;
}

function legacyPath(name) {
  const segments = [];
  for (let at = 3; at < name.length && name[at] !== 'E'; ) {
    const digits = /^\d+/.exec(name.slice(at));
    if (!digits) return name;
    at += digits[0].length;
    segments.push(name.slice(at, at + Number(digits[0])));
    at += Number(digits[0]);
  }
  if (/^h[0-9a-f]{16}$/.test(segments.at(-1))) segments.pop();
  return segments.join('::');
}

function v0Path(name) {
  const segments = [];
  for (let at = 2; at < name.length; ) {
    const rest = name.slice(at);
    const disambiguator = /^s[0-9a-zA-Z]*_/.exec(rest);
    const ident = /^(\d+)_?/.exec(rest);
    if (ident) {
      const start = at + ident[0].length;
      at = start + Number(ident[1]);
      segments.push(name.slice(start, at));
    } else {
      at += disambiguator ? disambiguator[0].length : 1;
    }
  }
  return segments.length ? segments.join('::') : name;
}
