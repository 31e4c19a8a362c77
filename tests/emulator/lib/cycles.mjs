// Counts the processor cycles of one call of a function, and those in which it keeps interrupts out.

const RETURN_TO = 0x20041e01; // a spare word of RAM near the end of the last bank
const EMPTY = 0x20041e10;
const BX_LR = 0x4770;
const LIMIT = 10_000_000;

/**
 * Calls each function `repeats` times and returns, by name, the first, smallest and largest number of cycles, net of
 * a call of the image's `bench_empty`, or of a bare return; and as `masked` the longest time with PRIMASK set, from
 * the instruction that sets it to the one that clears it. A name may have up to four numbers as arguments:
 * `bench_record(250)`. No interrupt comes during a call; code and data cost what the cycle model of rp2040js says (no
 * flash cache misses, no bank conflicts).
 */
export function measureCycles(board, names, repeats = 16) {
  const { chip, elf } = board;
  const kept = chip.readUint16(EMPTY);
  chip.writeUint16(EMPTY, BX_LR);
  const own = elf.symbols.find(({ name }) => name === 'bench_empty');
  const empty = call(board, own ? own.address & ~1 : EMPTY, []).spent;
  chip.writeUint16(EMPTY, kept);
  const results = {};
  for (const text of names) {
    const [, name, list] = /^([^(]*)(?:\((.*)\))?$/.exec(text) ?? [text, text];
    const words = list ? list.split(',').map(Number) : [];
    const { address } = elf.symbol(name);
    const calls = Array.from({ length: repeats }, () => call(board, address & ~1, words));
    const counts = calls.map(({ spent }) => spent - empty);
    const masked = Math.max(...calls.map(({ masked }) => masked));
    results[text] = { first: counts[0], min: Math.min(...counts), max: Math.max(...counts), masked };
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
  const { xPSR, PM, waiting, enabledInterrupts, pendingSystick, pendingPendSV } = core;
  const saved = { xPSR, PM, waiting, enabledInterrupts, pendingSystick, pendingPendSV };
  const registers = core.registers.slice();
  Object.assign(core, { PM: false, waiting: false, enabledInterrupts: 0, pendingSystick: false, pendingPendSV: false });
  core.LR = RETURN_TO;
  core.PC = address;
  core.SP = core.SP & ~7;
  core.registers.set(words.slice(0, 4));
  const start = core.cycles;
  let [since, masked] = [start, 0];
  while ((core.PC & ~1) !== (RETURN_TO & ~1)) {
    if (!core.PM) since = core.cycles;
    core.executeInstruction();
    if (core.PM) masked = Math.max(masked, core.cycles - since);
    if (core.cycles - start > LIMIT) board.fault(`a call did not return within ${LIMIT} cycles`);
  }
  const spent = core.cycles - start;
  core.registers.set(registers);
  Object.assign(core, saved);
  return { spent, masked };
}
