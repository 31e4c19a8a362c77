// Peripherals that rp2040js leaves out or answers with all ones, as far as firmware needs them to behave.

import { BasePeripheral } from 'rp2040js';

const ROSC_STATUS = 0x18;
const ROSC_RANDOM = 0x1c;
const ROSC_RUNNING = 0x80001000;

/** The ring oscillator: always stable, with a random bit that differs from read to read. */
export class Rosc extends BasePeripheral {
  constructor(chip, words) {
    super(chip, 'ROSC');
    this.words = words;
    this.registers = new Map();
  }

  readUint32(offset) {
    if (offset === ROSC_STATUS) return ROSC_RUNNING;
    if (offset === ROSC_RANDOM) return this.words() & 1;
    return this.registers.get(offset) ?? 0;
  }

  writeUint32(offset, value) {
    this.registers.set(offset, value);
  }
}

const VREG = 0x00;
const BROWN_OUT = 0x04;
const CHIP_RESET = 0x08;
export const HAD_POWER_ON = 1 << 8;
export const HAD_RUN_PIN = 1 << 16;

/** The voltage regulator, and the register that tells why the chip was reset. */
export class ChipReset extends BasePeripheral {
  constructor(chip, reason) {
    super(chip, 'VREG_AND_CHIP_RESET');
    this.values = new Map([[VREG, 0x10b1], [BROWN_OUT, 0x91], [CHIP_RESET, reason]]);
  }

  readUint32(offset) {
    return this.values.get(offset) ?? super.readUint32(offset);
  }

  writeUint32(offset, value) {
    if (offset !== CHIP_RESET) this.values.set(offset, value);
  }
}

/** A block of registers that keep what is written and read 0 at first (IO_QSPI, XIP_CTRL). */
export class Plain extends BasePeripheral {
  constructor(chip, name) {
    super(chip, name);
    this.registers = new Map();
  }

  readUint32(offset) {
    return this.registers.get(offset) ?? 0;
  }

  writeUint32(offset, value) {
    this.registers.set(offset, value);
  }
}

const SSI_DATA = 0x60;
const READ_UNIQUE_ID = 0x4b;
const READ_JEDEC_ID = 0x9f;
const UNIQUE_ID_DUMMY_BYTES = 4;
const JEDEC_W25Q16 = [0xef, 0x40, 0x15];

/** Teaches the serial flash interface the commands that identify the flash chip; `uid` is 8 bytes. */
export function installFlashId(chip, uid) {
  const ssi = chip.peripherals[0x18000];
  const read = ssi.readUint32.bind(ssi);
  const write = ssi.writeUint32.bind(ssi);
  let answer = [];
  ssi.readUint32 = (offset) => (offset === SSI_DATA && answer.length ? answer.shift() : read(offset));
  ssi.writeUint32 = (offset, value) => {
    const command = offset === SSI_DATA ? value & 0xff : undefined;
    if (command === READ_UNIQUE_ID) answer = [...new Array(UNIQUE_ID_DUMMY_BYTES).fill(0), ...uid];
    else if (command === READ_JEDEC_ID) answer = [...JEDEC_W25Q16];
    else write(offset, value);
  };
}

const ALARM0 = 0x10;
const ALARM3 = 0x1c;
const TIMER_WRAP_NANOS = 2 ** 32 * 1000;

/** Makes the timer's alarms fire on their microsecond; rp2040js fires them up to one microsecond early. */
export function correctTimer(chip) {
  const timer = chip.peripherals[0x40054];
  const write = timer.writeUint32.bind(timer);
  timer.writeUint32 = (offset, value) => {
    write(offset, value);
    if (offset < ALARM0 || offset > ALARM3) return;
    const target = (value >>> 0) * 1000;
    const now = chip.clock.nanos % TIMER_WRAP_NANOS;
    const ahead = Math.floor(now / 1000) === value >>> 0 ? 0 : target - now;
    const wait = ahead < 0 ? ahead + TIMER_WRAP_NANOS : ahead;
    timer.alarms[(offset - ALARM0) / 4].clockAlarm.schedule(wait);
  };
}
