// Corrections of the processor model of rp2040js 1.4.1, each for something that real firmware does.

const FIRST_INTERRUPT = 16;
const ENTRY_CYCLES = 15; // ARM Cortex-M0+ TRM: interrupt latency with zero wait states
const ICPR = 0x280;
const AIRCR = 0xd0c;
const MPU = 0xd90; // kept, not enforced
const MPU_END = 0xda4;
const AIRCR_RESET = 0x05fa0004;
const AIRCR_RESET_MASK = 0xffff0004;

/** Corrects the processor of `chip`; `onReset` is called when the firmware asks for a system reset. */
export function correctCore(chip, onReset) {
  correctProcessor(chip.core);
  const { ppb } = chip;
  const read = ppb.readUint32.bind(ppb);
  const write = ppb.writeUint32.bind(ppb);
  ppb.readUint32 = (offset) =>
    offset >= MPU && offset < MPU_END ? (chip.core.protection.get(offset) ?? 0) : read(offset);
  ppb.writeUint32 = (offset, value) => {
    const { core } = chip; // the one that runs
    if (offset >= MPU && offset < MPU_END) {
      core.protection.set(offset, value);
    } else if (offset === ICPR) {
      core.pendingInterrupts = (core.pendingInterrupts & ~value) | (core.lines & value);
    } else if (offset === AIRCR) {
      if ((value & AIRCR_RESET_MASK) >>> 0 === AIRCR_RESET) onReset();
    } else {
      write(offset, value);
    }
  };
}

/**
 * Corrects one core.
 *
 * - A pending bit is taken when its handler is entered and comes back while the line is still up, so a software
 *   `pend` runs the handler once, and `unpend` works.
 * - WFI with PRIMASK set wakes without entering the handler, and SysTick wakes a sleeping core.
 * - Entering a handler takes time.
 */
export function correctProcessor(core) {
  core.lines = 0;
  core.protection = new Map();
  correctPending(core);
  correctSleep(core);
}

function correctPending(core) {
  core.setInterrupt = (irq, value) => {
    const bit = 1 << irq;
    const rising = value && !(core.lines & bit);
    if (value) core.lines |= bit;
    else core.lines &= ~bit;
    if (rising) {
      core.pendingInterrupts |= bit;
      core.interruptsUpdated = true;
    }
  };
  const enter = core.exceptionEntry.bind(core);
  core.exceptionEntry = (number) => {
    if (number >= FIRST_INTERRUPT) core.pendingInterrupts &= ~(1 << (number - FIRST_INTERRUPT));
    enter(number);
    core.cycles += ENTRY_CYCLES;
  };
  const leave = core.exceptionReturn.bind(core);
  core.exceptionReturn = (link) => {
    const number = core.IPSR;
    leave(link);
    if (number >= FIRST_INTERRUPT) {
      core.pendingInterrupts |= core.lines & (1 << (number - FIRST_INTERRUPT));
    }
  };
}

function correctSleep(core) {
  const check = core.checkForInterrupts.bind(core);
  /** Called instead of an instruction while the core sleeps; true when it has woken up. */
  core.tryWake = () => {
    if (core.PM && !core.pendingNMI) {
      const pending = core.pendingInterrupts & core.enabledInterrupts;
      core.waiting = !(pending || core.pendingSystick || core.pendingPendSV);
      return !core.waiting;
    }
    if (!core.interruptsUpdated) return false;
    core.waiting = false;
    core.waiting = !check();
    return !core.waiting;
  };
}
