//! The tables and dumps of `core/docs/wire-format.md`, both ways: our encoder makes those bytes,
//! and our decoder reads them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod wire_support;

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;
use tapes_core::metric::{
    BaseUnit, Buckets, Counts, Descriptor, Dimension, Dimensions, Distribution, Kind, Labels, Unit,
    Value,
};
use tapes_core::wire::{
    Address, Body, DataWriter, Deframer, DictWriter, Dictionary, DictionaryHash, Encoder, Epoch,
    Event, Feed, Flags, Frame, Header, Hello, Identity, Origin, Reading, Request, ResetReason,
    event_frame, hello_frame, stream_frame,
};
use wire_support::{Fake, FakeHistogram, FakeMetric, FakeSource, own, trimmed};

const DOCUMENT: &str = include_str!("../../core/docs/wire-format.md");

/// Returns the lines between the marker of a golden part and the end of its table or block.
fn part(name: &str) -> Vec<&'static str> {
    let marker = format!("<!-- golden: {name} -->");
    let mut parts = DOCUMENT.split(&marker);
    let (Some(_), Some(after), None) = (parts.next(), parts.next(), parts.next()) else {
        panic!("the document must have the marker {marker:?} once");
    };
    let mut lines = after.lines().skip_while(|line| line.is_empty()).peekable();
    if lines.next_if(|line| line.starts_with("```")).is_some() {
        return lines.take_while(|line| !line.starts_with("```")).collect();
    }
    let rows: Vec<_> = lines.take_while(|line| line.starts_with('|')).skip(2).collect();
    assert!(!rows.is_empty(), "{name} has no rows");
    rows
}

/// Returns the cells of a table's rows, without the quotes around code.
fn table<const N: usize>(name: &str) -> Vec<[String; N]> {
    let cells = |row: &str| {
        let cells = row.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', ""));
        let cells: Vec<String> = cells.collect();
        cells.try_into().unwrap_or_else(|cells| panic!("{name}: {cells:?} are not {N} cells"))
    };
    part(name).into_iter().map(cells).collect()
}

/// Reads hexadecimal digits, pairs separated by one space.
fn hex(text: &str) -> Vec<u8> {
    let byte = |pair| u8::from_str_radix(pair, 16).unwrap_or_else(|_| panic!("{text:?}"));
    text.split(' ').filter(|pair| !pair.is_empty()).map(byte).collect()
}

/// Reads a dump: on each line bytes, then two spaces or more, then a remark.
fn dump(name: &str) -> Vec<u8> {
    part(name).iter().flat_map(|line| hex(line.split("  ").next().unwrap())).collect()
}

fn to_hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        write!(text, "{byte:02x} ").unwrap();
    }
    text.trim_end().to_owned()
}

fn assert_bytes(label: &str, ours: &[u8], document: &[u8]) {
    assert_eq!(to_hex(ours), to_hex(document), "{label}: ours, then the document's");
}

/// Returns the body of a DATA frame that holds one value.
fn body_of(id: u32, value: &Value<'_>) -> Vec<u8> {
    let mut buffer = [0; 600];
    let mut data = DataWriter::new(&mut buffer, &Header::short(1));
    assert!(data.push(id, value));
    Frame::parse(data.finish().unwrap()).unwrap().body_bytes().to_vec()
}

/// Returns the frame with that body, made without our encoder.
fn data_frame(body: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x12, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    frame.extend(body);
    let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI).checksum(&frame);
    frame.extend(crc.to_le_bytes());
    frame
}

