// The board, with tiny programs: each test says what would be broken if it failed.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Board, Fault } from '../lib/board.mjs';
import { measureCycles } from '../lib/cycles.mjs';
import { Elf } from '../lib/elf.mjs';
import { Program, withElf } from '../support/assemble.mjs';

const UART0 = 0x40034000;
const WATCHDOG_SCRATCH0 = 0x4005800c;
const WATCHDOG = 0x40058000;
const RANDOM_BIT = 0x4006001c;
const AIRCR = 0xe000ed0c;
const NVIC_ENABLE = 0xe000e100;
const NVIC_PEND = 0xe000e200;
const NVIC_PRIORITY = 0xe000e400;
const TIMER = 0x40054000;
const COUNTER = 0x20000100;

/** Runs a program for some seconds of simulated time and hands the board to `look`. */
async function onBoard(program, seconds, look, options = {}) {
  const symbols = { COUNTER: { address: COUNTER, size: 4 } };
  return withElf(program, symbols, (path) => {
    const board = new Board(new Elf(path), options);
    board.runTo(seconds * 1e9);
    return look(board);
  });
}

const counted = (board) => board.chip.readUint32(COUNTER);

/** A program that counts up at COUNTER, from r0 = address, through r1. */
const countUp = (program) => program.literal(0, COUNTER).ldr(1, 0).adds(1, 1).str(1, 0);

/** Sets UART0 to 115200 baud with FIFOs. */
function openUart(program) {
  for (const [register, value] of [[0x24, 67], [0x28, 52], [0x2c, 0x70], [0x30, 0x301]]) {
    program.poke(UART0 + register, value);
  }
  return program;
}

test('bytes take the time that the baud rate says', async () => {
  // Sends 100 bytes, waiting while the FIFO is full, then counts how often the UART is still busy.
  const program = openUart(new Program().label('start'))
    .literal(0, UART0).movs(2, 100).movs(4, 0x20)
    .label('send').ldr(3, 0, 0x18).tst(3, 4).branch('send', 'ne').str(2, 0).subs(2, 1).branch('send', 'ne')
    .label('sleep').wfi().branch('sleep');
  const times = [];
  let board;
  const onByte = (uart) => times.push(board.nanos / 1e9 + uart);
  await withElf(program, {}, (path) => {
    board = new Board(new Elf(path), { onByte });
    board.runTo(0.02e9);
  });
  assert.equal(times.length, 100);
  const per = (times[99] - times[0]) / 99;
  assert.ok(Math.abs(per - 10 / 115200) < 1e-7, `${per} s for a byte`);
  assert.equal(board.chip.uart[0].baud, 115207);
});

test('a write into a full FIFO loses the byte, and that is counted', async () => {
  const program = openUart(new Program().label('start'))
    .literal(0, UART0).movs(2, 50)
    .label('send').str(2, 0).subs(2, 1).branch('send', 'ne')
    .label('sleep').wfi().branch('sleep');
  await onBoard(program, 0.02, (board) => {
    assert.deepEqual([board.sent[0], board.chip.uart[0].lostInTxFifo], [33, 17]);
  });
});

