// The computer at the other end of the USB cable of a board that is a network card (CDC-NCM): it enumerates the board
// and switches the card on.

import { Computer } from './computer.mjs';

const PACKET = 64; // a bulk packet at full speed
const CONFIGURATION = 2;
const INTERFACE = 4;
const ENDPOINT = 5;
const BULK = 2;
const DATA_CLASS = 10;
const OUT_BUFFER_CONTROL = 0x84; // of endpoint 0, RP2040 datasheet 4.1.2.5
const AVAILABLE = 1 << 10;
const NTH = 0x484d434e; // the header of a block of frames, NCM 1.0 section 3.2.1
const NDP = 0x304d434e; // its table of frames, section 3.3.1
const NTH_LENGTH = 12;
const NDP_LENGTH = 16;

/** A setup packet, USB 2.0 section 9.3. */
const setup = (type, request, value, index, length) =>
  Uint8Array.of(type, request, value & 0xff, value >> 8, index & 0xff, index >> 8, length & 0xff, length >> 8);

const getConfiguration = (length) => setup(0x80, 6, CONFIGURATION << 8, 0, length);

/** The data interface of a configuration: its number, the setting that has endpoints, and their numbers. */
export function dataInterface(descriptors) {
  const found = {};
  let inside = false;
  for (let at = 0; descriptors[at] >= 2; at += descriptors[at]) {
    const [, type, second, third, endpoints, classCode] = descriptors.slice(at, at + 9);
    if (type === INTERFACE) {
      inside = classCode === DATA_CLASS && endpoints === 2;
      if (inside) Object.assign(found, { number: second, setting: third });
    } else if (type === ENDPOINT && inside && (third & 3) === BULK) {
      found[second & 0x80 ? 'in' : 'out'] = second & 0xf;
    }
  }
  return found;
}

/** A block of one frame. */
export function blockOf(frame) {
  const block = new Uint8Array(NTH_LENGTH + NDP_LENGTH + frame.length);
  const view = new DataView(block.buffer);
  view.setUint32(0, NTH, true);
  [NTH_LENGTH, 0, block.length, NTH_LENGTH].forEach((half, index) => view.setUint16(4 + 2 * index, half, true));
  view.setUint32(NTH_LENGTH, NDP, true);
  [NDP_LENGTH, 0, NTH_LENGTH + NDP_LENGTH, frame.length].forEach((half, index) =>
    view.setUint16(NTH_LENGTH + 4 + 2 * index, half, true),
  );
  block.set(frame, NTH_LENGTH + NDP_LENGTH);
  return block;
}

/** The frames of a block; none if it is no block. */
export function framesOf(block) {
  const view = new DataView(block.buffer, block.byteOffset, block.length);
  if (block.length < NTH_LENGTH || view.getUint32(0, true) !== NTH) return [];
  const frames = [];
  const table = view.getUint16(10, true);
  for (let at = table + 8; at + 4 <= block.length && at < table + view.getUint16(table + 4, true); at += 4) {
    const [start, length] = [view.getUint16(at, true), view.getUint16(at + 2, true)];
    if (start === 0 || length === 0) break;
    frames.push(block.subarray(start, start + length));
  }
  return frames;
}

/** rp2040js takes a buffer from the board when it is offered; it is the host's until something is in it. */
function setAvailable(chip, endpoint, available) {
  const register = OUT_BUFFER_CONTROL + 8 * endpoint;
  const value = chip.usbDPRAMView.getUint32(register, true) & ~AVAILABLE;
  chip.usbDPRAMView.setUint32(register, available ? value | AVAILABLE : value, true);
}

export class NetworkHost {
  /** `onText(text)` receives what the programs of the computer print. */
  constructor(chip, onText) {
    const { usbCtrl } = chip;
    this.usb = usbCtrl;
    this.computer = new Computer((frame) => this.send(frame), onText);
    this.interface = undefined;
    this.packets = []; // to the board
    this.hungry = false; // the board has room for a packet
    this.block = []; // from the board, so far
    usbCtrl.onUSBEnabled = () => usbCtrl.resetDevice();
    usbCtrl.onResetReceived = () => {
      this.steps = this.enumerate();
      this.steps.next();
    };
    usbCtrl.onEndpointWrite = (endpoint, bytes) => {
      if (endpoint === 0) this.steps?.next(bytes);
      else if (endpoint === this.interface?.in) this.receive(bytes);
    };
    const taken = usbCtrl.finishRead.bind(usbCtrl);
    usbCtrl.finishRead = (endpoint, bytes) => {
      setAvailable(chip, endpoint, false);
      taken(endpoint, bytes);
    };
    usbCtrl.onEndpointRead = (endpoint) => {
      if (endpoint === 0) return;
      setAvailable(chip, endpoint, true);
      this.hungry = true;
      this.feed();
    };
  }

  /** Control transfers one after the other; each `yield` is the next packet of the board, empty if it agrees. */
  *enumerate() {
    const { usb } = this;
    usb.sendSetupPacket(setup(0, 5, 1, 0, 0)); // an address
    yield;
    usb.sendSetupPacket(getConfiguration(9));
    const head = yield;
    const length = head[2] | (head[3] << 8);
    usb.sendSetupPacket(getConfiguration(length));
    const descriptors = [];
    while (descriptors.length < length) descriptors.push(...(yield));
    const found = dataInterface(descriptors);
    usb.sendSetupPacket(setup(0, 9, 1, 0, 0)); // the configuration
    yield;
    this.interface = found;
    usb.sendSetupPacket(setup(1, 11, found.setting, found.number, 0)); // the interface
    yield;
    this.computer.plugged();
  }

  receive(bytes) {
    this.block.push(...bytes);
    if (bytes.length === PACKET) return;
    const block = Uint8Array.from(this.block);
    this.block = [];
    for (const frame of framesOf(block)) this.computer.receive(frame);
  }

  send(frame) {
    const block = blockOf(frame);
    for (let at = 0; at <= block.length; at += PACKET) this.packets.push(block.subarray(at, at + PACKET));
    this.feed();
  }

  feed() {
    if (!this.hungry || !this.interface || this.packets.length === 0) return;
    this.hungry = false;
    this.usb.endpointReadDone(this.interface.out, this.packets.shift());
  }

  /** Fetches a page of the board's. */
  get(path) {
    this.computer.get(path);
  }
}
