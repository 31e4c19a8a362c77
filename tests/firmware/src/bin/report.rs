//! Reports of the typical board into nothing: what making their frames costs.
#![no_std]
#![no_main]

use core::convert::Infallible;
use core::mem::MaybeUninit;

use tapes_core::metric::Group;
use tapes_core::report::SerialReporter;
use tapes_core::wire::{Epoch, Identity, Origin, frame_len, stream_len};
use tapes_core::{Registry, Source as _};
use tapes_probes::bench::nothing;
use tapes_probes::benches;
use tapes_probes::board::{self, MOTOR, RADIO};

/// Room for all buckets of a timer, full of the first 2^32 values.
const FRAME: usize = stream_len(frame_len(80, 1 << 32));

type Reporter = SerialReporter<{ board::METRICS }, { board::WORDS }, FRAME>;

static SOURCES: [Group<'static>; 2] = [MOTOR.group(), RADIO.group()];
static REGISTRY: Registry<4, 8> = Registry::new();
static mut REPORTER: MaybeUninit<Reporter> = MaybeUninit::uninit();

/// A writer that takes everything at once.
struct Nowhere;

impl embedded_io::ErrorType for Nowhere {
    type Error = Infallible;
}

impl embedded_io::Write for Nowhere {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

fn reporter() -> &'static mut Reporter {
    let reporter = &raw mut REPORTER;
    // SAFETY: `main` has written it and waits; one function at a time is called.
    let reporter = unsafe { &mut *reporter };
    // SAFETY: as above.
    unsafe { reporter.assume_init_mut() }
}

benches! {
    bench_empty { nothing() }
    // Two values.
    bench_report {
        MOTOR.loops.increment();
        MOTOR.loop_time.record(24);
        let _ = reporter().report(&SOURCES, 1_000_000, &mut Nowhere);
    }
    // All values.
    bench_report_keyframe {
        reporter().encoder().force_keyframe();
        let _ = reporter().report(&SOURCES, 1_000_000, &mut Nowhere);
    }
    // All values and the whole dictionary, as after a start.
    bench_report_first {
        reporter().encoder().force_keyframe();
        reporter().encoder().force_dictionary();
        let _ = reporter().report(&SOURCES, 1_000_000, &mut Nowhere);
    }
    bench_read_registry {
        let _ = REGISTRY.visit(0, &mut |sample| {
            core::hint::black_box(sample.value);
            core::ops::ControlFlow::Continue(())
        });
    }
}

#[cortex_m_rt::entry]
fn main() -> ! {
    for name in ["wheel.a", "wheel.b", "wheel.c", "wheel.d"] {
        let _ = REGISTRY.counter(name);
    }
    let origin = Origin::from_array(*b"board-01");
    let identity = Identity::new(origin, Epoch::new(0, 1), 1_000_000);
    // SAFETY: nobody else runs yet.
    unsafe { REPORTER = MaybeUninit::new(Reporter::new(identity)) };
    // Keyframes and pieces of the dictionary come when they are asked for.
    reporter().encoder().set_keyframe_interval(u16::MAX);
    reporter().encoder().set_report_interval_ms(1);
    // An hour of a control loop: two humps, 29 of 80 buckets filled.
    for i in 0..2_000u32 {
        board::record();
        let near = 20 + (i.wrapping_mul(0x9e37_79b9) >> 27);
        MOTOR.loop_time.record(near);
        MOTOR.idle_time.record(900 + (near << 3));
        RADIO.send_time.record(near << 6);
    }
    // What had not come to rest in the first is in the second too.
    for _ in 0..2 {
        let _ = reporter().report(&SOURCES, 0, &mut Nowhere);
    }
    loop {
        cortex_m::asm::wfi();
    }
}
