// As much of a computer on a network as it takes to fetch pages from a board and to receive its datagrams: ARP, IPv4,
// UDP, and TCP over a wire that loses nothing.

const OWN_MAC = [2, 0, 0, 0, 0, 2];
const BROADCAST = [255, 255, 255, 255, 255, 255];
export const OWN = [192, 168, 7, 2];
export const BOARD = [192, 168, 7, 1];
const HTTP = 80;
const FIRST_PORT = 50000;
const ARP = 0x0806;
const IPV4 = 0x0800;
const TCP = 6;
const UDP = 17;
const FIN = 1;
const SYN = 2;
const RST = 4;
const PSH = 8;
const ACK = 16;
const WINDOW = 0xffff;

const half = (value) => [(value >> 8) & 0xff, value & 0xff];
const word = (value) => [...half(value >>> 16), ...half(value)];
const readHalf = (bytes, at) => (bytes[at] << 8) | bytes[at + 1];
const readWord = (bytes, at) => ((readHalf(bytes, at) << 16) | readHalf(bytes, at + 2)) >>> 0;
const same = (bytes, at, other) => other.every((byte, index) => bytes[at + index] === byte);

/** The Internet checksum, RFC 1071. */
export function checksum(bytes) {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += (bytes[at] << 8) | (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

export class Computer {
  /** `send(frame)` puts an Ethernet frame on the wire, `print(text)` is for the person. */
  constructor(send, print) {
    Object.assign(this, { send, print, board: undefined, fetches: new Map(), waiting: [], port: FIRST_PORT });
  }

  /** The wire is there: asks who the board is. */
  plugged() {
    this.arp(1, BROADCAST, BROADCAST.map(() => 0));
  }

  /** Fetches a page, as soon as the board is known; prints what comes when it is complete. */
  get(path) {
    if (!this.board) return this.waiting.push(path);
    const port = this.port++;
    this.fetches.set(port, { path, sequence: 1000, expected: 0, bytes: [], state: 'asked' });
    return this.tcp(port, SYN);
  }

  receive(frame) {
    if (readHalf(frame, 12) === ARP) this.receiveArp(frame.subarray(14));
    else if (readHalf(frame, 12) === IPV4) this.receiveIp(frame.subarray(14));
  }

  arp(operation, to, about) {
    const body = [0, 1, 8, 0, 6, 4, 0, operation, ...OWN_MAC, ...OWN, ...about, ...BOARD];
    this.send(Uint8Array.from([...to, ...OWN_MAC, ...half(ARP), ...body]));
  }

  receiveArp(packet) {
    if (!same(packet, 14, BOARD)) return;
    this.board = [...packet.subarray(8, 14)];
    if (packet[7] === 1 && same(packet, 24, OWN)) this.arp(2, this.board, this.board);
    this.waiting.splice(0).forEach((path) => this.get(path));
  }

  ip(protocol, payload) {
    const head = [0x45, 0, ...half(20 + payload.length), 0, 0, 0x40, 0, 64, protocol, 0, 0, ...OWN, ...BOARD];
    head.splice(10, 2, ...half(checksum(head)));
    this.send(Uint8Array.from([...this.board, ...OWN_MAC, ...half(IPV4), ...head, ...payload]));
  }

  receiveIp(packet) {
    const head = (packet[0] & 0xf) * 4;
    if (checksum(packet.subarray(0, head)) !== 0 || !same(packet, 16, OWN)) return;
    const payload = packet.subarray(head, readHalf(packet, 2));
    if (checksum([...BOARD, ...OWN, 0, packet[9], ...half(payload.length), ...payload]) !== 0) return;
    if (packet[9] === UDP) this.receiveUdp(payload);
    else if (packet[9] === TCP) this.receiveTcp(payload);
  }

  receiveUdp(packet) {
    const text = Buffer.from(packet.subarray(8)).toString();
    this.print(`UDP to port ${readHalf(packet, 2)}:\n${text}${text.endsWith('\n') ? '' : '\n'}`);
  }

  tcp(port, flags, data = []) {
    const fetch = this.fetches.get(port);
    const numbers = [...word(fetch.sequence), ...word(fetch.expected)];
    const head = [...half(port), ...half(HTTP), ...numbers, 0x50, flags, ...half(WINDOW), 0, 0, 0, 0];
    const segment = [...head, ...data];
    const sum = checksum([...OWN, ...BOARD, 0, TCP, ...half(segment.length), ...segment]);
    segment.splice(16, 2, ...half(sum));
    fetch.sequence += data.length + (flags & (SYN | FIN) ? 1 : 0);
    this.ip(TCP, segment);
  }

  receiveTcp(segment) {
    const [port, flags] = [readHalf(segment, 2), segment[13]];
    const fetch = this.fetches.get(port);
    if (!fetch) return;
    if (flags & RST) {
      this.done(port, 'nobody listens there, or it let go\n');
    } else if (fetch.state === 'asked' && flags & SYN) {
      fetch.state = 'open';
      fetch.expected = readWord(segment, 4) + 1;
      this.tcp(port, ACK);
      const head = `GET ${fetch.path} HTTP/1.1\r\nHost: ${BOARD.join('.')}\r\nConnection: close\r\n\r\n`;
      this.tcp(port, ACK | PSH, [...Buffer.from(head)]);
    } else if (readWord(segment, 4) === fetch.expected) {
      const data = segment.subarray((segment[12] >> 4) * 4);
      fetch.bytes.push(...data);
      fetch.expected += data.length + (flags & FIN);
      if (flags & FIN) {
        this.tcp(port, ACK | FIN);
        this.done(port, readable(Buffer.from(fetch.bytes).toString()));
      } else if (data.length) {
        this.tcp(port, ACK);
      }
    }
  }

  done(port, text) {
    this.print(`GET http://${BOARD.join('.')}${this.fetches.get(port).path}\n${text}`);
    this.fetches.delete(port);
  }
}

/** A response as a person reads it: status, type, and the body out of its chunks. */
export function readable(response) {
  const [head, ...rest] = response.split('\r\n\r\n');
  let body = rest.join('\r\n\r\n');
  const [status, ...fields] = head.split('\r\n');
  const field = (name) => fields.find((line) => line.toLowerCase().startsWith(`${name}:`));
  if (/chunked/i.test(field('transfer-encoding') ?? '')) {
    let text = '';
    for (let chunk; (chunk = /^([0-9a-f]+)\r\n/i.exec(body)) && chunk[1] !== '0'; ) {
      const start = chunk[0].length;
      const length = parseInt(chunk[1], 16);
      text += body.slice(start, start + length);
      body = body.slice(start + length + 2);
    }
    body = text;
  }
  const type = field('content-type');
  return `${status}\n${type ? `${type}\n` : ''}\n${body}${body.endsWith('\n') ? '' : '\n'}`;
}
