//! The real gateway for a long time, with many devices, faults and restarts.
//!
//! `cargo xtask soak` runs an hour of it with 1,000 devices, optimised, and prints what it took.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod gateway_support;
mod soak_support;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use soak_support::driver::{self, Phase, World};
use soak_support::figures::{Figures, quantile};
use soak_support::page::{self, Page};
use soak_support::probe::Probe;
use soak_support::watched::Watched;
use tapes_tests::noise::Noise;
use tapes_tests::servers::{Scratch, wait_for};

/// Looks at the memory that say whether it grows.
const LOOKS_MIN: usize = 6;

/// How long it takes, and how much of everything there is.
#[derive(Debug, Clone, Copy)]
struct Plan {
    devices: u32,
    /// Of the part with faults.
    time: Duration,
    /// From one report of a device to its next one. To the device it is always a second.
    period: Duration,
    /// From one look at the pages to the next one.
    look: Duration,
    /// Of each part in which something is measured.
    measuring: Duration,
    probes: usize,
    restarts: u32,
}

impl Plan {
    /// Reads what `cargo xtask soak` asks for; else it is a short one.
    fn asked() -> Self {
        let number = |name| std::env::var(name).ok().map(|text| text.parse::<u32>().unwrap());
        let Some(minutes) = number("TAPES_SOAK_MINUTES") else {
            return Self {
                devices: 60,
                time: Duration::from_secs(8),
                period: Duration::from_millis(100),
                look: Duration::from_millis(400),
                measuring: Duration::from_secs(1),
                probes: 20,
                restarts: 4,
            };
        };
        Self {
            devices: number("TAPES_SOAK_DEVICES").unwrap_or(1_000),
            time: Duration::from_secs(60) * minutes,
            period: Duration::from_secs(1),
            look: Duration::from_secs(5),
            measuring: Duration::from_secs(60),
            probes: 300,
            restarts: 12,
        }
    }

    fn connections(&self) -> usize {
        // Strangers, the probe, and those whose end was not noticed yet.
        self.devices as usize * 5 / 4 + 64
    }
}

/// If this fails, a gateway that runs for years loses counts, makes some up, or grows until it is
/// killed.
#[test]
fn totals_stay_exact_and_memory_flat_through_faults_and_restarts() {
    allow_many_connections();
    let plan = Plan::asked();
    let scratch = Scratch::new("soak");
    let state = scratch.path().join("state");
    let gateway = Watched::start(&state, plan.connections());
    let mut figures = Figures { devices: plan.devices, ..Figures::default() };
    figures.idle_wakeups = per_second(plan.measuring, || gateway.wakeups());

    let world = World::new(plan.devices, gateway.frames);
    let driver = driver::start(Arc::clone(&world), plan.period);
    wait_for("every device", || {
        std::thread::sleep(plan.look);
        (page::scrape(gateway.http()).len() >= plan.devices as usize).then_some(())
    });
    measure(&mut figures, &plan, &gateway, &world);
    println!("{figures}");

    world.has_faults.store(true, Ordering::Relaxed);
    let (gateway, page) = endure(&plan, &state, gateway, &world);
    world.has_faults.store(false, Ordering::Relaxed);
    world.works.store(false, Ordering::Relaxed);

    let settled = Instant::now();
    wait_for_exact(&gateway, &world, &page);
    println!("exact {:.1} s after the last fault", settled.elapsed().as_secs_f64());
    world.ends.store(true, Ordering::Relaxed);
    driver.join().unwrap();
    gateway.end(true);
    let gateway = Watched::start(&state, plan.connections());
    let differing = page::inexact(&page::scrape(gateway.http()), &world);
    assert!(differing.is_empty(), "after the last restart: {differing:?}");
    println!(
        "reports: {}, faults: {}, reboots: {}, restarts of the gateway: {}",
        world.reports.load(Ordering::Relaxed),
        world.faults.load(Ordering::Relaxed),
        world.reboots.load(Ordering::Relaxed),
        plan.restarts + 1,
    );
}

/// A connection for each device, at both ends.
fn allow_many_connections() {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard.min(soft.max(8_192)), hard).unwrap();
}

/// Returns by how much a count grows in a second.
#[expect(clippy::cast_precision_loss, reason = "small counts")]
fn per_second(time: Duration, count: impl Fn() -> u64) -> f64 {
    let (start, before) = (Instant::now(), count());
    std::thread::sleep(time);
    (count() - before) as f64 / start.elapsed().as_secs_f64()
}

