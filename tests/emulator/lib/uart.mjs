// A PL011 UART with FIFOs and time. The one in rp2040js sends a byte the instant it is written and is never busy,
// so a driver that blocks the processor would look as harmless as one that uses DMA.

import { BasePeripheral } from 'rp2040js';

const DR = 0x00;
const RSR = 0x04;
const FR = 0x18;
const IBRD = 0x24;
const FBRD = 0x28;
const LCR_H = 0x2c;
const CR = 0x30;
const IFLS = 0x34;
const IMSC = 0x38;
const RIS = 0x3c;
const MIS = 0x40;
const ICR = 0x44;
const DMACR = 0x48;
const IDENTITY = { 0xfe0: 0x11, 0xfe4: 0x10, 0xfe8: 0x34, 0xfec: 0, 0xff0: 0x0d, 0xff4: 0xf0, 0xff8: 5, 0xffc: 0xb1 };

const FR_BUSY = 1 << 3;
const FR_RX_EMPTY = 1 << 4;
const FR_TX_FULL = 1 << 5;
const FR_RX_FULL = 1 << 6;
const FR_TX_EMPTY = 1 << 7;
const LCR_FIFOS = 1 << 4;
const CR_ENABLE = 1 << 0;
const CR_TX = 1 << 8;
const CR_RX = 1 << 9;
const INT_RX = 1 << 4;
const INT_TX = 1 << 5;
const INT_RX_TIMEOUT = 1 << 6;
const INT_OVERRUN = 1 << 10;
const DATA_OVERRUN = 1 << 11;
const DMA_RX = 1 << 0;
const DMA_TX = 1 << 1;

const FIFO_DEPTH = 32;
const LEVELS = [4, 8, 16, 24, 28, 28, 28, 28]; // eighths of the depth, as IFLS selects them
const RX_TIMEOUT_BITS = 32;

/** One UART; `onByte` receives every byte when its stop bit has gone out. */
export class Uart extends BasePeripheral {
  constructor(chip, name, irq, dreq) {
    super(chip, name);
    Object.assign(this, { irq, dreq, onByte: () => {} });
    Object.assign(this, { ibrd: 0, fbrd: 0, lcr: 0, cr: CR_TX | CR_RX, ifls: 0x12, imsc: 0, ris: 0, dmacr: 0 });
    Object.assign(this, { tx: [], rx: [], incoming: [], shifting: false, overrun: false });
    Object.assign(this, { sent: 0, lostInTxFifo: 0 });
    this.shiftAlarm = chip.clock.createAlarm(() => this.shifted());
    this.arriveAlarm = chip.clock.createAlarm(() => this.arrived());
    this.timeoutAlarm = chip.clock.createAlarm(() => this.raise(INT_RX_TIMEOUT));
  }

  get depth() {
    return this.lcr & LCR_FIFOS ? FIFO_DEPTH : 1;
  }

  get bitNanos() {
    const divisor = this.ibrd + this.fbrd / 64;
    return (1e9 * 16 * (divisor || 1)) / this.rp2040.clkPeri;
  }

  /** The line's speed in baud, 0 until the firmware has programmed a divisor. */
  get baud() {
    return this.ibrd ? Math.round(1e9 / this.bitNanos) : 0;
  }

  get characterNanos() {
    const { lcr } = this;
    const bits = 1 + (5 + ((lcr >> 5) & 3)) + (lcr & 2 ? 1 : 0) + (lcr & 8 ? 2 : 1);
    return bits * this.bitNanos;
  }

  /** Called by the chip when the peripheral clock changes; the next character has the new length. */
  clkPeriChanged() {}

  /** Queues bytes on the receive line; they arrive one character time apart. */
  feed(bytes) {
    const idle = this.incoming.length === 0;
    this.incoming.push(...bytes);
    if (idle && this.incoming.length) this.arriveAlarm.schedule(this.characterNanos);
  }

