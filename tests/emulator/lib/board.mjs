// A board: one RP2040 with its flash, its RAM and its identity, through any number of resets.

import { RP2040 } from 'rp2040js';
import { correctCore } from './core.mjs';
import { NetworkHost } from './network_host.mjs';
import {
  ChipReset, correctTimer, HAD_POWER_ON, HAD_RUN_PIN, installFlashId, Plain, Rosc,
} from './peripherals.mjs';
import { fillRandom, randomWords } from './random.mjs';
import { installRom } from './rom.mjs';
import { SecondCore } from './second_core.mjs';
import { Uart } from './uart.mjs';
import { UsbHost } from './usb_host.mjs';
import { Watches } from './watch.mjs';

const FLASH = 0x10000000;
const RAM = 0x20000000;
const RAM_END = RAM + 264 * 1024;
const VECTORS = 0x10000100; // after the 256 bytes of the second-stage boot loader, unless the image says otherwise
const BOOT2_COPY = 0x41f00; // where the boot ROM copies that loader in RAM, at every reset
const BOOT2_SIZE = 256;
const BRANCH_TO_SELF = 0xe7fe;
const HARD_FAULT = 3;
const UART_IRQ = [20, 21];
const UART_DREQ = [{ tx: 20, rx: 21 }, { tx: 22, rx: 23 }];
const WATCHDOG_FORCED = 2;
const RTT_SYMBOL = '_SEGGER_RTT';
const RTT_MAGIC = 'SEGGER RTT';
const RTT_UP = 24; // the first channel to the host: name, buffer, size, write and read offsets, flags

/** What a reset keeps: RAM, watchdog scratch registers; and what CHIP_RESET then says. */
const RESETS = {
  cold: { ram: false, scratch: false, chip: HAD_POWER_ON },
  run: { ram: true, scratch: false, chip: HAD_RUN_PIN },
  warm: { ram: true, scratch: true, chip: undefined },
};
export const RESET_KINDS = Object.keys(RESETS);

/** Raised when the firmware did what stops a real processor too. */
export class Fault extends Error {}

export class Board {
  /**
   * `onByte(uart, byte)` receives what the UARTs send, `onUsb(bytes)` what the USB serial port sends if there is a
   * host, `onNetwork(text)` what a computer gets to which the board is a network card; `celsius(seconds)` is the die temperature, `watch` lists handlers to look at.
   */
  constructor(elf, { seed = 1, uid, celsius = () => 27, adc = {}, watch = [], onByte = () => {}, onUsb, onNetwork } = {}) {
    Object.assign(this, { elf, celsius, adc, watch, onByte, onUsb, onNetwork });
    this.rtt = elf.symbols.find(({ name }) => name === RTT_SYMBOL)?.address;
    this.vectors = elf.symbols.find(({ name }) => name === '__vector_table')?.address ?? VECTORS;
    this.words = randomWords(seed);
    this.uid = uid ?? derivedId(seed);
    this.bootedAt = 0; // nanoseconds of simulated time at the last reset
    this.boots = [];
    this.sentBefore = [0, 0];
    this.busyCycles = 0;
    this.chipResetReason = HAD_POWER_ON;
    this.boot('cold', 'power on');
  }

  /** Nanoseconds of simulated time, a whole number: sums of fractions would end a hair before what was asked for. */
  get nanos() {
    return Math.round(this.bootedAt + this.chip.clock.nanos);
  }

  get seconds() {
    return this.nanos / 1e9;
  }

