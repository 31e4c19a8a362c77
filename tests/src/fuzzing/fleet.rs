//! Fleet application: frames with right checksums and any content, on several inputs, over time.

use std::collections::BTreeSet;
use std::time::{Duration, UNIX_EPOCH};

use tapes_std::exposition::Format;
use tapes_std::fleet::{Fleet, Limits, LinkId, LinkKind, NodeId};

use super::sealed;

/// Inputs of the fleet, by the low bits of a step.
const KINDS: [LinkKind; 4] =
    [LinkKind::Serial, LinkKind::Socket, LinkKind::Capture, LinkKind::Socket];

/// What is exported is looked at for one input in so many.
const TEXT_TURNS: u8 = 8;

/// A step that closes an input and opens it again.
const REOPEN: u8 = 0xc0;

/// Small ones, so that inputs of a few frames reach them.
fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.origins = 4;
    limits.epochs_per_origin = 3;
    limits.metrics_per_epoch = 24;
    limits.bytes = 48 << 10;
    limits.bytes_per_origin = 24 << 10;
    limits.tombstones_per_origin = 3;
    limits.link_names = 2;
    limits.origins_per_socket = 2;
    limits.bytes_per_loose_epoch = 4 << 10;
    limits
}

/// One step of an input.
struct Step<'d> {
    control: u8,
    /// Frame without its checksum.
    content: &'d [u8],
}

/// Reads a step: `control ‖ length ‖ content`. The low two bits of `control` are the input, the
/// next four the time that passes; with [`REOPEN`] there is nothing else.
fn step(data: &[u8]) -> Option<(Step<'_>, &[u8])> {
    let (&control, rest) = data.split_first()?;
    if control & REOPEN == REOPEN {
        return Some((Step { control, content: &[] }, rest));
    }
    let (&len, rest) = rest.split_first()?;
    let (content, rest) = rest.split_at(usize::from(len).min(rest.len()));
    Some((Step { control, content }, rest))
}

/// Returns how long a step takes: nothing, or from a millisecond to 12 days.
fn pause(control: u8) -> Duration {
    match control >> 2 & 15 {
        0 => Duration::ZERO,
        power => Duration::from_millis(1 << (2 * power)),
    }
}

/// Takes steps one after another and looks at the fleet afterwards.
///
/// # Panics
///
/// If limits do not hold, or what the fleet exports cannot be read.
pub fn body(data: &[u8]) {
    let limits = limits();
    let mut fleet = Fleet::new(NodeId([1; 16]), limits);
    let open = |fleet: &mut Fleet, kind| fleet.open_link("fuzz", kind).expect("few are open");
    let mut links: [LinkId; 4] = KINDS.map(|kind| open(&mut fleet, kind));
    let mut now = Duration::from_secs(1);
    let mut used = false;
    let mut rest = data;
    while let Some((Step { control, content }, more)) = step(rest) {
        rest = more;
        let link = usize::from(control & 3);
        if control & REOPEN == REOPEN {
            fleet.close_link(links[link]);
            links[link] = open(&mut fleet, KINDS[link]);
            continue;
        }
        now += pause(control);
        used |= fleet.ingest(links[link], &sealed(content), now).is_ok();
    }
    let state = fleet.state();
    assert!(state.bytes() <= limits.bytes, "{} bytes", state.bytes());
    assert!(state.len() <= limits.origins, "{} origins", state.len());
    for (_, origin) in state.origins() {
        assert!(origin.len() <= limits.epochs_per_origin, "{} epochs", origin.len());
        assert!(origin.bytes() <= limits.bytes_per_origin, "{} bytes", origin.bytes());
    }
    // The text takes ten times as long as the frames.
    let turn = data.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    if used && turn.is_multiple_of(TEXT_TURNS) {
        assert_readable(&fleet, now);
    }
}

/// Panics unless each sample is a number and no series is there twice.
fn assert_readable(fleet: &Fleet, now: Duration) {
    let snapshot = fleet.snapshot(now);
    let mut text = String::new();
    snapshot.write_metrics(Format::OpenMetrics, UNIX_EPOCH, &mut text).expect("strings grow");
    let mut seen = BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').expect("a sample has a value");
        assert!(value.parse::<f64>().is_ok(), "{line}");
        assert!(seen.insert(series), "{series} is there twice");
    }
    text.clear();
    assert!(snapshot.write_stats(&[], &mut text).expect("strings grow"), "the root is there");
    let stats = serde_json::from_str::<serde_json::Value>(&text);
    assert!(stats.is_ok_and(|stats| stats.is_object()), "{text}");
}