test('received bytes arrive one character time apart', async () => {
  const program = openUart(new Program().label('start'))
    .literal(0, UART0).movs(4, 0x10)
    .label('wait').ldr(3, 0, 0x18).tst(3, 4).branch('wait', 'ne').ldr(5, 0)
    .literal(2, COUNTER).ldr(1, 2).adds(1, 1).str(1, 2).branch('wait');
  await onBoard(program, 0.001, (board) => {
    board.chip.uart[0].feed([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    board.runTo(0.001e9 + 5.5 * (10e9 / 115200));
    const seen = counted(board);
    board.runTo(0.01e9);
    assert.equal(counted(board) - seen, 5);
  });
});

test('a warm reset keeps RAM and scratch registers, a cold one keeps neither', async () => {
  const program = countUp(new Program().label('start')).poke(WATCHDOG_SCRATCH0 + 4, 77).label('sleep').wfi().branch('sleep');
  await onBoard(program, 0.001, (board) => {
    const scratch = () => board.chip.readUint32(WATCHDOG_SCRATCH0 + 4);
    const first = counted(board);
    board.reset('warm');
    assert.equal(scratch(), 77);
    board.runTo(0.002e9);
    assert.equal(counted(board), first + 1);
    board.reset('run');
    assert.equal(scratch(), 0);
    board.runTo(0.003e9);
    assert.equal(counted(board), first + 2);
    board.reset('cold');
    assert.notEqual(counted(board), first + 2);
    assert.deepEqual(board.boots.map(({ kind }) => kind), ['cold', 'warm', 'run', 'cold']);
  });
});

test('firmware can reset itself', async () => {
  const program = countUp(new Program().label('start')).poke(AIRCR, 0x05fa0004).label('sleep').wfi().branch('sleep');
  await onBoard(program, 0.00001, (board) => assert.ok(board.boots.length > 3, `${board.boots.length} boots`));
});

test('a watchdog that is not fed resets, every time', async () => {
  const program = countUp(new Program().label('start')).poke(WATCHDOG + 4, 2 * 1000).poke(WATCHDOG, 1 << 30)
    .label('hang').branch('hang');
  await onBoard(program, 0.0035, (board) => {
    assert.deepEqual(board.boots.map(({ why }) => why), ['power on', 'watchdog', 'watchdog', 'watchdog']);
    board.boots.forEach(({ seconds }, index) => assert.ok(Math.abs(seconds - index / 1000) < 1e-5, `${seconds}`));
    assert.equal(board.chip.readUint32(WATCHDOG + 8), 1, 'the reason is the timer');
  });
});

test('the same seed gives the same garbage and random bits, another one others', async () => {
  const program = new Program().label('start').literal(0, RANDOM_BIT).movs(2, 0).movs(3, 32)
    .label('next').ldr(1, 0).put(0x0052, 0x1852).subs(3, 1).branch('next', 'ne') // lsls r2,#1; adds r2,r1
    .literal(0, COUNTER).str(2, 0).label('sleep').wfi().branch('sleep');
  const draw = (seed) => onBoard(program, 0.001, (board) => [counted(board), board.chip.readUint32(0x20001000)], { seed });
  assert.deepEqual(await draw(1), await draw(1));
  const [first, second] = [await draw(1), await draw(2)];
  assert.notEqual(first[0], second[0]);
  assert.notEqual(first[1], second[1]);
});

test('an event sent before WFE is not slept through', async () => {
  const program = countUp(new Program().label('start').wfe().sev().wfe().wfe().sev().wfe()).label('sleep').wfi().branch('sleep');
  await onBoard(program, 0.001, (board) => assert.equal(board.chip.core.waiting, true));
  const passes = countUp(new Program().label('start').sev().wfe()).label('sleep').wfi().branch('sleep');
  await onBoard(passes, 0.001, (board) => {
    const before = counted(board);
    board.reset('warm');
    board.runTo(0.002e9);
    assert.equal(counted(board), before + 1);
  });
});

test('an interrupt pended by software runs its handler once', async () => {
  const program = new Program().label('start').vector(16 + 20, 'handler')
    .literal(0, COUNTER).movs(1, 0).str(1, 0)
    .poke(NVIC_ENABLE, 1 << 20).poke(NVIC_PEND, 1 << 20)
    .label('sleep').wfi().branch('sleep');
  countUp(program.label('handler')).bx(14);
  await onBoard(program, 0.001, (board) => assert.equal(counted(board), 1));
});

test('a watched handler shows when it begins and how long it takes', async () => {
  // An outer handler pends an inner one, which comes first; the main program pends the outer one at uneven times.
  const program = new Program().label('start').vector(16 + 20, 'outer').vector(16 + 21, 'inner')
    .poke(NVIC_PRIORITY + 20, 0x4080).poke(NVIC_ENABLE, 3 << 20)
    .literal(0, NVIC_PEND).literal(1, 1 << 20).str(1, 0).movs(2, 200)
    .label('wait').subs(2, 1).branch('wait', 'ne').str(1, 0)
    .label('sleep').wfi().branch('sleep')
    .label('outer').literal(0, NVIC_PEND).literal(1, 1 << 21).str(1, 0).movs(2, 50)
    .label('busy').subs(2, 1).branch('busy', 'ne').bx(14)
    .label('inner').bx(14);
  const watch = [{ text: 'o', symbol: 'outer', micros: 1 }, { text: 'i', symbol: 'inner' }];
  const symbols = { outer: program.symbol('outer'), inner: program.symbol('inner') };
  await withElf(program, symbols, (path) => {
    const board = new Board(new Elf(path), { watch });
    board.runTo(1e6);
    const { o, i } = board.watches.report;
    assert.deepEqual([o.entries, i.entries, i.jitter], [2, 2, null]);
    // 50 rounds of 3 cycles, and those of the inner one are its own.
    assert.ok(o.min >= 150 + i.max && o.max < 260 && o.min === o.max && o.sum === 2 * o.min, JSON.stringify(o));
    assert.ok(i.min >= 15 && i.max < 40, JSON.stringify(i));
    // Between the two lie 200 rounds and the outer one, held against a grid of 125 cycles.
    assert.ok(o.jitter > 0 && o.jitter < 125, JSON.stringify(o));
  });
});

test('WFI with interrupts masked wakes without entering the handler', async () => {
  const program = new Program().label('start').vector(16 + 20, 'handler').maskInterrupts()
    .poke(NVIC_ENABLE, 1 << 20).poke(NVIC_PEND, 1 << 20).wfi()
    .literal(0, COUNTER).movs(1, 5).str(1, 0).label('sleep').wfi().branch('sleep')
    .label('handler').literal(0, COUNTER).movs(1, 9).str(1, 0).bx(14);
  await onBoard(program, 0.001, (board) => assert.equal(counted(board), 5));
});

test('a timer alarm fires in the microsecond that it names', async () => {
  const program = new Program().label('start').vector(16, 'handler')
    .poke(TIMER + 0x38, 1).poke(NVIC_ENABLE, 1).poke(TIMER + 0x10, 700)
    .label('sleep').wfi().branch('sleep')
    .label('handler').poke(TIMER + 0x34, 1).literal(0, TIMER + 0x28).ldr(1, 0).literal(0, COUNTER).str(1, 0).bx(14);
  await onBoard(program, 0.002, (board) => assert.equal(counted(board), 700));
});

test('faults and endless panics end the run with a sentence', async () => {
  const bad = {
    'undefined instruction': new Program().label('start').put(0xde00),
    'read of nothing': new Program().label('start').literal(0, 0x60000000).ldr(1, 0),
    breakpoint: new Program().label('start').put(0xbe00),
    panic: new Program().label('start').maskInterrupts().label('stop').branch('stop'),
  };
  for (const [what, program] of Object.entries(bad)) {
    await assert.rejects(onBoard(program, 0.001, () => {}), (error) => error instanceof Fault, what);
  }
});

test('cycles are those of the call, net of an empty call', async () => {
  const program = new Program().label('start').label('sleep').wfi().branch('sleep')
    .label('empty').bx(14)
    .label('seven').literal(0, COUNTER).ldr(1, 0).adds(1, 1).str(1, 0).bx(14);
  program.label('loop').subs(0, 1).branch('loop', 'ne').bx(14);
  program.label('masks').maskInterrupts().unmaskInterrupts().adds(1, 1)
    .maskInterrupts().adds(1, 1).adds(1, 1).unmaskInterrupts().bx(14);
  const symbols = {
    bench_nothing: program.symbol('empty'), bench_increment: program.symbol('seven'), bench_loop: program.symbol('loop'),
    bench_masks: program.symbol('masks'),
  };
  await withElf(program, symbols, (path) => {
    const board = new Board(new Elf(path));
    board.runTo(1e6);
    const counts = measureCycles(board, ['bench_nothing', 'bench_increment', 'bench_loop(3)', 'bench_loop(13)', 'bench_masks'], 3);
    assert.deepEqual(counts.bench_nothing, { first: 0, min: 0, max: 0, masked: 0 });
    assert.equal(counts['bench_loop(13)'].min - counts['bench_loop(3)'].min, 30);
    assert.deepEqual(counts.bench_increment, { first: 7, min: 7, max: 7, masked: 0 });
    // The longer of two times: the instruction that masks, and two more.
    assert.equal(counts.bench_masks.masked, 3);
  });
});