  /** Starts the processor again; `kind` is one of RESET_KINDS. */
  boot(kind, why, watchdogReason = 0) {
    const { ram, scratch, chip: reason } = RESETS[kind];
    const old = this.chip;
    if (old) {
      this.bootedAt = this.nanos;
      this.busyCycles += old.core.cycles;
      old.uart.forEach((uart, index) => (this.sentBefore[index] += uart.sent));
    }
    if (reason !== undefined) this.chipResetReason = reason;
    const chip = new RP2040();
    if (old && ram) chip.sram.set(old.sram);
    else fillRandom(chip.sram, this.words);
    this.chip = chip;
    this.connect(chip);
    if (old) Object.assign(chip, { flash: old.flash, flash16: old.flash16, flashView: old.flashView });
    else this.loadImage();
    if (this.vectors === VECTORS) chip.sram.set(chip.flash.subarray(0, BOOT2_SIZE), BOOT2_COPY);
    const watchdog = chip.peripherals[0x40058];
    if (old && scratch) watchdog.scratchData.set(old.peripherals[0x40058].scratchData);
    watchdog.reason = watchdogReason;
    watchdog.onWatchdogTrigger = () => {
      // rp2040js would start it again at once, with no time to run, for ever.
      watchdog.timer.enable = false;
      this.wantedReset = ['warm', 'watchdog', watchdog.reason];
    };
    this.wantedReset = undefined;
    this.boots.push({ seconds: this.seconds, kind, why });
    this.start();
  }

  connect(chip) {
    chip.logger = this.logger();
    chip.onBreak = () => this.fault('breakpoint or undefined instruction');
    chip.uart.forEach((_, index) => {
      const uart = new Uart(chip, `UART${index}`, UART_IRQ[index], UART_DREQ[index]);
      uart.onByte = (byte) => this.onByte(index, byte);
      chip.uart[index] = uart;
      chip.peripherals[0x40034 + 4 * index] = uart;
    });
    chip.peripherals[0x40060] = new Rosc(chip, this.words);
    chip.peripherals[0x40064] = new ChipReset(chip, this.chipResetReason);
    chip.peripherals[0x40018] = new Plain(chip, 'IO_QSPI');
    chip.peripherals[0x14000] = new Plain(chip, 'XIP_CTRL');
    installRom(chip);
    installFlashId(chip, this.uid);
    correctTimer(chip);
    correctCore(chip, () => (this.wantedReset = ['warm', 'system reset request']));
    if (this.watches) this.watches.attach(chip);
    else if (this.watch.length) this.watches = new Watches(this, this.watch);
    this.second = new SecondCore(chip);
    this.usb = this.onUsb && new UsbHost(chip, this.onUsb);
    this.network = this.onNetwork && new NetworkHost(chip, this.onNetwork);
    const done = chip.adc.completeADCRead.bind(chip.adc);
    chip.adc.completeADCRead = (_, error) => done(this.sample(chip.adc.currentChannel), error);
  }

  /** The conversion result of an ADC channel, 12 bits. */
  sample(channel) {
    if (this.adc[channel] !== undefined) return this.adc[channel];
    if (channel !== 4) return 0;
    const volts = 0.706 - (this.celsius(this.seconds) - 27) * 0.001721;
    return Math.max(0, Math.min(4095, Math.round((volts * 4096) / 3.3)));
  }

  logger() {
    const quiet = () => {};
    const warn = (name, message) => {
      if (/not implemented yet|invalid memory|undefined address|not 32 bit aligned/.test(message)) {
        this.fault(`${name}: ${message}`);
      }
    };
    // rp2040js tells of SEV only here; the event must be registered, or the next WFE sleeps through it.
    const info = (_, message) => {
      if (message === 'SEV') this.second.wake();
    };
    return { debug: quiet, info, warn, error: warn };
  }

  loadImage() {
    const { chip, elf } = this;
    for (const { address, data } of elf.segments) {
      const offset = address - FLASH;
      if (offset < 0 || offset + data.length > chip.flash.length) {
        throw new Error(`${elf.path} has data for 0x${address.toString(16)}, which is not flash`);
      }
      chip.flash.set(data, offset);
    }
  }

  start() {
    const { core } = this.chip;
    core.VTOR = this.vectors;
    core.SP = this.chip.readUint32(this.vectors);
    core.PC = this.chip.readUint32(this.vectors + 4) & ~1;
    if (core.SP < RAM || core.SP > RAM_END || core.PC < FLASH || core.PC > FLASH + 2 ** 24) {
      const where = this.vectors.toString(16);
      throw new Error(`${this.elf.path} has no vector table at 0x${where}; is memory.x the one for the RP2040?`);
    }
  }

