#!/usr/bin/env node
// Runs firmware for the RP2040 in an emulator. See --help, and README.md beside this file.

import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { once } from 'node:events';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { readOptions, USAGE, UsageError } from './lib/options.mjs';
import { randomWords } from './lib/random.mjs';

const SLICE_SECONDS = 0.005;
const EXIT_USAGE = 2;
const EXIT_FAULT = 3;

/** Collects the bytes of the chosen output, damages them if asked to, and hands them to standard output. */
class Output {
  constructor({ lose, flip, seed }) {
    Object.assign(this, { lose, flip, words: randomWords(seed ^ 0x5eed), pending: [], bytes: 0, lost: 0, flipped: 0 });
    this.open = true;
    process.stdout.on('error', () => (this.open = false)); // the reader has gone: not an error of ours
  }

  chance(probability) {
    return probability > 0 && this.words() < probability * 2 ** 32;
  }

  push(byte) {
    this.bytes++;
    if (this.chance(this.lose)) {
      this.lost++;
    } else if (this.chance(this.flip)) {
      this.flipped++;
      this.pending.push(byte ^ (1 << (this.words() & 7)));
    } else {
      this.pending.push(byte);
    }
  }

  async flush() {
    if (!this.open || this.pending.length === 0) return;
    const bytes = Uint8Array.from(this.pending);
    this.pending.length = 0;
    if (!process.stdout.write(bytes)) {
      await Promise.race([once(process.stdout, 'drain'), once(process.stdout, 'close')]).catch(() => {});
    }
  }
}

async function loadBoard() {
  try {
    return await import('./lib/board.mjs');
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new Error('the emulator is not installed; run: npm ci --prefix tests/emulator');
  }
}

/** The words of each --dump, now. */
function dumped(board, options) {
  return Object.fromEntries(options.dump.map(({ text, symbol, count }) => [text, board.dump(symbol, count)]));
}

/** Runs in slices until the time is up, the reader has gone, or `stopping()`; adds to `moments` the words at each. */
async function run(board, options, output, moments, stopping) {
  const resets = [...options.reset];
  const typed = [...options.send];
  const gets = [...options.get];
  const wanted = [...options.moments];
  const started = performance.now();
  while (board.seconds < options.seconds && output.open && !stopping()) {
    const resetAt = resets[0]?.seconds ?? Infinity;
    const next = Math.min(wanted[0] ?? Infinity, typed[0]?.seconds ?? Infinity, gets[0]?.seconds ?? Infinity);
    const until = Math.min(board.seconds + SLICE_SECONDS, options.seconds, resetAt, next);
    board.runTo(Math.round(until * 1e9));
    while (typed.length && board.seconds >= typed[0].seconds) board.type(typed.shift().bytes);
    while (gets.length && board.seconds >= gets[0].seconds) board.network.get(gets.shift().path);
    if (options.output === 'rtt') for (const byte of board.readRtt()) output.push(byte);
    while (wanted.length && board.seconds >= wanted[0]) {
      moments.push({ seconds: wanted.shift(), symbols: dumped(board, options) });
    }
    if (board.seconds >= resetAt) board.reset(resets.shift().kind);
    await output.flush();
    const ahead = board.seconds * 1000 - (performance.now() - started);
    if (options.realtime && ahead > 1) await sleep(ahead);
    else await setImmediate();
  }
  return (performance.now() - started) / 1000;
}

async function report(board, options, output, moments, wallSeconds, fault) {
  const { measureCycles, functionsNamed } = await import('./lib/cycles.mjs');
  const names = options.cycles.flatMap((name) =>
    name.endsWith('*') ? functionsNamed(board.elf, name.slice(0, -1)) : [name],
  );
  return {
    elf: options.elf,
    seconds: board.seconds,
    wall_seconds: wallSeconds,
    fault: fault?.message ?? null,
    uid: Buffer.from(board.uid).toString('hex'),
    boots: board.boots,
    busy_cycles: board.cycles,
    uart0: {
      bytes: board.sent[0], baud: board.chip.uart[0].baud, lost: output.lost, flipped: output.flipped,
      overwritten: board.chip.uart[0].lostInTxFifo,
    },
    uart1: { bytes: board.sent[1], baud: board.chip.uart[1].baud },
    symbols: dumped(board, options),
    moments,
    watched: board.watches?.report ?? {},
    cycles: names.length && !fault ? measureCycles(board, names) : {},
  };
}

function summary({ seconds, wall_seconds: wall, boots, uart0, busy_cycles: busy }, clkSys) {
  const load = ((100 * busy) / (seconds * clkSys)).toFixed(1);
  const line = uart0.baud ? ` at ${uart0.baud} baud` : '';
  return (
    `emulator: ${seconds.toFixed(3)} s simulated in ${wall.toFixed(1)} s, ${boots.length} boot(s), ` +
    `${uart0.bytes} bytes on UART0${line}, processor busy ${load} %`
  );
}

function say(options, text) {
  if (!options.quiet) process.stderr.write(`${text}\n`);
}

async function main() {
  const options = readOptions(process.argv.slice(2));
  if (options.help) return console.log(USAGE);
  const { Elf } = await import('./lib/elf.mjs');
  const { Board, Fault } = await loadBoard();
  const elf = new Elf(options.elf);
  for (const { symbol } of options.dump) elf.symbol(symbol); // a wrong name ends here, not after the run
  const output = new Output(options);
  const uart1 = options.uart1 === undefined ? undefined : openSync(options.uart1, 'w');
  const board = new Board(elf, {
    ...options,
    onByte: (uart, byte) => {
      if (options.output === `uart${uart}`) output.push(byte);
      if (uart === 1 && uart1 !== undefined) writeSync(uart1, Uint8Array.of(byte));
    },
    onNetwork: options.output === 'network' ? (text) => Buffer.from(text).forEach((byte) => output.push(byte)) : undefined,
    onUsb: options.output === 'usb' ? (bytes) => bytes.forEach((byte) => output.push(byte)) : undefined,
  });
  let stopped = false;
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => (stopped = true));
  if (options.stdin) process.stdin.on('data', (bytes) => board.type(bytes));
  const started = performance.now();
  const moments = [];
  let fault;
  try {
    await run(board, options, output, moments, () => stopped);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    fault = error;
  }
  await output.flush();
  if (uart1 !== undefined) closeSync(uart1);
  const result = await report(board, options, output, moments, (performance.now() - started) / 1000, fault);
  const wanted = options.dump.length + options.cycles.length + options.watch.length > 0;
  if (options.report) writeFileSync(options.report, `${JSON.stringify(result, null, 2)}\n`);
  else if (wanted) process.stderr.write(`${JSON.stringify(result)}\n`);
  if (options.stdin) process.stdin.destroy();
  if (fault) throw fault;
  say(options, summary(result, board.chip.clkSys));
  return undefined;
}

try {
  await main();
  process.exitCode = 0;
} catch (error) {
  process.stderr.write(`emulator: ${error.message}\n`);
  process.exitCode = error instanceof UsageError ? EXIT_USAGE : error.constructor.name === 'Fault' ? EXIT_FAULT : 1;
}
