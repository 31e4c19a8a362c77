//! Frames through a broker: the real mosquitto, its restarts, wills, and what strangers publish.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod gateway_support;

use gateway_support::{Device, Gateway, Noise};
use tapes_core::Registry;
use tapes_core::metric::{Descriptor, Kind, Unit, Value};
use tapes_core::wire::{
    Address, Body, Deframer, Encoder, Epoch, Feed, Frame, Identity, Origin, stream_frame,
};
use tapes_tests::broker::Mosquitto;
use tapes_tests::servers::Scratch;

const METRICS: [Descriptor<'static>; 2] = [
    Descriptor::new("motor.loops", Kind::Counter, Unit::NONE),
    Descriptor::new("motor.faults", Kind::Counter, Unit::NONE),
];

const LOOPS: &str = "motor_loops_total{device=\"e601\"}";

/// Says who it is, and then what its values are: in the order of real devices.
fn introduction(device: &mut Device) -> Vec<u8> {
    let dict = device.dict(&METRICS);
    [device.hello(), dict].concat()
}

fn loops(device: &mut Device, loops: u64) -> Vec<u8> {
    device.data(&[(0, Value::Unsigned(loops)), (1, Value::Unsigned(1))])
}

fn publishing(broker: &Mosquitto, client: &str) -> Gateway {
    let url = broker.url();
    Gateway::start(&["--stdin", "--mqtt-publish", &url, "--mqtt-client", client])
}

/// A gateway that takes frames from a broker, once the broker knows that it does.
fn subscribed(broker: &Mosquitto, client: &str) -> Gateway {
    let gateway = Gateway::start(&["--mqtt", &broker.url(), "--mqtt-client", client]);
    gateway.wait_for("subscribed");
    gateway
}

/// A device whose frames say whose they are, and that reports every 5 minutes.
struct Own {
    registry: Registry<2, 8>,
    encoder: Encoder<2, 0>,
    reports: u64,
}

impl Own {
    fn new(origin: Origin) -> Self {
        let registry = Registry::new();
        let _ = registry.counter("motor.loops").unwrap();
        let identity = Identity::new(origin, Epoch::new(0, 7), 1_000);
        let encoder = Encoder::new(identity, 512).with_full_address();
        Self { registry, encoder, reports: 0 }
    }

    fn report(&mut self) -> Vec<Vec<u8>> {
        self.registry.counter("motor.loops").unwrap().increment();
        self.encoder.begin(self.reports * 300_000);
        self.reports += 1;
        let (mut buffer, mut frames) = ([0; 512], Vec::new());
        while let Some(frame) = self.encoder.next_frame(&self.registry, &mut buffer) {
            frames.push(frame.to_vec());
            self.encoder.sent();
        }
        frames
    }
}

fn streamed(frames: &[Vec<u8>]) -> Vec<u8> {
    let stream = |frame: &Vec<u8>| stream_frame(frame, &mut [0; 1_024]).unwrap().to_vec();
    frames.iter().flat_map(stream).collect()
}

/// If this fails, a broker's restart loses counts: those of a life that ended meanwhile for good.
#[test]
fn totals_are_exact_through_a_restart_of_the_broker() {
    let mut broker = Mosquitto::start();
    let scratch = Scratch::new("mqtt");
    let state = |name: &str| scratch.path().join(name).to_str().unwrap().to_owned();
    let (url, states) = (broker.url(), [state("out"), state("into")]);
    let out = ["--stdin", "--mqtt-publish", &url, "--mqtt-client", "out", "--state", &states[0]];
    let mut out = Gateway::start(&out);
    let into = Gateway::start(&["--mqtt", &url, "--mqtt-client", "into", "--state", &states[1]]);
    into.wait_for("subscribed");
    let mut device = Device::new(&[0xe6, 1], 1);
    out.feed(&introduction(&mut device));
    out.feed(&loops(&mut device, 10));
    into.wait_until(LOOPS, 10.0);

    let mut next = Device::new(&[0xe6, 1], 2);
    broker.restart(|| {
        into.wait_for("trying again");
        // What this life counted last is said once; then another one begins.
        out.feed(&loops(&mut device, 25));
        out.feed(&introduction(&mut next));
        out.feed(&loops(&mut next, 3));
        out.wait_until(LOOPS, 28.0);
    });
    into.wait_until(LOOPS, 28.0);
    out.feed(&loops(&mut next, 5));
    into.wait_until(LOOPS, 30.0);
    into.wait_until("tapes_device_boots_total{device=\"e601\"}", 2.0);
    out.wait_until("tapes_output_dropped_total{output=\"mqtt\"}", 0.0);
    out.wait_until("tapes_output_waiting{output=\"mqtt\"}", 0.0);

    // The broker has been told again what it must retain, and what is published is what is specified.
    let stream = broker.receive("tapes/e601/dictionary");
    let mut rest = stream.as_slice();
    let (mut deframer, mut kinds) = (Deframer::<4_096>::new(), Vec::new());
    while let Feed::Frame { frame, rest: more } = deframer.feed(rest) {
        let frame = Frame::parse(frame).unwrap();
        assert!(matches!(frame.header.address, Address::Full { origin: [0xe6, 1], .. }));
        kinds.push(match frame.body().unwrap() {
            Body::Hello(_) => "hello",
            Body::Dict(_) => "dict",
            _ => "other",
        });
        rest = more;
    }
    assert_eq!(kinds, ["hello", "dict"]);
    assert_eq!(broker.receive("tapes/e601/state"), b"here out");
    assert_eq!(broker.receive("tapes/out/state"), b"here");
    assert_eq!(out.finish().0, Some(0));
    assert_eq!(broker.receive("tapes/out/state"), b"gone", "an orderly end says so, too");
}

