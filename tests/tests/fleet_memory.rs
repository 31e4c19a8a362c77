//! A gateway that runs for years: of devices that start over and over again it keeps the last lives
//! and the sums of all others, which nothing is missing from.
//!
//! The allocator of this program counts the bytes in use.

use std::alloc::{GlobalAlloc, Layout as Block, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tapes_core::wire::{Encoder, Epoch, Identity, Origin};
use tapes_core::{Registry, layout};
use tapes_std::fleet::{Fleet, Limits, LinkId, LinkKind, NodeId};

struct Counting;

/// Bytes in use.
static IN_USE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is handed to the system's allocator as it is.
#[expect(unsafe_code, reason = "an allocator is unsafe to implement")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, block: Block) -> *mut u8 {
        IN_USE.fetch_add(block.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(block) }
    }

    unsafe fn dealloc(&self, old: *mut u8, block: Block) {
        IN_USE.fetch_sub(block.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(old, block) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const BOARDS: usize = 3;
const LIVES: u32 = 90;
/// Lives after which all memory is taken that ever will be, but for the names of lives: twice those
/// that are kept apart.
const SETTLED: u32 = 32;
/// Most bytes of a life that is known by name only, so that its late frames count nothing; a device
/// has 1,024 of them at most.
const NAME_BYTES: usize = 128;
/// Seconds of a life: long enough for the whole dictionary.
const SECONDS: u64 = 32;
/// Passes in a second.
const PASSES: u64 = 7;

/// Lets a board live once, from its start at `now` on.
fn live(fleet: &mut Fleet, link: LinkId, board: usize, life: u32, now: Duration) {
    let registry = Registry::<4, 400>::new();
    let counter = registry.counter("motor.passes").expect("there is room");
    let layout = layout!(unit = micros, max = 1 s, scale = 2);
    let timer = registry.timer::<1_000_000>("motor.pass_time", layout).expect("there is room");
    registry.gauge::<u32>("motor.heat").expect("there is room").set(life);
    let origin = Origin::from_array((board as u64).to_be_bytes());
    let identity = Identity::new(origin, Epoch::new(0, life * 2 + 1), 1_000_000);
    let mut encoder = Encoder::<4, 400>::new(identity, 1_500).with_full_address();
    let mut buffer = [0; 1_600];
    for second in 1..=SECONDS {
        for pass in 0..PASSES {
            counter.increment();
            timer.record(u32::try_from(20 + pass * pass * second).expect("small"));
        }
        encoder.begin(second * 1_000_000);
        while let Some(frame) = encoder.next_frame(&registry, &mut buffer) {
            fleet.ingest(link, frame, now + Duration::from_secs(second)).expect("it is good");
            encoder.sent();
        }
    }
}

/// What a gateway would need each week a little more of, it would once a year not get.
#[test]
fn devices_that_start_again_and_again_take_no_more_memory() {
    let mut fleet = Fleet::new(NodeId([1; 16]), Limits::default());
    let link = fleet.open_link("radio", LinkKind::Socket).unwrap();
    let mut now = Duration::from_secs(1_000);
    let mut settled = 0;
    for life in 1..=LIVES {
        for board in 1..=BOARDS {
            live(&mut fleet, link, board, life, now);
        }
        now += Duration::from_secs(60);
        let passes: Vec<_> = fleet
            .snapshot(now)
            .devices
            .iter()
            .flat_map(|device| &device.series)
            .filter(|series| &*series.key.name == "motor.passes")
            .map(|series| series.total.value().count().unwrap())
            .collect();
        let all = u64::from(life) * SECONDS * PASSES;
        assert_eq!(passes, vec![all; BOARDS], "life {life}");
        let bytes = IN_USE.load(Ordering::Relaxed);
        if life == SETTLED {
            settled = bytes;
        }
        let more = bytes.saturating_sub(settled);
        let names = (life.max(SETTLED) - SETTLED) as usize * BOARDS * NAME_BYTES;
        assert!(life <= SETTLED || more <= names, "life {life}: {more} bytes more");
    }
    println!("{settled} bytes in use after {SETTLED} lives");
}