  arrived() {
    const byte = this.incoming.shift();
    if (this.incoming.length) this.arriveAlarm.schedule(this.characterNanos);
    if (!(this.cr & CR_ENABLE) || !(this.cr & CR_RX)) return;
    if (this.rx.length >= this.depth) {
      this.overrun = true;
      this.raise(INT_OVERRUN);
      return;
    }
    this.rx.push(this.overrun ? byte | DATA_OVERRUN : byte);
    this.overrun = false;
    if (this.rx.length >= this.rxLevel) this.ris |= INT_RX;
    this.timeoutAlarm.schedule(RX_TIMEOUT_BITS * this.bitNanos);
    this.update();
  }

  get rxLevel() {
    return this.depth === 1 ? 1 : LEVELS[(this.ifls >> 3) & 7];
  }

  get txLevel() {
    return this.depth === 1 ? 0 : LEVELS[this.ifls & 7];
  }

  raise(bits) {
    this.ris |= bits;
    this.update();
  }

  write(byte) {
    if (this.tx.length >= this.depth) {
      this.lostInTxFifo++;
      return;
    }
    this.tx.push(byte);
    if (!this.shifting) this.shift();
    if (this.tx.length > this.txLevel) this.ris &= ~INT_TX;
    this.update();
  }

  shift() {
    const ready = this.cr & CR_ENABLE && this.cr & CR_TX && this.tx.length > 0;
    this.shifting = Boolean(ready);
    if (!ready) return;
    this.current = this.tx.shift();
    if (this.tx.length === this.txLevel) this.ris |= INT_TX;
    this.shiftAlarm.schedule(this.characterNanos);
  }

  shifted() {
    this.sent++;
    this.onByte(this.current);
    this.shift();
    this.update();
  }

  /** Drives the interrupt line and both DMA request lines from the state. */
  update() {
    const { rp2040, cr, dmacr } = this;
    rp2040.setInterrupt(this.irq, (this.ris & this.imsc) !== 0);
    const enabled = cr & CR_ENABLE;
    this.request(this.dreq.tx, enabled && cr & CR_TX && dmacr & DMA_TX && this.tx.length < this.depth);
    this.request(this.dreq.rx, enabled && cr & CR_RX && dmacr & DMA_RX && this.rx.length > 0);
  }

  request(line, wanted) {
    if (wanted) this.rp2040.dma.setDREQ(line);
    else this.rp2040.dma.clearDREQ(line);
  }

  readData() {
    const value = this.rx.length ? this.rx.shift() : 0;
    if (this.rx.length < this.rxLevel) this.ris &= ~INT_RX;
    if (this.rx.length === 0) {
      this.ris &= ~INT_RX_TIMEOUT;
      this.timeoutAlarm.cancel();
    }
    this.update();
    return value;
  }

  get flags() {
    const { tx, rx, depth } = this;
    return (
      (this.shifting || tx.length ? FR_BUSY : 0) |
      (rx.length ? 0 : FR_RX_EMPTY) |
      (rx.length >= depth ? FR_RX_FULL : 0) |
      (tx.length ? 0 : FR_TX_EMPTY) |
      (tx.length >= depth ? FR_TX_FULL : 0)
    );
  }

  readUint32(offset) {
    switch (offset) {
      case DR: return this.readData();
      case RSR: return 0;
      case FR: return this.flags;
      case IBRD: return this.ibrd;
      case FBRD: return this.fbrd;
      case LCR_H: return this.lcr;
      case CR: return this.cr;
      case IFLS: return this.ifls;
      case IMSC: return this.imsc;
      case RIS: return this.ris;
      case MIS: return this.ris & this.imsc;
      case DMACR: return this.dmacr;
    }
    return IDENTITY[offset] ?? super.readUint32(offset);
  }

  writeUint32(offset, value) {
    switch (offset) {
      case DR: return this.write(value & 0xff);
      case RSR: return undefined;
      case IBRD: this.ibrd = value & 0xffff; break;
      case FBRD: this.fbrd = value & 0x3f; break;
      case LCR_H: this.lcr = value & 0xff; break;
      case CR: this.cr = value & 0xffff; break;
      case IFLS: this.ifls = value & 0x3f; break;
      case IMSC: this.imsc = value & 0x7ff; break;
      case ICR: this.ris &= ~this.rawWriteValue; break;
      case DMACR: this.dmacr = value & 7; break;
      default: return super.writeUint32(offset, value);
    }
    if (!this.shifting) this.shift();
    this.update();
    return undefined;
  }
}