/// Returns the value of a DATA frame with that body and its id.
fn value_in<R>(body: &[u8], read: impl FnOnce(u32, Reading<'_>) -> R) -> R {
    let frame = data_frame(body);
    let Ok(Body::Data(mut values)) = Frame::parse(&frame).unwrap().body() else { panic!() };
    let (id, reading) = values.next().unwrap().unwrap();
    assert!(values.next().is_none());
    read(id, reading)
}

/// If this fails, numbers are encoded in another way than the document says.
#[test]
fn varints() {
    for [value, bytes] in table("uvarint") {
        let value: u64 = value.replace(' ', "").parse().unwrap();
        let body = [&[0], hex(&bytes).as_slice()].concat();
        assert_bytes(&value.to_string(), &body_of(0, &Value::Unsigned(value)), &body);
        value_in(&body, |_, reading| assert_eq!(reading, Reading::Unsigned(value)));
        assert_bytes("postcard", &postcard::to_allocvec(&value).unwrap(), &hex(&bytes));
    }
    for [value, mapped, bytes] in table("zigzag") {
        let value: i64 = value.replace(' ', "").parse().unwrap();
        let mapped: u64 = mapped.replace(' ', "").parse().unwrap();
        let body = [&[1], hex(&bytes).as_slice()].concat();
        assert_bytes(&value.to_string(), &body_of(0, &Value::Signed(value)), &body);
        value_in(&body, |_, reading| assert_eq!(reading, Reading::Signed(value)));
        assert_bytes("as unsigned", &postcard::to_allocvec(&mapped).unwrap(), &hex(&bytes));
        assert_bytes("postcard", &postcard::to_allocvec(&value).unwrap(), &hex(&bytes));
    }
    for [bytes, why] in table("no-varint") {
        let body = [&[0], hex(&bytes).as_slice()].concat();
        let frame = data_frame(&body);
        let Ok(Body::Data(mut values)) = Frame::parse(&frame).unwrap().body() else { panic!() };
        assert!(values.next().unwrap().is_err(), "{why}");
    }
}

/// If this fails, a foreign implementation has another checksum than ours.
#[test]
fn checksums() {
    for [text, crc, bytes] in table("crc32c") {
        let text = if text == "(nothing)" { String::new() } else { text };
        let mut hash = DictionaryHash::new();
        // An entry `text` is hashed with its length.
        hash.push(text.as_bytes());
        let with_length = [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
        let theirs = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI);
        assert_eq!(hash.value(), theirs.checksum(&with_length));
        let value = u32::from_str_radix(crc.trim_start_matches("0x"), 16).unwrap();
        assert_eq!(theirs.checksum(text.as_bytes()), value);
        assert_bytes(&text, &value.to_le_bytes(), &hex(&bytes));
    }
}

/// If this fails, a foreign implementation finds other frames on a stream than ours.
#[test]
fn stuffing() {
    let expand = |cell: &str| -> Vec<u8> {
        // `01 .. fe` stands for all bytes in between.
        match cell.split_once(" .. ") {
            None => hex(cell),
            Some((head, tail)) => {
                let (head, tail) = (hex(head), hex(tail));
                let between = head[head.len() - 1] + 1..tail[0];
                head.iter().copied().chain(between).chain(tail.iter().copied()).collect()
            }
        }
    };
    for [frame, stream] in table("cobs") {
        let (frame, stream) = (expand(&frame), expand(&stream));
        let mut buffer = [0; 300];
        assert_bytes("COBS", stream_frame(&frame, &mut buffer).unwrap(), &stream);
        let mut deframer = Deframer::<300>::new();
        assert_eq!(deframer.feed(&stream), Feed::Frame { frame: &frame, rest: &[] });
    }
    for [frame, stream] in table("cobs-short") {
        let mut deframer = Deframer::<300>::new();
        let frame = expand(&frame);
        assert_eq!(deframer.feed(&expand(&stream)), Feed::Frame { frame: &frame, rest: &[] });
    }
}

fn histogram() -> FakeHistogram {
    let mut buckets = vec![0; 104];
    // Around 100 and 3,000 microseconds.
    for (i, count) in [(26, 3), (27, 250), (28, 7), (45, 1), (48, 2)] {
        buckets[i] = count;
    }
    FakeHistogram { sum: 33_210, min: Some(91), max: Some(4_100), buckets, ..Default::default() }
}

/// Calls `with` with a value as core knows it.
fn with_value<R>(fake: &Fake, with: impl FnOnce(&Value<'_>) -> R) -> R {
    match fake {
        Fake::Unsigned(n) => with(&Value::Unsigned(*n)),
        Fake::Signed(n) => with(&Value::Signed(*n)),
        Fake::F32(n) => with(&Value::F32(*n)),
        Fake::F64(n) => with(&Value::F64(*n)),
        Fake::Null => with(&Value::Null),
        Fake::Histogram(h) => {
            let counts = Counts {
                sum: h.sum,
                min: h.min,
                max: h.max,
                zero: h.zero,
                overflow: h.overflow,
                buckets: &h.buckets,
            };
            let len = u32::try_from(h.buckets.len()).unwrap();
            let geometry = Buckets { scale: 2, first: -80, len };
            with(&Value::Distribution(Distribution::new(geometry, counts)))
        }
    }
}

/// The values of the table of DATA entries, by what the table calls them.
fn values() -> BTreeMap<&'static str, (u32, Fake)> {
    let empty = FakeHistogram { buckets: vec![0; 104], ..Default::default() };
    let ends = FakeHistogram {
        sum: 1 << 32,
        min: Some(0),
        max: Some(u64::from(u32::MAX)),
        zero: 2,
        overflow: 1,
        buckets: vec![0; 104],
    };
    BTreeMap::from([
        ("counter 0", (0, Fake::Unsigned(0))),
        ("counter 1 000", (0, Fake::Unsigned(1_000))),
        ("meter 2^39 − 1", (0, Fake::Unsigned((1 << 39) - 1))),
        ("up/down −12", (0, Fake::Signed(-12))),
        ("gauge 36.5, 32 bits", (0, Fake::F32(36.5))),
        ("gauge 0.1, 64 bits", (0, Fake::F64(0.1))),
        ("gauge without a value", (0, Fake::Null)),
        ("id 15, counter 1", (15, Fake::Unsigned(1))),
        ("id 16, counter 1", (16, Fake::Unsigned(1))),
        ("timer, nothing recorded", (0, Fake::Histogram(empty))),
        ("timer, 2 below, 1 above all buckets", (0, Fake::Histogram(ends))),
        ("timer, five buckets in two spans", (0, Fake::Histogram(histogram()))),
    ])
}

/// If this fails, values are encoded in another way than the document says.
#[test]
fn data_entries() {
    let mut values = values();
    for [label, bytes] in table("entries") {
        let bytes = hex(&bytes);
        let (id, value) = values.remove(label.as_str()).unwrap_or_else(|| panic!("{label}"));
        with_value(&value, |value| assert_bytes(&label, &body_of(id, value), &bytes));
        value_in(&bytes, |read_id, reading| {
            let wire_support::Heard::One(read) = own(reading) else { panic!("{label}") };
            assert_eq!((read_id, trimmed(&read)), (id, trimmed(&value)), "{label}");
        });
    }
    assert!(values.is_empty(), "not in the document: {:?}", values.keys());
}

fn identity() -> Identity {
    Identity {
        build_id: 0x5eed,
        reset_reason: ResetReason::PowerOn,
        boot_count: 3,
        ..Identity::new(
            Origin::from_array([0xe6, 0x61, 0x41, 0x03, 0xe7, 0x45, 0x7a, 0x2c]),
            Epoch::new(0, 0x1234_5678),
            1_000_000,
        )
    }
}

/// The board of the dumps.
fn board() -> FakeSource {
    const FAULTS: &[Dimension<'static>] =
        &[Dimension { name: "fault", values: &["overheat", "stall"] }];
    let mut loops = FakeMetric::counter("motor.loops", 1_000);
    loops.help = "Control loop passes.".to_owned();
    let mut temperature = FakeMetric::new("motor.temperature", Kind::GaugeFloat, Fake::F32(36.5));
    temperature.unit = Unit::CELSIUS;
    let loop_time = FakeMetric::timer("motor.loop_time", 104, histogram());
    let position = FakeMetric::new("motor.position", Kind::UpDown, Fake::Signed(-12));
    let mut faults = FakeMetric::counter("motor.faults", 0);
    faults.dimensions = FAULTS;
    faults.values = vec![Fake::Unsigned(0), Fake::Unsigned(2)];
    FakeSource::new(vec![loops, temperature, loop_time, position, faults])
}

/// The frames of the first report of that board.
fn first_report() -> Vec<Vec<u8>> {
    let mut encoder = Encoder::<8, 400>::new(identity(), 512).with_wrapping_words();
    let mut buffer = [0; 512];
    let mut frames = Vec::new();
    encoder.begin(1_500_000);
    while let Some(frame) = encoder.next_frame(&board(), &mut buffer) {
        frames.push(frame.to_vec());
        encoder.sent();
    }
    frames
}

/// If this fails, the frames in the document are not those of a device.
#[test]
fn the_frames_of_a_report() {
    let frames = first_report();
    assert_eq!(frames.len(), 3);
    for (name, frame) in ["hello", "dict", "data"].into_iter().zip(&frames) {
        assert_bytes(name, frame, &dump(name));
    }
    let stream = dump("stream");
    let mut buffer = [0; 200];
    let ours = stream_frame(&frames[0], &mut buffer).unwrap();
    assert_bytes("stream", &[&[0], ours].concat(), &stream);
}

/// If this fails, our decoder misreads the frames of the document.
#[test]
fn the_frames_are_read_back() {
    let (hello, dict, data) = (dump("hello"), dump("dict"), dump("data"));
    let frame = Frame::parse(&hello).unwrap();
    let Ok(Body::Hello(read)) = frame.body() else { panic!() };
    let us = identity();
    let expected = Hello {
        origin: us.origin.as_bytes(),
        epoch: us.epoch,
        build_id: 0x5eed,
        reset_reason: ResetReason::PowerOn,
        boot_count: 3,
        tick_hz: 1_000_000,
        metrics: 5,
        max_frame: 512,
    };
    assert_eq!(read, expected);

    let board = board();
    let frame = Frame::parse(&dict).unwrap();
    let Ok(Body::Dict(entries)) = frame.body() else { panic!() };
    let mut hash = DictionaryHash::new();
    for ((id, body, read), metric) in entries.zip(&board.metrics) {
        hash.push(body);
        let counts = !matches!(metric.kind, Kind::GaugeFloat | Kind::UpDown);
        let bits = if counts { 39 } else { 64 };
        assert_eq!(read, Some(Descriptor { bits, ..metric.descriptor() }), "entry {id}");
    }
    let known = Dictionary { len: hash.len(), hash: hash.value() };
    assert_eq!((frame.header.dictionary, known.len), (known, 5));

    let mut receiver = wire_support::Receiver::default();
    receiver.take(&data).unwrap();
    receiver.assert_has(&board);
    let header = Frame::parse(&data).unwrap().header;
    assert_eq!((header.seq, header.uptime), (2, 1_500_000));
    assert_eq!(header.flags, Flags::KEYFRAME.with(Flags::LAST));
    assert_eq!(header.address, Address::Short(0x1234_5678));
}

/// If this fails, EVENT or addressed frames are not what the document says.
#[test]
fn the_other_frames() {
    let event = Event { registry_full: 1, frames_dropped: 300, epoch_collisions: 0 };
    let mut buffer = [0; 100];
    let header = Header { seq: 3, uptime: 2_500_000, ..Header::short(0x1234_5678) };
    assert_bytes("event", event_frame(&mut buffer, &header, &event).unwrap(), &dump("event"));
    let bytes = dump("event");
    assert!(matches!(Frame::parse(&bytes).unwrap().body(), Ok(Body::Event(read)) if read == event));

    let origin = identity().origin;
    let epoch = Epoch::new(7, 0x1234_5678);
    let header = Header { seq: 40, uptime: 99, ..Header::full(origin.as_bytes(), epoch) };
    let mut data = DataWriter::new(&mut buffer, &header);
    assert!(data.push(0, &Value::Unsigned(5)));
    assert_bytes("addressed", data.finish().unwrap(), &dump("addressed"));
    let bytes = dump("addressed");
    let read = Frame::parse(&bytes).unwrap().header;
    assert_eq!(read.address, Address::Full { origin: origin.as_bytes(), epoch });
    assert!(read.flags.contains(Flags::ADDRESSED));
}

/// As postcard's derive sees a HELLO.
#[derive(Serialize)]
struct PostcardHello<'a> {
    origin: &'a [u8],
    epoch: u64,
    build_id: u64,
    reset_reason: u8,
    boot_count: u32,
    tick_hz: u32,
    metrics: u32,
    max_frame: u32,
}

#[derive(Serialize)]
struct PostcardEvent {
    registry_full: u32,
    frames_dropped: u32,
    epoch_collisions: u32,
}

/// As postcard's derive sees the body of an entry; kinds and units are written out, because their
/// codes have gaps.
#[derive(Serialize)]
struct PostcardEntry<'a> {
    bits: u8,
    kind: u8,
    unit: (u8, u32, &'a str),
    name: &'a str,
    help: &'a str,
    labels: Vec<(&'a str, &'a str)>,
    dimensions: Vec<(&'a str, Vec<&'a str>)>,
}

#[derive(Serialize)]
struct PostcardHistogramKind {
    scale: u8,
    first: i32,
    len: u32,
}

#[derive(Serialize)]
struct PostcardHistogram {
    sum: u64,
    min: u64,
    max: u64,
    zero: u64,
    overflow: u64,
    spans: Vec<(u32, Vec<u64>)>,
}

/// If this fails, a postcard user with serde structs cannot read our bodies.
#[test]
fn bodies_are_postcard() {
    let us = identity();
    let hello = PostcardHello {
        origin: us.origin.as_bytes(),
        epoch: us.epoch.to_u64(),
        build_id: us.build_id,
        reset_reason: 1,
        boot_count: 3,
        tick_hz: 1_000_000,
        metrics: 5,
        max_frame: 512,
    };
    let frame = dump("hello");
    let body = Frame::parse(&frame).unwrap().body_bytes();
    assert_bytes("HELLO", &postcard::to_allocvec(&hello).unwrap(), body);

    let event = PostcardEvent { registry_full: 1, frames_dropped: 300, epoch_collisions: 0 };
    let frame = dump("event");
    let body = Frame::parse(&frame).unwrap().body_bytes();
    assert_bytes("EVENT", &postcard::to_allocvec(&event).unwrap(), body);

    let entry = PostcardEntry {
        bits: 64,
        kind: 0,
        unit: (255, 10, "furlongs"),
        name: "a.b",
        help: "Help.",
        labels: vec![("axis", "x"), ("side", "left")],
        dimensions: vec![("fault", vec!["overheat", "stall"]), ("ok", vec!["no", "yes"])],
    };
    let dimensions = [
        Dimension { name: "fault", values: &["overheat", "stall"] },
        Dimension { name: "ok", values: &["no", "yes"] },
    ];
    let descriptor = Descriptor {
        help: "Help.",
        labels: Labels::new(&[("axis", "x"), ("side", "left")]),
        dimensions: Dimensions::new(&dimensions),
        ..Descriptor::new("a.b", Kind::Counter, Unit::new(BaseUnit::Other("furlongs"), 10))
    };
    assert_bytes("entry", &postcard::to_allocvec(&entry).unwrap(), &entry_body(&descriptor));

    let geometry = Buckets { scale: 2, first: -80, len: 104 };
    let body = entry_body(&Descriptor::new("t", Kind::Timer(geometry), Unit::MICROS));
    let kind = PostcardHistogramKind { scale: 2, first: -80, len: 104 };
    let theirs = postcard::to_allocvec(&(64u8, 7u8, kind, (1u8, 1_000_000u32), "t", "")).unwrap();
    assert_bytes("timer", &[theirs.as_slice(), &[0, 0]].concat(), &body);

    let h = histogram();
    let theirs = PostcardHistogram {
        sum: h.sum,
        min: 91,
        max: 4_100,
        zero: 0,
        overflow: 0,
        spans: vec![(26, vec![3, 250, 7]), (16, vec![1, 0, 0, 2])],
    };
    let ours = with_value(&Fake::Histogram(h), |value| body_of(0, value));
    assert_bytes("histogram", &postcard::to_allocvec(&theirs).unwrap(), &ours[1..]);
    for value in [0.0f32, -1.5, f32::INFINITY] {
        let ours = body_of(0, &Value::F32(value));
        assert_bytes("f32", &postcard::to_allocvec(&value).unwrap(), &ours[1..]);
        let ours = body_of(0, &Value::F64(value.into()));
        assert_bytes("f64", &postcard::to_allocvec(&f64::from(value)).unwrap(), &ours[1..]);
    }
}

fn entry_body(descriptor: &Descriptor<'_>) -> Vec<u8> {
    let mut buffer = [0; 400];
    let mut dict = DictWriter::new(&mut buffer, &Header::short(1), 0);
    assert!(dict.push(descriptor));
    let frame = dict.finish().unwrap();
    let Ok(Body::Dict(mut entries)) = Frame::parse(frame).unwrap().body() else { panic!() };
    let (_, body, read) = entries.next().unwrap();
    assert_eq!(read.as_ref(), Some(descriptor));
    body.to_vec()
}

/// If this fails, the codes in the document are not those of the code.
#[test]
fn codes() {
    let buckets = Buckets { scale: 0, first: 0, len: 1 };
    let kinds = BTreeMap::from([
        ("counter", Kind::Counter),
        ("up/down counter", Kind::UpDown),
        ("signed gauge", Kind::GaugeInt),
        ("unsigned gauge", Kind::GaugeUint),
        ("float gauge, 32 bits", Kind::GaugeFloat),
        ("meter", Kind::Meter),
        ("histogram", Kind::Histogram(buckets)),
        ("timer", Kind::Timer(buckets)),
        ("float gauge, 64 bits", Kind::GaugeDouble),
    ]);
    let rows = table::<4>("kinds");
    assert_eq!(rows.len(), kinds.len());
    for [code, name, _, _] in rows {
        let descriptor = Descriptor::new("k", kinds[name.as_str()], Unit::NONE);
        assert_eq!(entry_body(&descriptor)[1].to_string(), code, "{name}");
    }
    let units = [
        BaseUnit::Seconds,
        BaseUnit::Bytes,
        BaseUnit::Celsius,
        BaseUnit::Ratio,
        BaseUnit::Volts,
        BaseUnit::Amperes,
        BaseUnit::Watts,
        BaseUnit::Joules,
        BaseUnit::Hertz,
        BaseUnit::Meters,
        BaseUnit::Grams,
    ];
    let rows = table::<2>("units");
    assert_eq!(rows.len(), units.len() + 2);
    for [code, name] in rows {
        let base = match name.as_str() {
            "none" => BaseUnit::None,
            "other" => BaseUnit::Other("x"),
            name => units.into_iter().find(|unit| unit.name() == name).unwrap(),
        };
        let descriptor = Descriptor::new("k", Kind::Counter, Unit::new(base, 1));
        assert_eq!(entry_body(&descriptor)[2].to_string(), code, "{name}");
    }
    for [code, name] in table("reasons") {
        assert_eq!(ResetReason::from_code(code.parse().unwrap()).name(), name);
    }
    let flags = BTreeMap::from([
        ("ADDRESSED", Flags::ADDRESSED),
        ("AUTH", Flags::AUTH),
        ("KEYFRAME", Flags::KEYFRAME),
        ("LAST", Flags::LAST),
    ]);
    let mut named = 0;
    for [bit, name, _] in table("flags") {
        if let Some(flag) = flags.get(name.as_str()) {
            assert_eq!(flag.bits(), 1 << bit.parse::<u8>().unwrap(), "{name}");
            named += 1;
        }
    }
    assert_eq!(named, flags.len());
}

/// If this fails, the limits in the document are not those of the code.
#[test]
fn limits() {
    use tapes_core::metric::{BUCKETS_MAX, CELLS_MAX, DIMENSIONS_MAX, LABELS_MAX, SCALE_MAX};
    use tapes_core::name::{HELP_LEN_MAX, LABEL_NAME_LEN_MAX, LABEL_VALUE_LEN_MAX, NAME_LEN_MAX};
    use tapes_core::wire::{FRAME_LEN_MAX, FRAME_LEN_MIN, METRICS_MAX, ORIGIN_LEN_MAX};
    let code: BTreeMap<&str, usize> = BTreeMap::from([
        ("frame, bytes", FRAME_LEN_MAX),
        ("smallest `max_frame`, bytes", FRAME_LEN_MIN),
        ("origin, bytes", ORIGIN_LEN_MAX),
        ("metrics of an epoch", METRICS_MAX as usize),
        ("buckets of a histogram, and spans", BUCKETS_MAX as usize),
        ("scale of a histogram", usize::from(SCALE_MAX)),
        ("labels of a metric", LABELS_MAX),
        ("dimensions of a family", DIMENSIONS_MAX),
        ("cells of a family", CELLS_MAX as usize),
        ("name of a metric, bytes", NAME_LEN_MAX),
        ("help, bytes", HELP_LEN_MAX),
        ("name of a label, bytes", LABEL_NAME_LEN_MAX),
        ("value of a label, bytes", LABEL_VALUE_LEN_MAX),
        ("name of a unit, bytes", tapes_core::metric::UNIT_NAME_LEN_MAX),
    ]);
    let document: BTreeMap<String, usize> = table("limits")
        .into_iter()
        .map(|[what, limit, _]| (what, limit.replace(' ', "").parse().unwrap()))
        .collect();
    let code = code.into_iter().map(|(what, limit)| (what.replace('`', ""), limit)).collect();
    assert_eq!(document, code);
}

/// If this fails, a sender and a receiver that follow the document do not understand each other.
#[test]
fn requests() {
    let rows = table::<3>("requests");
    let sent: Vec<u8> = rows.iter().flat_map(|[bytes, ..]| hex(bytes)).collect();
    assert_eq!(sent, [Request::Dictionary.byte(), Request::Keyframe.byte()]);
    for byte in 0..=u8::MAX {
        let request = Request::from_byte(byte);
        assert_eq!(request.is_some(), sent.contains(&byte), "{byte:#x}");
        assert!(request.is_none_or(|request| request.byte() == byte), "{byte:#x}");
    }
}

/// Prints what the document should hold; `cargo test --test wire_golden -- --ignored --nocapture`.
#[test]
#[ignore = "prints the bytes for the document after a deliberate change"]
fn print() {
    for (label, (id, value)) in values() {
        println!("{label}: {}", with_value(&value, |value| to_hex(&body_of(id, value))));
    }
    for frame in first_report() {
        println!("{}", to_hex(&frame));
    }
    let mut buffer = [0; 100];
    let event = Event { registry_full: 1, frames_dropped: 300, epoch_collisions: 0 };
    let header = Header { seq: 3, uptime: 2_500_000, ..Header::short(0x1234_5678) };
    println!("{}", to_hex(event_frame(&mut buffer, &header, &event).unwrap()));
    let origin = identity().origin;
    let header = Header {
        seq: 40,
        uptime: 99,
        ..Header::full(origin.as_bytes(), Epoch::new(7, 0x1234_5678))
    };
    let mut data = DataWriter::new(&mut buffer, &header);
    assert!(data.push(0, &Value::Unsigned(5)));
    println!("{}", to_hex(data.finish().unwrap()));
    let hello = first_report().swap_remove(0);
    println!("{}", to_hex(stream_frame(&hello, &mut buffer).unwrap()));
    let header = Header::short(0);
    let hello = Hello {
        origin: &[1],
        epoch: Epoch::new(0, 0),
        build_id: 0,
        reset_reason: ResetReason::Unknown,
        boot_count: 0,
        tick_hz: 1,
        metrics: 0,
        max_frame: 128,
    };
    println!("{}", to_hex(hello_frame(&mut buffer, &header, &hello).unwrap()));
}

/// If this fails, receivers that follow the document widen in another way than ours.
#[test]
fn widening() {
    for [bits, before, value, after] in table("widening") {
        let number = |cell: &str| cell.replace(' ', "").parse::<u64>().unwrap();
        let widened = tapes_std::fleet::widen::widen(
            number(&before),
            number(&value),
            u8::try_from(number(&bits)).unwrap(),
        );
        assert_eq!(widened, number(&after), "{value} after {before} with {bits} bits");
    }
}
