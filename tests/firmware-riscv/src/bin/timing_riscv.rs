//! The logic of `timing_loop` on RISC-V, for QEMU's machine `virt`: the machine timer starts each pass, the UART carries
//! the report.
#![no_std]
#![no_main]

use core::fmt;
use core::panic::PanicInfo;
use core::ptr::{
    read_volatile, with_exposed_provenance, with_exposed_provenance_mut, write_volatile,
};

use riscv::interrupt::Interrupt;
use riscv::register::{mie, mstatus};
use riscv_rt::{core_interrupt, entry};

#[path = "../../../firmware/src/timing.rs"]
mod timing;
use timing::{MOTOR, PASSES, command, pass, report};

/// The timer of the core-local interruptor, at 10 MHz: the low word, and what it is compared with.
const MTIME: usize = 0x0200_bff8;
const MTIMECMP: usize = 0x0200_4000;
/// The transmit register of the UART, which takes everything at once.
const UART: usize = 0x1000_0000;
/// What ends the emulator: a word for success, and one for failure.
const FINISHER: usize = 0x0010_0000;
const PASS: u32 = 0x5555;
const FAIL: u32 = 0x1_3333;
/// Ticks between passes.
const PERIOD: u32 = 4_000;

fn read(address: usize) -> u32 {
    // SAFETY: the addresses above are registers of this machine that reading does not change.
    unsafe { read_volatile(with_exposed_provenance(address)) }
}

fn write(address: usize, word: u32) {
    // SAFETY: as above; writing has no effect on memory.
    unsafe { write_volatile(with_exposed_provenance_mut(address), word) };
}

struct Uart;

impl fmt::Write for Uart {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // SAFETY: as above; the register takes bytes.
        text.bytes().for_each(|byte| unsafe {
            write_volatile(with_exposed_provenance_mut(UART), byte);
        });
        Ok(())
    }
}

fn exit(success: bool) -> ! {
    loop {
        write(FINISHER, if success { PASS } else { FAIL });
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let _ = fmt::Write::write_fmt(&mut Uart, format_args!("{info}\n"));
    exit(false)
}

/// The run is over long before the low word of the timer wraps, after 7 minutes.
#[core_interrupt(Interrupt::MachineTimer)]
fn tick() {
    let due = read(MTIMECMP);
    write(MTIMECMP, due + PERIOD);
    pass(|| read(MTIME) - due);
}

fn instructions() -> u32 {
    riscv::register::minstret::read() as u32
}

#[entry]
fn main() -> ! {
    write(MTIMECMP + 4, 0);
    write(MTIMECMP, read(MTIME) + PERIOD);
    // SAFETY: the handler is ready.
    unsafe {
        mie::set_mtimer();
        mstatus::set_mie();
    }
    let mut commands = 0;
    while MOTOR.loops.value() < PASSES.into() {
        command(commands);
        commands += 1;
        riscv::asm::wfi();
    }
    riscv::interrupt::disable();
    let reported = report(&mut Uart, instructions);
    // One more may have come before it was stopped.
    exit(reported.is_ok() && MOTOR.loops.value() >= PASSES.into());
}
