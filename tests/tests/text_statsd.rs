//! StatsD lines of arbitrary metrics, by the grammar that servers parse.

use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest};
use tapes_core::metric::{
    BaseUnit, Buckets, Counts, Descriptor, Distribution, Kind, Labels, Unit, Value,
};
use tapes_core::rates::RateReading;
use tapes_core::text::statsd::{Dialect, Encoder, LINE_LEN_MAX};

/// Takes `name:number|type` apart; `None` if a server would not see these three.
fn fields(line: &str) -> Option<(&str, &str, &str)> {
    let (name, rest) = line.split_once(':')?;
    let (number, kind) = rest.split_once('|')?;
    let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
    let is_number = number.chars().all(|c| c.is_ascii_digit() || "-.".contains(c));
    (is_name && is_number && number.parse::<f64>().is_ok()).then_some((name, number, kind))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// A line that a server reads otherwise corrupts somebody's data.
    #[test]
    fn every_line_is_well_formed(
        name in "\\PC{1,128}",
        prefix in "\\PC{0,80}",
        labels in vec(("\\PC{0,5}", "\\PC{0,5}"), 0..4),
        (kind, number, per) in (0usize..7, any::<u64>(), any::<u32>()),
        rates: (f32, f32),
    ) {
        let name: String = name.chars().take(60).collect();
        let pairs: Vec<(&str, &str)> =
            labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let geometry = Buckets { scale: 1, first: -20, len: 3 };
        let buckets = [1, number >> 30, 3];
        let distribution = Distribution::new(geometry, Counts {
            sum: number,
            min: Some(number / 3),
            max: Some(number),
            zero: 1,
            overflow: number >> 33,
            buckets: &buckets,
        });
        let (kind, value) = match kind {
            0 => (Kind::Counter, Value::Unsigned(number)),
            1 => (Kind::Meter, Value::Unsigned(number)),
            2 => (Kind::UpDown, Value::Signed(number.cast_signed())),
            3 => (Kind::GaugeFloat, Value::F32(f32::from_bits(per))),
            4 => (Kind::GaugeDouble, Value::F64(f64::from_bits(number))),
            5 => (Kind::Histogram(geometry), Value::Distribution(distribution)),
            _ => (Kind::Timer(geometry), Value::Distribution(distribution)),
        };
        let mut descriptor = Descriptor::new(&name, kind, Unit::new(BaseUnit::None, per));
        descriptor.labels = Labels::new(&pairs);
        let rates = RateReading { m1: rates.0, m5: rates.1.abs(), m15: 0.0, mean: 1e30 };
        for dialect in [Dialect::Etsy, Dialect::DogStatsd, Dialect::Tapes] {
            let mut buffer = [0; LINE_LEN_MAX + 200];
            let mut encoder = Encoder::new(dialect, &mut buffer).with_prefix(&prefix);
            let mut lines = Vec::new();
            encoder.metric(&descriptor, 0, &value, Some(number), Some(rates), &mut |line| {
                lines.push(line.to_owned());
            });
            prop_assert_eq!(encoder.dropped(), 0);
            for line in lines {
                let (first, second) = match line.split_once('\n') {
                    Some((first, second)) => (Some(first), second),
                    None => (None, line.as_str()),
                };
                let parsed = fields(second);
                prop_assert!(parsed.is_some(), "{}", line);
                let (name, number, kind) = parsed.unwrap_or_default();
                let negative = number.starts_with('-');
                if dialect == Dialect::DogStatsd {
                    prop_assert!(name.starts_with(|c: char| c.is_ascii_alphabetic()), "{}", line);
                    prop_assert!(!name.contains('-') && name.len() <= 200, "{}", line);
                    let tags = kind.split_once("|#").map_or(0, |(_, tags)| tags.split(',').count());
                    prop_assert_eq!(tags, pairs.len(), "{}", line);
                } else {
                    prop_assert!(matches!(kind, "c" | "g" | "ms"), "{}", line);
                    // A negative gauge is a change unless it is set to 0 in the same datagram.
                    let reset = format!("{name}:0|g");
                    prop_assert_eq!(first, (negative && kind == "g").then_some(reset.as_str()));
                }
            }
        }
    }
}
