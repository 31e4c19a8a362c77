// The command line of run.mjs.

import { parseArgs } from 'node:util';
import { RESET_KINDS } from './board.mjs';

export const USAGE = `Runs firmware for the RP2040 in an emulator; what it sends on UART0 goes to standard output.

usage: node run.mjs [--elf] FILE [options]

  --seconds N         stop after N seconds of simulated time (default: run until Ctrl-C)
  --realtime          keep simulated time at the pace of the clock on the wall
  --output WHERE      what goes to standard output: uart0 (default), uart1, usb (a host opens the board's serial
                      port), rtt (the first channel that a debug probe would read) or network (a computer to which
                      the board is a network card, over USB, prints the pages that it gets and the datagrams)
  --stdin             bytes on standard input arrive on UART0, or over USB; their end does not stop the run
  --send TEXT@T       as if TEXT were typed there after T seconds; \\n is a line feed. May be repeated
  --get PATH@T        with --output network the computer fetches a page after T seconds. May be repeated
  --uart1 FILE        write what UART1 sends to FILE
  --reset KIND@T      reset after T seconds; KIND is cold (RAM becomes garbage), warm (watchdog: RAM and
                      scratch registers stay) or run (RUN pin: RAM stays). May be repeated
  --seed N            seed of garbage in RAM, ROSC random bits, noise and the default unique id (default 1)
  --uid HEX           unique id of the flash chip, 16 hexadecimal digits
  --celsius A[..B]    temperature of the chip; with B it swings between A and B once a minute (default 27)
  --adc CHANNEL=N     conversion result, 0 to 4095, of an ADC channel, 0 to 4. May be repeated
  --lose P --flip P   lose, or flip one bit of, each byte of UART0 with probability P
  --dump SYMBOL[:N]   put the words of a symbol (its size, or N words) into the report. May be repeated
  --dump-at T         the words after T seconds as well; see the report's "moments". May be repeated
  --cycles NAME       after the run, count the cycles of a call of NAME, or NAME(1,2) with numbers as arguments;
                      NAME* takes all that start so. May be repeated
  --watch NAME[:US]   how many cycles the interrupt handler NAME takes, and with a period in microseconds how far
                      its entries lie off a grid of that period; into the report. May be repeated
  --report FILE       write the report (JSON) to FILE; without it, --dump, --cycles and --watch print it on standard
                      error
  --quiet             no progress and no summary on standard error
  --help

examples:
  node run.mjs timing_loop --seconds 5 > frames.bin
  node run.mjs timing_loop --seconds 60 --reset warm@20 --reset cold@40 --report report.json > frames.bin
  node run.mjs timing_loop --realtime --celsius 25..31 | tapes gateway --stdin
  node run.mjs probe --seconds 0.05 --cycles 'bench_*'`;

const SPEC = {
  elf: { type: 'string' },
  seconds: { type: 'string' },
  realtime: { type: 'boolean', default: false },
  output: { type: 'string', default: 'uart0' },
  send: { type: 'string', multiple: true, default: [] },
  get: { type: 'string', multiple: true, default: [] },
  stdin: { type: 'boolean', default: false },
  uart1: { type: 'string' },
  reset: { type: 'string', multiple: true, default: [] },
  seed: { type: 'string', default: '1' },
  uid: { type: 'string' },
  celsius: { type: 'string', default: '27' },
  adc: { type: 'string', multiple: true, default: [] },
  lose: { type: 'string', default: '0' },
  flip: { type: 'string', default: '0' },
  dump: { type: 'string', multiple: true, default: [] },
  'dump-at': { type: 'string', multiple: true, default: [] },
  cycles: { type: 'string', multiple: true, default: [] },
  watch: { type: 'string', multiple: true, default: [] },
  report: { type: 'string' },
  quiet: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
};

const OUTPUTS = ['uart0', 'uart1', 'usb', 'rtt', 'network'];

/** Wrong use of the command line. */
export class UsageError extends Error {}

