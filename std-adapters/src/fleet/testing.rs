//! A device on a table: makes the frames that tests feed to a fleet.

use std::time::Duration;

use tapes_core::metric::{Descriptor, Kind, Unit, Value};
use tapes_core::wire::{
    Address, DataWriter, DictWriter, Dictionary, DictionaryHash, Epoch, Flags, Header, Hello,
    Origin, ResetReason, hello_frame,
};

use super::value::Stored;
use super::{Fleet, Limits, LinkId, LinkKind, NodeId};

/// A sender with one identity and one dictionary.
#[derive(Debug, Clone)]
pub(crate) struct Board {
    pub(crate) origin: Origin,
    pub(crate) epoch: Epoch,
    pub(crate) seq: u64,
    pub(crate) uptime: u64,
    /// Whether frames carry the full address.
    pub(crate) addressed: bool,
    pub(crate) dictionary: Vec<Descriptor<'static>>,
}

impl Board {
    pub(crate) const HZ: u32 = 1_000;

    pub(crate) fn new(id: u8, nonce: u32) -> Self {
        let dictionary = vec![
            Descriptor::new("loops", Kind::Counter, Unit::NONE),
            Descriptor::new("heat", Kind::GaugeUint, Unit::CELSIUS),
        ];
        let origin = Origin::from_array([id]);
        let epoch = Epoch::new(0, nonce);
        Self { origin, epoch, seq: 0, uptime: 0, addressed: true, dictionary }
    }

    /// Starts again from zero under another epoch.
    pub(crate) fn reboot(&mut self, nonce: u32) {
        (self.epoch, self.seq, self.uptime) = (Epoch::new(0, nonce), 0, 0);
    }

    fn header(&mut self) -> Header<'_> {
        let mut hash = DictionaryHash::new();
        let mut buffer = [0; 1_024];
        for descriptor in &self.dictionary {
            let mut dict = DictWriter::new(&mut buffer, &Header::short(0), 0);
            assert!(dict.push(descriptor));
            let frame = tapes_core::wire::Frame::parse(dict.finish().unwrap()).unwrap();
            let tapes_core::wire::Body::Dict(mut entries) = frame.body().unwrap() else {
                panic!("a dictionary")
            };
            hash.push(entries.next().unwrap().1);
        }
        let seq = self.seq;
        self.seq += 1;
        self.uptime += 100;
        let address = if self.addressed {
            Address::Full { origin: self.origin.as_bytes(), epoch: self.epoch }
        } else {
            Address::Short(self.epoch.nonce)
        };
        Header {
            address,
            dictionary: Dictionary { len: hash.len(), hash: hash.value() },
            seq,
            uptime: self.uptime,
            ..Header::short(0)
        }
    }

    pub(crate) fn hello(&mut self) -> Vec<u8> {
        let (origin, epoch) = (self.origin, self.epoch);
        let metrics = u32::try_from(self.dictionary.len()).unwrap();
        let hello = Hello {
            origin: origin.as_bytes(),
            epoch,
            build_id: 7,
            reset_reason: ResetReason::PowerOn,
            boot_count: 0,
            tick_hz: Self::HZ,
            metrics,
            max_frame: 512,
        };
        let header = self.header();
        hello_frame(&mut [0; 256], &header, &hello).unwrap().to_vec()
    }

    pub(crate) fn dict(&mut self) -> Vec<u8> {
        let dictionary = self.dictionary.clone();
        let header = self.header();
        let mut buffer = [0; 4_096];
        let mut dict = DictWriter::new(&mut buffer, &header, 0);
        assert!(dictionary.iter().all(|descriptor| dict.push(descriptor)));
        dict.finish().unwrap().to_vec()
    }

    /// Makes a keyframe with these values.
    pub(crate) fn data(&mut self, values: &[(u32, Value<'_>)]) -> Vec<u8> {
        let header = self.header();
        let header = Header { flags: Flags::KEYFRAME.with(Flags::LAST), ..header };
        let mut buffer = [0; 4_096];
        let mut data = DataWriter::new(&mut buffer, &header);
        assert!(values.iter().all(|(id, value)| data.push(*id, value)));
        data.finish().unwrap().to_vec()
    }

    /// Makes a frame with some metrics of a family.
    pub(crate) fn family(&mut self, id: u32, cells: &[(u32, Value<'_>)]) -> Vec<u8> {
        let header = self.header();
        let mut buffer = [0; 4_096];
        let mut data = DataWriter::new(&mut buffer, &header);
        assert!(cells.iter().all(|(cell, value)| data.push_cell(id, *cell, value)));
        data.finish().unwrap().to_vec()
    }

    /// Makes a keyframe with a count of loops.
    pub(crate) fn loops(&mut self, loops: u64) -> Vec<u8> {
        self.data(&[(0, Value::Unsigned(loops))])
    }
}

/// A fleet with one link and a clock of its own.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) fleet: Fleet,
    pub(crate) link: LinkId,
    pub(crate) now: Duration,
}

impl Bench {
    pub(crate) fn new(limits: Limits) -> Self {
        let mut fleet = Fleet::new(NodeId([9; 16]), limits);
        let link = fleet.open_link("radio", LinkKind::Socket).unwrap();
        Self { fleet, link, now: Duration::from_secs(1_000) }
    }

    pub(crate) fn feed(&mut self, frame: &[u8]) -> Result<(), &'static str> {
        self.now += Duration::from_millis(100);
        self.fleet.ingest(self.link, frame, self.now).map_err(super::Refusal::reason)
    }

    pub(crate) fn feed_all(&mut self, frames: &[Vec<u8>]) {
        for frame in frames {
            assert_eq!(self.feed(frame), Ok(()));
        }
    }

    pub(crate) fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    /// Returns what is exported under `name` for each device.
    pub(crate) fn exported(&self, name: &str) -> Vec<(String, Stored)> {
        let snapshot = self.fleet.snapshot(self.now);
        let devices = snapshot.devices.iter();
        let series = devices.flat_map(|device| device.series.iter().map(move |s| (device, s)));
        series
            .filter(|(_, series)| &*series.key.name == name)
            .map(|(device, series)| (device.name.clone(), series.total.value().clone()))
            .collect()
    }

    /// Returns the only count of loops that is exported.
    pub(crate) fn loops(&self) -> u64 {
        let exported = self.exported("loops");
        assert_eq!(exported.len(), 1, "{exported:?}");
        exported[0].1.count().unwrap()
    }
}
