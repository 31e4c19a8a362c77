// The command line: what goes where, and what is said about mistakes.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { demangle } from '../lib/elf.mjs';
import { readOptions, UsageError } from '../lib/options.mjs';
import { Program, withElf } from '../support/assemble.mjs';

const RUN = fileURLToPath(new URL('../run.mjs', import.meta.url));

/** Runs the command and resolves to its exit code and what it printed. */
const run = (...args) =>
  new Promise((resolve) => {
    execFile(process.execPath, [RUN, ...args], { encoding: 'buffer' }, (error, stdout, stderr) => {
      resolve({ code: error ? error.code : 0, stdout, stderr: stderr.toString() });
    });
  });

const UART0 = 0x40034000;

/** Sends 1, 2, 3 and sleeps. */
function sender() {
  const program = new Program().label('start').poke(UART0 + 0x24, 67).poke(UART0 + 0x2c, 0x70).poke(UART0 + 0x30, 0x301);
  for (const byte of [1, 2, 3]) program.poke(UART0, byte);
  return program.label('sleep').wfi().branch('sleep');
}

test('standard output is UART0 and nothing else, the report is JSON', async () => {
  await withElf(sender(), { 'crate::WORDS': { address: 0x10000100, size: 8 } }, async (path) => {
    const { code, stdout, stderr } = await run(path, '--seconds', '0.01', '--quiet', '--dump', 'WORDS');
    assert.equal(code, 0, stderr);
    assert.deepEqual([...stdout], [1, 2, 3]);
    const report = JSON.parse(stderr);
    assert.deepEqual(report.symbols, { WORDS: [0x20040000, 0x10000201] });
    assert.equal(report.uart0.bytes, 3);
    assert.equal(report.seconds, 0.01);
  });
});

test('words are dumped at the moments asked for', async () => {
  const program = new Program().label('start').poke(0x20000000, 7).label('sleep').wfi().branch('sleep');
  await withElf(program, { WORD: { address: 0x20000000, size: 4 } }, async (path) => {
    const times = ['--dump-at', '0.007', '--dump-at', '0', '--dump-at', '9'];
    const { code, stderr } = await run(path, '--seconds', '0.01', '--quiet', '--dump', 'WORD', ...times);
    assert.equal(code, 0, stderr);
    const { moments } = JSON.parse(stderr);
    assert.deepEqual(moments.map(({ seconds }) => seconds), [0, 0.007]);
    assert.notDeepEqual(moments[0].symbols.WORD, [7], 'before the first instruction RAM is garbage');
    assert.deepEqual(moments[1].symbols.WORD, [7]);
  });
});

test('a time between two nanoseconds is reached', async () => {
  await withElf(sender(), {}, async (path) => {
    const times = ['--seconds', '0.010000000400000001', '--reset', 'warm@0.0020000004', '--dump-at', '0.0030000004'];
    assert.equal((await run(path, '--quiet', ...times)).code, 0);
  });
});

test('another output is empty, and what is typed is read with its line feeds', async () => {
  await withElf(sender(), {}, async (path) => {
    for (const output of ['uart1', 'usb', 'rtt']) {
      const { code, stdout, stderr } = await run(path, '--seconds', '0.01', '--quiet', '--output', output);
      assert.equal(code, 0, stderr);
      assert.equal(stdout.length, 0, output);
    }
  });
  const { send } = readOptions(['x.elf', '--send', 'b@2', '--send', 'a@x\\n@0.5']);
  assert.deepEqual(send.map(({ bytes, seconds }) => [String(bytes), seconds]), [['a@x\n', 0.5], ['b', 2]]);
});

test('lost bytes are counted', async () => {
  await withElf(sender(), {}, async (path) => {
    const { stdout, stderr } = await run(path, '--seconds', '0.01', '--quiet', '--lose', '1', '--cycles', 'bench_*');
    assert.equal(stdout.length, 0);
    assert.equal(JSON.parse(stderr).uart0.lost, 3);
  });
});

test('a fault ends with code 3, a mistake with code 2, both with a sentence', async () => {
  await withElf(new Program().label('start').put(0xde00), {}, async (path) => {
    const { code, stderr } = await run(path, '--seconds', '1');
    assert.equal(code, 3);
    assert.match(stderr, /undefined instruction.* in 0x/);
    assert.equal((await run(path, '--secnods', '1')).code, 2);
    assert.match((await run(path, '--dump', 'NOWHERE')).stderr, /no symbol NOWHERE/);
  });
  assert.match((await run('nothing.elf')).stderr, /cannot read nothing\.elf/);
  assert.match((await run(RUN)).stderr, /not a 32-bit ARM ELF file/);
});

test('bad values are refused by the name of their option', () => {
  const bad = {
    '--seconds': 'x', '--reset': 'warm', '--uid': '12', '--adc': '9=1', '--lose': '2', '--celsius': '5..x', '--seed': '-1',
    '--output': 'uart2', '--send': 'no time', '--watch': 'X:0',
  };
  for (const [option, value] of Object.entries(bad)) {
    const refused = (error) => error instanceof UsageError && error.message.includes(option);
    assert.throws(() => readOptions(['x.elf', `${option}=${value}`]), refused, option);
  }
  const { reset, dump } = readOptions(['x', '--reset', 'cold@9', '--reset', 'warm@2', '--dump', 'a::B:3']);
  assert.deepEqual(reset.map(({ seconds }) => seconds), [2, 9]);
  const watched = readOptions(['x', '--watch', 'a::B:1000', '--watch', 'C']).watch;
  assert.deepEqual(watched.map(({ symbol, micros }) => [symbol, micros]), [['a::B', 1000], ['C', undefined]]);
  assert.deepEqual(dump, [{ text: 'a::B:3', symbol: 'a::B', count: 3 }]);
});

test('both manglings of Rust give the path', () => {
  assert.equal(demangle('_ZN11timing_loop5MOTOR5WORDS17h0123456789abcdefE'), 'timing_loop::MOTOR::WORDS');
  assert.equal(demangle('_RNvNtCs1234_11timing_loop5MOTOR5WORDS'), 'timing_loop::MOTOR::WORDS');
  assert.equal(demangle('memcpy'), 'memcpy');
});