/** The options as values of the right type, or a UsageError that names the option. */
export function readOptions(args) {
  const { values, positionals } = parse(args);
  if (values.help) return { help: true };
  const elf = values.elf ?? positionals.shift();
  if (!elf) throw new UsageError('give the firmware to run: node run.mjs FILE');
  if (positionals.length) throw new UsageError(`unexpected argument ${positionals[0]}`);
  return {
    ...values,
    elf,
    seconds: values.seconds === undefined ? Infinity : time('--seconds', values.seconds),
    seed: number('--seed', values.seed, 0),
    uid: values.uid === undefined ? undefined : readUid(values.uid),
    celsius: readCelsius(values.celsius),
    adc: Object.fromEntries(values.adc.map(readAdc)),
    lose: number('--lose', values.lose, 0, 1),
    flip: number('--flip', values.flip, 0, 1),
    output: readOutput(values.output),
    send: values.send.map(readSend).sort((a, b) => a.seconds - b.seconds),
    get: readGets(values).sort((a, b) => a.seconds - b.seconds),
    reset: values.reset.map(readReset).sort((a, b) => a.seconds - b.seconds),
    dump: values.dump.map(readDump),
    watch: values.watch.map(readWatch),
    moments: values['dump-at'].map((text) => time('--dump-at', text)).sort((a, b) => a - b),
  };
}

function parse(args) {
  try {
    return parseArgs({ args, options: SPEC, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError(error.message);
  }
}

function number(option, text, low, high = Infinity) {
  const value = Number(text);
  if (text === '' || !(value >= low && value <= high)) {
    const range = high === Infinity ? `of at least ${low}` : `from ${low} to ${high}`;
    throw new UsageError(`${option} takes a number ${range}, not "${text}"`);
  }
  return value;
}

/** Seconds, as a whole number of nanoseconds: simulated time would never reach what lies a fraction of one beyond. */
function time(option, text) {
  return Math.round(number(option, text, 0) * 1e9) / 1e9;
}

function readUid(text) {
  if (!/^[0-9a-fA-F]{16}$/.test(text)) throw new UsageError(`--uid takes 16 hexadecimal digits, not "${text}"`);
  return Uint8Array.from(text.match(/../g), (byte) => parseInt(byte, 16));
}

function readCelsius(text) {
  const [low, high] = text.split('..');
  const from = number('--celsius', low, -60, 150);
  if (high === undefined) return () => from;
  const to = number('--celsius', high, -60, 150);
  return (seconds) => from + ((to - from) * (1 - Math.cos((seconds * 2 * Math.PI) / 60))) / 2;
}

function readAdc(text) {
  const [channel, value] = text.split('=');
  return [number('--adc', channel, 0, 4), Math.round(number('--adc', value ?? '', 0, 4095))];
}

function readReset(text) {
  const [kind, at] = text.split('@');
  if (!RESET_KINDS.includes(kind) || at === undefined) {
    throw new UsageError(`--reset takes KIND@SECONDS with KIND one of ${RESET_KINDS.join(', ')}, not "${text}"`);
  }
  return { kind, seconds: time('--reset', at) };
}

function readOutput(text) {
  if (OUTPUTS.includes(text)) return text;
  throw new UsageError(`--output takes one of ${OUTPUTS.join(', ')}, not "${text}"`);
}

function readSend(text) {
  const [, typed, at] = /^(.*)@([^@]*)$/s.exec(text) ?? [];
  if (typed === undefined) throw new UsageError(`--send takes TEXT@SECONDS, not "${text}"`);
  return { bytes: Buffer.from(typed.replaceAll('\\n', '\n')), seconds: time('--send', at) };
}

function readDump(text) {
  const parts = /^(.*[^:]):(\d+)$/.exec(text);
  if (text === '') throw new UsageError('--dump takes SYMBOL or SYMBOL:WORDS');
  return parts ? { text, symbol: parts[1], count: Number(parts[2]) } : { text, symbol: text, count: undefined };
}

function readWatch(text) {
  const [symbol, micros] = text.split(/(?<!:):(?!:)/);
  if (symbol === '') throw new UsageError('--watch takes NAME or NAME:MICROSECONDS');
  return { text, symbol, micros: micros === undefined ? undefined : number('--watch', micros, 1) };
}

function readGets({ get, output }) {
  if (get.length && output !== 'network') throw new UsageError('--get needs --output network');
  return get.map((text) => {
    const [, path, at] = /^(\/[^\s]*)@([^@]*)$/.exec(text) ?? [];
    if (path === undefined) throw new UsageError(`--get takes /PATH@SECONDS, not "${text}"`);
    return { path, seconds: time('--get', at) };
  });
}