  fault(message) {
    const { core } = this.chip;
    const where = this.elf.nameAt(core.PC & ~1);
    throw new Fault(`${message} (at ${this.seconds.toFixed(6)} s, in ${where})`);
  }

  /** Runs to `nanos` of simulated time, through any reset that the firmware itself causes. */
  runTo(nanos) {
    while (this.nanos < nanos) {
      this.runBoot(nanos - this.bootedAt);
      if (this.wantedReset) this.boot(...this.wantedReset);
    }
  }

  runBoot(until) {
    const { chip } = this;
    const { core, clock } = chip;
    const { second } = this;
    let before = core.cycles;
    while (clock.nanosCounter < until && !this.wantedReset) {
      if (core.waiting && !core.tryWake()) {
        if (second.sleeps) {
          const next = clock.nextAlarm ? clock.nanosToNextAlarm : Infinity;
          clock.tick(Math.min(next, until - clock.nanosCounter));
        } else {
          clock.tick((second.run(1) * 1e9) / chip.clkSys);
        }
        before = core.cycles;
        continue;
      }
      core.executeInstruction();
      const spent = core.cycles - before;
      before = core.cycles;
      clock.tick((spent * 1e9) / chip.clkSys);
      if (second.core) second.run(spent);
    }
    this.checkAlive();
  }

  /** A panic or an unhandled fault ends in a branch to itself that nothing can interrupt. */
  checkAlive() {
    for (const core of this.second.cores) {
      const stuck = !core.waiting && this.chip.readUint16(core.PC & ~1) === BRANCH_TO_SELF;
      if (stuck && (core.PM || core.IPSR === HARD_FAULT)) {
        this.chip.core = core;
        this.fault('the firmware has stopped for ever');
      }
    }
  }

  /** Resets at once, as a hand on the board would. */
  reset(kind) {
    this.boot(kind, 'asked for', kind === 'warm' ? WATCHDOG_FORCED : 0);
  }

  get sent() {
    return this.chip.uart.map((uart, index) => this.sentBefore[index] + uart.sent);
  }

  /** Cycles in which the processor did not sleep, over all boots. */
  get cycles() {
    return this.busyCycles + this.chip.core.cycles;
  }

  /** Sends bytes to the board: over USB if there is a host, else on UART0. */
  type(bytes) {
    (this.usb ?? this.chip.uart[0]).feed(bytes);
  }

  /** What the firmware has written into its first RTT channel since the last call. */
  readRtt() {
    const { chip } = this;
    if (this.rtt === undefined) return new Uint8Array();
    const [buffer, size, write, read] = [1, 2, 3, 4].map((word) => this.rtt + RTT_UP + 4 * word);
    const [start, length] = [chip.readUint32(buffer), chip.readUint32(size)];
    const [end, from] = [chip.readUint32(write), chip.readUint32(read)];
    if (!this.rttReady() || end >= length || from >= length) return new Uint8Array();
    const bytes = Uint8Array.from({ length: (end - from + length) % length }, (_, index) =>
      chip.readUint8(start + ((from + index) % length)),
    );
    chip.writeUint32(read, end);
    return bytes;
  }

  /** Whether the control block is there: RAM is garbage at first. */
  rttReady() {
    const magic = Uint8Array.from({ length: RTT_MAGIC.length }, (_, index) => this.chip.readUint8(this.rtt + index));
    return Buffer.from(magic).toString('latin1') === RTT_MAGIC;
  }

  /** The words at a symbol, `count` of them or as many as its size says. */
  dump(wanted, count) {
    const { address, size } = this.elf.symbol(wanted);
    const length = count ?? Math.max(1, Math.ceil(size / 4));
    return Array.from({ length }, (_, index) => this.chip.readUint32(address + 4 * index) >>> 0);
  }
}

/** A unique id as a flash chip has it, drawn from the seed. */
function derivedId(seed) {
  const id = new Uint8Array(8);
  fillRandom(id, randomWords(seed ^ 0x7a7e5));
  id[0] = 0xe6;
  return id;
}