/// If this fails, whoever subscribes late shows nothing until the names come round.
#[test]
fn the_retained_dictionary_names_what_a_late_subscriber_hears() {
    let broker = Mosquitto::start();
    let mut out = publishing(&broker, "out");
    let mut device = Device::new(&[0xe6, 1], 1);
    out.feed(&introduction(&mut device));
    for count in 1..=50 {
        out.feed(&loops(&mut device, count));
    }
    out.wait_until(LOOPS, 50.0);
    out.wait_until("tapes_output_waiting{output=\"mqtt\"}", 0.0);
    let late = subscribed(&broker, "late");
    out.feed(&loops(&mut device, 51));
    late.wait_until(LOOPS, 51.0);
    late.wait_until("tapes_device_frames_lost_total{device=\"e601\"}", 0.0);
}

/// If this fails, a board whose gateway was cut off is shown as running until its report is overdue.
#[test]
fn a_will_takes_devices_down_until_they_are_heard_again() {
    let broker = Mosquitto::start();
    let into = subscribed(&broker, "into");
    let up = "tapes_device_up{device=\"e601\"}";
    let mut device = Own::new(Origin::from_array([0xe6, 1]));
    // Through a gateway, which is killed.
    let mut out = publishing(&broker, "out");
    for _ in 0..3 {
        out.feed(&streamed(&device.report()));
    }
    into.wait_until(LOOPS, 3.0);
    into.wait_until(up, 1.0);
    drop(out);
    into.wait_until(up, 0.0);
    let mut out = publishing(&broker, "out");
    out.feed(&streamed(&device.report()));
    into.wait_until(LOOPS, 4.0);
    into.wait_until(up, 1.0);
    // A device with a connection of its own.
    let mut own = Own::new(Origin::from_array([0xe6, 2]));
    let mut client = broker.with_will("tapes/e602/state", "gone");
    for frame in (0..3).flat_map(|_| own.report()) {
        broker.publish("tapes/e602", &frame, &[]);
    }
    let own_up = "tapes_device_up{device=\"e602\"}";
    into.wait_until(own_up, 1.0);
    client.kill().unwrap();
    client.wait().unwrap();
    into.wait_until(own_up, 0.0);
    into.wait_until(up, 1.0);
}

/// If this fails, who may publish at a broker can count for others, count twice, or stop a gateway.
#[test]
fn what_strangers_publish_changes_nothing() {
    let broker = Mosquitto::start();
    let into = subscribed(&broker, "into");
    let mut own = Own::new(Origin::from_array([0xe6, 1]));
    let mut noise = Noise(1);
    for topic in ["tapes/e601", "tapes/e601/dictionary", "tapes/e601/state", "tapes/x y"] {
        broker.publish(topic, &noise.bytes(500), &["-r"]);
    }
    // Retained, so that it comes again with each connection; longer than any message may be.
    broker.publish("tapes/e601/dictionary", &noise.bytes(1 << 20), &["-r"]);
    broker.publish("tapes/e603", &noise.bytes(1 << 20), &["-r"]);
    let frames: Vec<_> = (0..3).flat_map(|_| own.report()).collect();
    for frame in &frames {
        broker.publish("tapes/e602", frame, &[]);
        broker.publish("tapes/e601", frame, &[]);
        broker.publish("tapes/e601", frame, &[]);
    }
    into.wait_until(LOOPS, 3.0);
    let count = f64::from(u32::try_from(frames.len()).unwrap());
    let rejected =
        |reason: &str| format!("tapes_frames_rejected_total{{link=\"mqtt\",reason=\"{reason}\"}}");
    into.wait_until(&rejected("forbidden"), count);
    into.wait_until("tapes_device_frames_repeated_total{device=\"e601\"}", count);
    assert_eq!(into.metric("motor_loops_total{device=\"e602\"}"), None);
    assert!(into.metric(&rejected("parts")).is_some());
}

/// If this fails, a gateway cannot use a broker that asks who it is, or waits for one for ever.
#[test]
fn a_broker_may_ask_for_a_password_and_be_away() {
    let scratch = Scratch::new("mqtt-user");
    let (users, own) = (scratch.path().join("users"), scratch.path().join("own"));
    // `mosquitto_passwd` would hash it; the plugin-free format is hashed only.
    let made = std::process::Command::new("mosquitto_passwd")
        .args(["-c", "-b", users.to_str().unwrap(), "ann", "s3:cret"])
        .status();
    assert!(made.unwrap().success());
    std::fs::write(&own, "ann:s3:cret\n").unwrap();
    let access = format!("allow_anonymous false\npassword_file {}\n", users.display());
    let broker = Mosquitto::with_access(&access);
    let stranger = Gateway::start(&["--mqtt", &broker.url(), "--mqtt-client", "a"]);
    stranger.wait_for("trying again");
    let known = Gateway::start(&[
        "--mqtt",
        &broker.url(),
        "--mqtt-client",
        "b",
        "--mqtt-user-file",
        own.to_str().unwrap(),
    ]);
    known.wait_for("subscribed");
    let url = broker.url();
    drop(broker);
    let alone = Gateway::start(&["--stdin", "--mqtt-publish", &url]);
    assert_eq!(alone.finish().0, Some(0), "it ends without the broker");
}
