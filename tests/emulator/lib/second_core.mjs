// Core 1, which rp2040js leaves out: its processor, the mailboxes between the cores, and how core 0 starts it.
//
// The cores take turns, one instruction of core 0 and then as many of core 1 as fit in the same time. Whoever runs is
// `chip.core`, so that the registers that each core has of its own are his.

import { correctProcessor } from './core.mjs';

const CPUID = 0x000;
const FIFO_ST = 0x050;
const FIFO_WR = 0x054;
const FIFO_RD = 0x058;
const FIFO_PLACES = 8;
const FIFO_VALID = 1 << 0;
const FIFO_READY = 1 << 1;
const WFE = 0xbf20;
const SIO_IRQ = [15, 16];
const LAUNCH_LENGTH = 6; // 0, 0, 1, vector table, stack pointer, entry: RP2040 datasheet 2.8.2

export class SecondCore {
  constructor(chip) {
    Object.assign(this, { chip, first: chip.core, core: undefined, heard: [], owed: 0 });
    this.mail = [[], []]; // for core 0 and for core 1
    this.connectMailboxes();
    this.connectInterrupts();
  }

  get cores() {
    return this.core ? [this.first, this.core] : [this.first];
  }

  /** The number of the core that runs. */
  get running() {
    return this.chip.core === this.first ? 0 : 1;
  }

  connectMailboxes() {
    const { sio } = this.chip;
    const read = sio.readUint32.bind(sio);
    const write = sio.writeUint32.bind(sio);
    sio.readUint32 = (offset) => {
      const own = this.running;
      if (offset === CPUID) return own;
      if (offset === FIFO_RD) return this.receive(own);
      if (offset !== FIFO_ST) return read(offset);
      const valid = this.mail[own].length > 0 ? FIFO_VALID : 0;
      return valid | (this.mail[1 - own].length < FIFO_PLACES ? FIFO_READY : 0);
    };
    sio.writeUint32 = (offset, value) => {
      if (offset === FIFO_WR) this.send(this.running, value >>> 0);
      else if (offset !== FIFO_ST) write(offset, value);
    };
  }

  receive(own) {
    const word = this.mail[own].shift() ?? 0;
    if (this.mail[own].length === 0) this.interrupt(own, false);
    return word;
  }

  send(own, word) {
    if (own === 0 && !this.core) return this.launch(word);
    const mail = this.mail[1 - own];
    if (mail.length < FIFO_PLACES) mail.push(word);
    this.interrupt(1 - own, true);
    this.wake();
    return undefined;
  }

  interrupt(own, value) {
    this.cores[own]?.setInterrupt(SIO_IRQ[own], value);
  }

  /** The boot ROM's side: it answers each word with the same one, and begins anew at one that is out of turn. */
  launch(word) {
    const turn = this.heard.length;
    const right = turn < 2 ? word === 0 : turn > 2 || word === 1;
    this.heard = right ? [...this.heard, word] : [];
    this.mail[0].push(word);
    this.interrupt(0, true);
    this.wake();
    if (this.heard.length === LAUNCH_LENGTH) this.start(...this.heard.slice(3));
  }

  start(vectors, stack, entry) {
    this.core = new this.first.constructor(this.chip);
    correctProcessor(this.core);
    Object.assign(this.core, { VTOR: vectors, SP: stack, PC: entry & ~1 });
  }

  /** Peripherals interrupt both cores; each masks what it does not want. */
  connectInterrupts() {
    this.chip.setInterrupt = (irq, value) => {
      for (const core of this.cores) core.setInterrupt(irq, value);
    };
  }

  /** What SEV does, and a word in a mailbox: ends the WFE that a core is in, or its next one. */
  wake() {
    for (const core of this.cores) {
      const inWfe = core.waiting && this.chip.readUint16((core.PC & ~1) - 2) === WFE;
      core.eventRegistered = !inWfe;
      if (inWfe) core.waiting = false;
    }
  }

  /** Runs core 1 for as many cycles as core 0 has taken, or for one instruction; returns the cycles that it took. */
  run(cycles) {
    const { core, chip } = this;
    this.owed += cycles;
    const before = core.cycles;
    chip.core = core;
    while (this.owed > 0) {
      if (core.waiting && !core.tryWake()) {
        this.owed = 0;
        break;
      }
      const start = core.cycles;
      core.executeInstruction();
      this.owed -= core.cycles - start;
    }
    chip.core = this.first;
    return core.cycles - before;
  }

  /** Whether core 1 sleeps, or has not been started. */
  get sleeps() {
    return !this.core || (this.core.waiting && !this.core.tryWake());
  }
}
