//! Frame decoding: bytes as a stream, and bytes as the content of a frame.

use tapes_core::metric::{Buckets, Counts, Distribution, Value};
use tapes_core::wire::{
    Body, DataBody, DataWriter, Deframer, Feed, Frame, Header, Reading, stream_frame, stream_len,
};

use super::sealed;

/// Length of the buffer that long frames overrun.
const SMALL: usize = 64;

/// The first byte says where the stream is cut into pieces; the rest is both a stream and the
/// content of a frame.
///
/// # Panics
///
/// If decoding depends on how the bytes arrive, differs from a decoder made from the specification,
/// reads something that is not there, or does not survive being written again.
pub fn body(data: &[u8]) {
    let Some((cut, data)) = data.split_first() else { return };
    let small = frames_of::<SMALL>(data, usize::from(*cut));
    assert_eq!(small, frames_of::<SMALL>(data, usize::MAX), "pieces of {cut} bytes");
    let large = frames_of::<4_096>(data, usize::from(*cut));
    if data.len() < 4_096 {
        assert_eq!(large, expected(data), "the specification says otherwise");
    }
    for frame in large.into_iter().flatten() {
        let _ = Frame::parse(&frame);
    }
    let frame = sealed(data);
    if let Ok(parsed) = Frame::parse(&frame) {
        assert!(parsed.body_bytes().len() < data.len(), "a header takes bytes");
        if let Ok(body) = parsed.body() {
            walk(&body, &parsed.header);
        }
        round_trip(&frame);
    }
}

/// A frame of a stream, or what was wrong instead of one.
type Heard = Result<Vec<u8>, &'static str>;

/// Cuts a stream that arrives in pieces.
fn frames_of<const N: usize>(stream: &[u8], piece: usize) -> Vec<Heard> {
    let mut deframer = Deframer::<N>::new();
    let mut heard = Vec::new();
    for mut rest in stream.chunks(piece.max(1)) {
        loop {
            rest = match deframer.feed(rest) {
                Feed::Frame { frame, rest } => {
                    assert!(!frame.is_empty() && frame.len() <= N, "{} bytes", frame.len());
                    heard.push(Ok(frame.to_vec()));
                    rest
                }
                Feed::Oversize { rest } => {
                    heard.push(Err("oversize"));
                    rest
                }
                Feed::Cobs { rest } => {
                    heard.push(Err("cobs"));
                    rest
                }
                _ => break,
            };
        }
    }
    heard
}

/// Cuts a short stream as the specification says.
fn expected(stream: &[u8]) -> Vec<Heard> {
    let mut pieces: Vec<&[u8]> = stream.split(|byte| *byte == 0).collect();
    pieces.pop();
    let decoded = pieces.into_iter().filter(|piece| !piece.is_empty()).map(decoded);
    decoded.filter(|frame| !frame.as_ref().is_ok_and(Vec::is_empty)).collect()
}

fn decoded(mut encoded: &[u8]) -> Heard {
    let mut frame = Vec::new();
    while let Some((code, rest)) = encoded.split_first() {
        let (run, rest) = rest.split_at_checked(usize::from(*code) - 1).ok_or("cobs")?;
        frame.extend_from_slice(run);
        if *code != 0xff && !rest.is_empty() {
            frame.push(0);
        }
        encoded = rest;
    }
    Ok(frame)
}

/// Reads everything that a frame holds.
fn walk(body: &Body<'_>, header: &Header<'_>) {
    match body {
        Body::Dict(entries) => {
            for (_, bytes, descriptor) in *entries {
                if let Some(descriptor) = descriptor {
                    assert!((1..=64).contains(&descriptor.bits), "{descriptor:?}");
                    assert!(descriptor.name.len() <= bytes.len(), "{descriptor:?}");
                    assert!(descriptor.dimensions.cells() <= 1_024, "{descriptor:?}");
                }
            }
        }
        Body::Data(values) => rewrite(*values, header),
        _ => {}
    }
}

