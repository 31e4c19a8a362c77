// Counts the processor cycles of one call of a function.

const RETURN_TO = 0x20041e01; // a spare word of RAM near the end of the last bank
const EMPTY = 0x20041e10;
const BX_LR = 0x4770;
const LIMIT = 10_000_000;

/**
 * Calls each function `repeats` times and returns, by name, the first, smallest and largest number of cycles, net of
 * a call of the image's `bench_empty`, or of a bare return. A name may have up to four numbers as arguments:
 * `bench_record(250)`. Interrupts are masked for the time of a call; code and data cost what the cycle model of
 * rp2040js says (no flash cache misses, no bank conflicts).
 */
export function measureCycles(board, names, repeats = 16) {
  const { chip, elf } = board;
  const kept = chip.readUint16(EMPTY);
  chip.writeUint16(EMPTY, BX_LR);
  const own = elf.symbols.find(({ name }) => name === 'bench_empty');
  const empty = call(board, own ? own.address & ~1 : EMPTY, []);
  chip.writeUint16(EMPTY, kept);
  const results = {};
  for (const text of names) {
    const [, name, list] = /^([^(]*)(?:\((.*)\))?$/.exec(text) ?? [text, text];
    const words = list ? list.split(',').map(Number) : [];
    const { address } = elf.symbol(name);
    const counts = Array.from({ length: repeats }, () => call(board, address & ~1, words) - empty);
    results[text] = { first: counts[0], min: Math.min(...counts), max: Math.max(...counts) };
  }
  return results;
}

/** The names of all functions of an image that start with `prefix`. */
export function functionsNamed(elf, prefix) {
  const names = elf.symbols.map(({ name }) => name).filter((name) => name.startsWith(prefix));
  return [...new Set(names)].sort();
}

function call(board, address, words) {
  const { core } = board.chip;
  const saved = { registers: core.registers.slice(), flags: core.xPSR, masked: core.PM, waiting: core.waiting };
  core.PM = true;
  core.waiting = false;
  core.LR = RETURN_TO;
  core.PC = address;
  core.SP = core.SP & ~7;
  core.registers.set(words.slice(0, 4));
  const start = core.cycles;
  while ((core.PC & ~1) !== (RETURN_TO & ~1)) {
    core.executeInstruction();
    if (core.cycles - start > LIMIT) board.fault(`a call did not return within ${LIMIT} cycles`);
  }
  const spent = core.cycles - start;
  core.registers.set(saved.registers);
  core.xPSR = saved.flags;
  core.PM = saved.masked;
  core.waiting = saved.waiting;
  return spent;
}