/// Measures what the devices take while nothing is wrong, and how soon they are seen.
#[expect(clippy::cast_precision_loss, reason = "small counts")]
fn measure(figures: &mut Figures, plan: &Plan, gateway: &Watched, world: &World) {
    let (start, reports) = (Instant::now(), world.reports.load(Ordering::Relaxed));
    let before = gateway.processor_s();
    std::thread::sleep(plan.measuring);
    let elapsed = start.elapsed().as_secs_f64();
    figures.processor_percent = (gateway.processor_s() - before) / elapsed * 100.0;
    let reports = world.reports.load(Ordering::Relaxed) - reports;
    figures.reports_per_s = reports as f64 / elapsed;
    figures.resident_kib = gateway.resident_kib();
    let mut probe = Probe::new(gateway.frames, gateway.http());
    let mut noise = Noise(1);
    let mut times = Vec::new();
    for _ in 0..plan.probes {
        // At any time of the others' turns.
        std::thread::sleep(plan.period / 8 * u32::try_from(noise.below(4)).unwrap() / 4);
        times.push(probe.measure());
    }
    figures.visible_p50 = quantile(&mut times, 0.5);
    figures.visible_p99 = quantile(&mut times, 0.99);
}

/// Lets faults, reboots and restarts happen, and looks at the totals all the time.
///
/// The restarts are in the first half; in the second one the memory must stay what it is.
fn endure(plan: &Plan, state: &Path, mut gateway: Watched, world: &World) -> (Watched, Page) {
    let start = Instant::now();
    let (mut page, mut restarts, mut resident) = (Page::new(), 0, Vec::new());
    let mut noise = Noise(2);
    // On a slow machine all of it takes longer.
    while start.elapsed() < plan.time || restarts < plan.restarts || resident.len() < LOOKS_MIN {
        std::thread::sleep(plan.look);
        let elapsed = start.elapsed();
        if restarts < plan.restarts && elapsed > plan.time / 2 / plan.restarts * restarts {
            restarts += 1;
            gateway.end(restarts % 2 == 0);
            gateway = Watched::start(state, plan.connections());
            *world.gateway.lock().unwrap() = gateway.frames;
        }
        let now = page::scrape(gateway.http());
        page::check(&now, &page, world);
        page = now;
        reboot_some(&page, world, &mut noise);
        // Once what the restarts left has come to rest.
        if elapsed > plan.time * 6 / 10 && restarts == plan.restarts {
            resident.push(gateway.resident_kib());
        }
    }
    flat(&resident);
    (gateway, page)
}

/// Fails if memory grows from the first to the last third of the looks.
fn flat(resident_kib: &[u64]) {
    let third = resident_kib.len() / 3;
    let median = |part: &[u64]| {
        let mut part = part.to_vec();
        part.sort_unstable();
        part[part.len() / 2]
    };
    let first = median(&resident_kib[..=third]);
    let last = median(&resident_kib[resident_kib.len() - third - 1..]);
    println!("resident memory under faults: {first} KiB, at the end {last} KiB");
    // A twentieth for what the allocator does not give back at once, and as much as a page takes.
    assert!(last <= first + first / 20 + 4_096, "memory grows: {resident_kib:?} KiB");
}

/// Lets a few of the devices lose power, each when all that it counted is shown, and so saved.
fn reboot_some(page: &Page, world: &World, noise: &mut Noise) {
    let few = (world.devices.len() / 10).max(60).min(world.devices.len());
    let devices = &world.devices[..few];
    for (number, shared) in (0..).zip(devices) {
        let mut phase = shared.phase.lock().unwrap();
        let truth = *shared.truth.lock().unwrap();
        if *phase == Phase::Resting && page.get(&soak_support::board::uid(number)) == Some(&truth) {
            *phase = Phase::ToReboot;
        }
    }
    for _ in 0..4 {
        let mut phase = devices[noise.index(few)].phase.lock().unwrap();
        if *phase == Phase::Working {
            *phase = Phase::AskedToRest;
        }
    }
}

/// Waits until everything is shown as it is: a device says within half a minute what its numbers
/// mean.
fn wait_for_exact(gateway: &Watched, world: &World, before: &Page) {
    let mut before = before.clone();
    wait_for("exact totals", || {
        let page = page::scrape(gateway.http());
        page::check(&page, &before, world);
        let differing = page::inexact(&page, world);
        before = page;
        if !differing.is_empty() {
            std::thread::sleep(Duration::from_millis(500));
            eprintln!("{} devices are not exact yet", differing.len());
        }
        differing.is_empty().then_some(())
    });
}