/// Reads values, writes them, and reads them again.
fn rewrite(values: DataBody<'_>, header: &Header<'_>) {
    let mut buffer = vec![0; 16_384];
    let mut ids = Vec::new();
    let mut writer = DataWriter::new(&mut buffer, header);
    let mut kept = Vec::new();
    for value in values {
        let Ok((id, reading)) = value else { break };
        assert!(ids.last().is_none_or(|last| *last < id), "ids ascend");
        ids.push(id);
        let mut one = |cell: Option<u32>, reading: Reading<'_>| {
            let mut buckets = Vec::new();
            if let Some(value) = value_of(&reading, &mut buckets) {
                let written = match cell {
                    Some(cell) => writer.push_cell(id, cell, &value),
                    None => writer.push(id, &value),
                };
                if written {
                    kept.push((id, cell, plain(&reading)));
                }
            }
        };
        match reading {
            Reading::Family(cells) => {
                let mut last = None;
                for (cell, reading) in cells {
                    assert!(cell < 1_024 && last.is_none_or(|last| last < cell), "cell {cell}");
                    last = Some(cell);
                    one(Some(cell), reading);
                }
            }
            reading => one(None, reading),
        }
    }
    let Some(frame) = writer.finish() else { return };
    let Ok(Ok(Body::Data(values))) = Frame::parse(frame).map(|frame| frame.body()) else {
        panic!("DATA was written")
    };
    let mut again = Vec::new();
    for value in values {
        let (id, reading) = value.expect("what was written can be read");
        match reading {
            Reading::Family(cells) => {
                again.extend(cells.map(|(cell, reading)| (id, Some(cell), plain(&reading))));
            }
            reading => again.push((id, None, plain(&reading))),
        }
    }
    assert_eq!(again, kept, "written and read again");
}

/// Returns the value as encoders take it; `None` for what they never write.
fn value_of<'b>(reading: &Reading<'_>, buckets: &'b mut Vec<u64>) -> Option<Value<'b>> {
    Some(match reading {
        Reading::Unsigned(n) => Value::Unsigned(*n),
        Reading::Signed(n) => Value::Signed(*n),
        Reading::F32(n) => Value::F32(*n),
        Reading::F64(n) => Value::F64(*n),
        Reading::Null => Value::Null,
        Reading::Histogram(h) => {
            for (i, count) in h.buckets() {
                buckets.resize(i as usize, 0);
                buckets.push(count);
            }
            let (sum, min, max, zero, overflow) = (h.sum, h.min, h.max, h.zero, h.overflow);
            let counts = Counts { sum, min, max, zero, overflow, buckets };
            let len = u32::try_from(counts.buckets.len()).expect("at most 1,024");
            Value::Distribution(Distribution::new(Buckets { scale: 2, first: 0, len }, counts))
        }
        _ => return None,
    })
}

/// A value without what is equivalent, buckets of 0, and with the bits of floats.
#[derive(Debug, PartialEq)]
enum Plain {
    Unsigned(u64),
    Signed(i64),
    F32(u32),
    F64(u64),
    Null,
    Histogram([u64; 3], Option<u64>, Option<u64>, Vec<(u32, u64)>),
    Other,
}

fn plain(reading: &Reading<'_>) -> Plain {
    match reading {
        Reading::Unsigned(n) => Plain::Unsigned(*n),
        Reading::Signed(n) => Plain::Signed(*n),
        Reading::F32(n) => Plain::F32(n.to_bits()),
        Reading::F64(n) => Plain::F64(n.to_bits()),
        Reading::Null => Plain::Null,
        Reading::Histogram(h) => {
            let buckets = h.buckets().filter(|(_, count)| *count > 0).collect();
            Plain::Histogram([h.sum, h.zero, h.overflow], h.min, h.max, buckets)
        }
        _ => Plain::Other,
    }
}

/// A frame must come out of a stream as it went in, whatever is on the line before it.
fn round_trip(frame: &[u8]) {
    let mut buffer = vec![0; stream_len(frame.len()) + 2];
    let stream = stream_frame(frame, &mut buffer).expect("the buffer is long enough");
    let noisy = [&[1, 7, 7], &[0][..], stream].concat();
    let mut deframer = Box::new(Deframer::<16_384>::new());
    let mut rest: &[u8] = &noisy;
    loop {
        rest = match deframer.feed(rest) {
            Feed::Frame { frame: heard, rest: [] } => {
                assert_eq!(heard, frame, "another frame came out");
                return;
            }
            Feed::Frame { rest, .. } | Feed::Oversize { rest } | Feed::Cobs { rest } => rest,
            _ => {
                assert!(frame.len() > 16_384, "the frame got lost");
                return;
            }
        };
    }
}
