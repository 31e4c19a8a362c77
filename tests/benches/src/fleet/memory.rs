//! Memory in use for each series, dictionaries and everything else included.

use tapes_core::layout;
use tapes_core::metric::{Counts, Descriptor, Distribution, Kind, Layout, Unit, Value};
use tapes_core::wire::{
    Address, DataWriter, DictWriter, Dictionary, DictionaryHash, Epoch, Flags, Header, Origin,
};
use tapes_std::fleet::{Fleet, LinkId};

use super::{NOW, fleet};
use crate::table::{Limit, Table};
use crate::{ALLOCATOR, Options};

const BOARDS: u64 = 1_000;
pub(crate) const METRICS: u32 = 100;

static TIMES: &Layout = layout!(unit = micros, max = 60 s, scale = 2);

/// Feeds the dictionaries and first values of boards that have one kind of metric.
pub(crate) fn fill(fleet: &mut Fleet, link: LinkId, boards: u64, kind: Kind, value: &Value<'_>) {
    let names: Vec<String> = (0..METRICS).map(|i| format!("engine.part{i}.count")).collect();
    let unit = if kind.buckets().is_some() { Unit::MICROS } else { Unit::NONE };
    let described: Vec<_> = names
        .iter()
        .map(|name| Descriptor { bits: 39, ..Descriptor::new(name, kind, unit) })
        .collect();
    let mut buffer = vec![0; 16_000];
    for board in 1..=boards {
        let origin = Origin::from_array(board.to_be_bytes());
        let epoch = Epoch::new(0, 7);
        let address = Address::Full { origin: origin.as_bytes(), epoch };
        let mut header = Header { address, dictionary: Dictionary::default(), ..Header::short(0) };
        let mut hash = DictionaryHash::new();
        for (i, descriptor) in (0..).zip(&described) {
            let mut dict = DictWriter::new(&mut buffer, &header, i);
            assert!(dict.push(descriptor));
            let frame = dict.finish().expect("it fits");
            let parsed = tapes_core::wire::Frame::parse(frame).expect("a frame");
            let Ok(tapes_core::wire::Body::Dict(mut entries)) = parsed.body() else {
                panic!("DICT")
            };
            hash.push(entries.next().expect("an entry").1);
            fleet.ingest(link, frame, NOW).expect("it is good");
            header.seq += 1;
        }
        header.dictionary = Dictionary { len: hash.len(), hash: hash.value() };
        let ids: Vec<_> = (0..METRICS).collect();
        for (seq, ids) in (header.seq..).zip(ids.chunks(20)) {
            let header = Header { flags: Flags::KEYFRAME.with(Flags::LAST), seq, ..header };
            let mut data = DataWriter::new(&mut buffer, &header);
            assert!(ids.iter().all(|id| data.push(*id, value)));
            fleet.ingest(link, data.finish().expect("it fits"), NOW).expect("it is good");
        }
    }
}

fn bytes_per_series(kind: Kind, value: &Value<'_>, boards: u64) -> f64 {
    let (mut fleet, link) = fleet();
    let before = ALLOCATOR.allocated();
    fill(&mut fleet, link, boards, kind, value);
    let bytes = ALLOCATOR.allocated() - before;
    let series: usize = fleet.snapshot(NOW).devices.iter().map(|device| device.series.len()).sum();
    assert_eq!(series as u64, boards * u64::from(METRICS), "all are there");
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    return bytes as f64 / series as f64;
}

pub(crate) fn run(options: &Options, table: &mut Table) {
    let boards = if options.quick { BOARDS / 10 } else { BOARDS };
    let counter = bytes_per_series(Kind::Counter, &Value::Unsigned(123_456), boards);
    table.push("scalar series", counter, "B", Limit::Most(250.0));
    let geometry = TIMES.buckets();
    // Values from 1 µs to 60 s: every bucket is in use.
    let buckets: Vec<u64> = (0..u64::from(geometry.len)).map(|i| i * 37 + 1).collect();
    let counts =
        Counts { sum: 1, min: Some(1), max: Some(2), buckets: &buckets, ..Counts::default() };
    let full = Value::Distribution(Distribution::new(geometry, counts));
    let histogram = bytes_per_series(Kind::Timer(geometry), &full, boards / 10);
    table.push("histogram series, 104 buckets in use", histogram, "B", Limit::Most(1_300.0));
    let counts = Counts { buckets: &buckets[..52], ..counts };
    let half = Value::Distribution(Distribution::new(geometry, counts));
    let histogram = bytes_per_series(Kind::Timer(geometry), &half, boards / 10);
    table.push("histogram series, 52 buckets in use", histogram, "B", Limit::None);
}
