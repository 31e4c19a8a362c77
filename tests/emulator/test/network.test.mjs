// The computer at the other end of the cable, without a board.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BOARD, checksum, Computer, OWN, readable } from '../lib/computer.mjs';
import { blockOf, dataInterface, framesOf } from '../lib/network_host.mjs';
import { readOptions, UsageError } from '../lib/options.mjs';

const BOARD_MAC = [2, 0, 0, 0, 0, 1];

test('a frame comes out of its block, and nothing out of what is none', () => {
  const frame = Uint8Array.from({ length: 99 }, (_, index) => index);
  assert.deepEqual(framesOf(blockOf(frame)), [frame]);
  assert.deepEqual(framesOf(blockOf(frame).subarray(0, 11)), []);
  assert.deepEqual(framesOf(Uint8Array.from({ length: 64 }, () => 7)), []);
  assert.deepEqual(framesOf(blockOf(frame).subarray(0, 40))[0]?.length, 12, 'a block that was cut is read to its end');
});

test('checksums are those of the Internet', () => {
  // The example of RFC 1071, section 3.
  assert.equal(checksum([0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), 0x220d);
  assert.equal(checksum([0x01]), 0xfeff, 'half a word is its upper half');
});

test('the interface that carries frames is found among others', () => {
  const control = [9, 4, 0, 0, 1, 2, 13, 0, 0, 7, 5, 0x81, 3, 8, 0, 255];
  const data = [9, 4, 1, 0, 0, 10, 0, 1, 0, 9, 4, 1, 1, 2, 10, 0, 1, 0, 7, 5, 1, 2, 64, 0, 0, 7, 5, 0x82, 2, 64, 0, 0];
  assert.deepEqual(dataInterface([9, 2, 0, 0, 2, 1, 0, 128, 50, ...control, ...data]), {
    number: 1, setting: 1, out: 1, in: 2,
  });
});

test('a page is asked for when the board is known, and only then', () => {
  const sent = [];
  const computer = new Computer((frame) => sent.push(frame), () => {});
  computer.get('/metrics');
  assert.equal(sent.length, 0);
  computer.plugged();
  assert.equal(sent.length, 1, 'it asks who the board is');
  const arp = [0, 1, 8, 0, 6, 4, 0, 2, ...BOARD_MAC, ...BOARD, 2, 0, 0, 0, 0, 2, ...OWN];
  computer.receive(Uint8Array.from([2, 0, 0, 0, 0, 2, ...BOARD_MAC, 8, 6, ...arp]));
  assert.equal(sent.length, 2);
  const ip = sent[1].subarray(14);
  assert.deepEqual([...sent[1].subarray(0, 6)], BOARD_MAC);
  assert.equal(checksum(ip.subarray(0, 20)), 0);
  assert.equal(ip[20 + 13], 2, 'a SYN');
});

test('a response is shown without its chunks', () => {
  const head = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/plain\r\n\r\n';
  const shown = 'HTTP/1.1 200 OK\nContent-Type: text/plain\n\nab\nc\n';
  assert.equal(readable(`${head}3\r\nab\n\r\n1\r\nc\r\n0\r\n\r\n`), shown);
  assert.equal(readable('HTTP/1.1 404 \r\n\r\nno'), 'HTTP/1.1 404 \n\nno\n');
});

test('pages are fetched over a network only', () => {
  const refused = (error) => error instanceof UsageError && error.message.includes('--get');
  assert.throws(() => readOptions(['x', '--get', '/metrics@1']), refused);
  assert.throws(() => readOptions(['x', '--output', 'network', '--get', 'metrics@1']), refused);
  assert.deepEqual(readOptions(['x', '--output', 'network', '--get', '/a@2', '--get', '/b@1']).get, [
    { path: '/b', seconds: 1 }, { path: '/a', seconds: 2 },
  ]);
});
