// Watches handlers of interrupts: how regularly they begin, and how many cycles they take.

/** What one handler has done; times and cycles are of the processor's clock. */
class Watched {
  constructor({ period }) {
    Object.assign(this, { period, entries: 0, first: 0, early: 0, late: 0, min: Infinity, max: 0, sum: 0 });
  }

  /** The handler begins at `cycles` of simulated time. */
  entered(cycles) {
    if (this.entries++ === 0) this.first = cycles;
    if (!this.period) return;
    const half = this.period / 2;
    const passed = (((cycles - this.first + half) % this.period) + this.period) % this.period;
    this.early = Math.min(this.early, passed - half);
    this.late = Math.max(this.late, passed - half);
  }

  took(cycles) {
    this.min = Math.min(this.min, cycles);
    this.max = Math.max(this.max, cycles);
    this.sum += cycles;
  }

  get report() {
    if (this.entries === 0) return { entries: 0 };
    const { entries, min, max, sum } = this;
    const jitter = this.period ? Math.round(this.late - this.early) : null;
    return { entries, jitter, min, max, sum };
  }
}

/**
 * Watches the handlers of `wanted`, each `{ text, symbol, micros }`, on core 0 of a board. `report` gives for each:
 * how often it was entered; `jitter`, by how many cycles the earliest and the latest entry lie apart from each other,
 * each compared with a grid of `micros`; and the cycles from entry to return, less those of handlers that interrupted
 * it: `min`, `max` and `sum`.
 */
export class Watches {
  constructor(board, wanted) {
    this.board = board;
    this.byAddress = new Map();
    this.byText = new Map();
    for (const { text, symbol, micros } of wanted) {
      const watched = new Watched({ period: micros && (micros * board.chip.clkSys) / 1e6 });
      this.byAddress.set(board.elf.symbol(symbol).address & ~1, watched);
      this.byText.set(text, watched);
    }
    this.attach(board.chip);
  }

  /** To be called again for the chip of each boot. */
  attach(chip) {
    const { core, clock } = chip;
    const running = [];
    const enter = core.exceptionEntry;
    core.exceptionEntry = (number) => {
      const start = core.cycles;
      enter(number);
      const watched = this.byAddress.get(core.PC & ~1);
      watched?.entered(((this.board.bootedAt + clock.nanos) * chip.clkSys) / 1e9);
      running.push({ watched, start, others: 0 });
    };
    const leave = core.exceptionReturn;
    core.exceptionReturn = (link) => {
      leave(link);
      const { watched, start, others } = running.pop();
      const spent = core.cycles - start;
      watched?.took(spent - others);
      if (running.length) running.at(-1).others += spent;
    };
  }

  get report() {
    return Object.fromEntries([...this.byText].map(([text, watched]) => [text, watched.report]));
  }
}
