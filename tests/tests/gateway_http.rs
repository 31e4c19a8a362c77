//! The gateway's pages, asked by clients that keep the rules and by clients that do not.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod gateway_support;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use gateway_support::{Device, Gateway, PATIENCE};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use tapes_core::metric::{Buckets, Counts, Descriptor, Distribution, Kind, Unit, Value};

const BUCKETS: Buckets = Buckets { scale: 2, first: -80, len: 104 };

/// Starts a gateway that has heard one device.
fn gateway() -> Gateway {
    let mut gateway = Gateway::start(&["--stdin"]);
    let mut device = Device::new(&[0xe6, 1], 7);
    let timer = Descriptor::new("motor.loop_time", Kind::Timer(BUCKETS), Unit::MICROS);
    let dictionary = [
        Descriptor { help: "Passes.", ..Descriptor::new("motor.loops", Kind::Counter, Unit::NONE) },
        timer,
        Descriptor::new("motor.heat", Kind::GaugeFloat, Unit::CELSIUS),
    ];
    let counts = [0, 0, 3];
    let counts =
        Counts { sum: 6, min: Some(1), max: Some(3), buckets: &counts, ..Counts::default() };
    let values = [
        (0, Value::Unsigned(3)),
        (1, Value::Distribution(Distribution::new(BUCKETS, counts))),
        (2, Value::F32(36.6)),
    ];
    let frames = [device.dict(&dictionary), device.hello(), device.data(&values)].concat();
    gateway.feed(&frames);
    gateway.wait_until("motor_loops_total{device=\"e601\"}", 3.0);
    gateway
}

/// Prometheus 3 fails on a type it did not ask for, and drops a scrape that is not exactly right.
#[test]
fn formats_are_negotiated_and_foreign_parsers_read_them() {
    let gateway = gateway();
    let prometheus = "application/openmetrics-text;version=1.0.0,\
        application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    for (accept, path, content_type, parser) in [
        ("", "/metrics", "text/plain; version=0.0.4; charset=utf-8", "prometheus"),
        (
            prometheus,
            "/metrics",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            "openmetrics",
        ),
        (
            "",
            "/metrics?format=openmetrics",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            "openmetrics",
        ),
        ("application/json", "/metrics", "application/json", ""),
        (prometheus, "/metrics?format=json", "application/json", ""),
    ] {
        let header =
            if accept.is_empty() { String::new() } else { format!("Accept: {accept}\r\n") };
        let reply = gateway.get_with(path, &header);
        assert_eq!((reply.status, reply.header("content-type")), (200, Some(content_type)));
        if parser.is_empty() {
            let stats: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
            assert_eq!(stats["e601"]["motor"]["loops"], json!({"value": 3}));
            continue;
        }
        let request = json!({"format": parser, "texts": [reply.body]}).to_string();
        let answer = tapes_tests::python::run("exposition.py", &request);
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
        let families = answer[0]["families"].as_array().unwrap_or_else(|| panic!("{answer}"));
        let family = |name| families.iter().find(|family| family["name"] == name);
        assert_eq!(family("motor_loop_time_seconds").unwrap()["type"], "histogram");
        assert_eq!(family("tapes_device_up").unwrap()["samples"][0][2], "1.0");
    }
}

/// tapes' users read these keys.
#[test]
fn stats_are_a_tree_with_the_keys_of_tapes() {
    let gateway = gateway();
    let stats = |path: &str| -> serde_json::Value {
        let reply = gateway.get(path);
        assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")));
        serde_json::from_str(&reply.body).unwrap()
    };
    assert_eq!(stats("/stats/e601/motor/heat"), json!({"value": 36.6}));
    assert_eq!(stats("/stats/e601/motor.loops"), json!({"value": 3}));
    let timer = stats("/stats")["e601"]["motor"]["loop_time"].clone();
    let keys: Vec<_> = timer.as_object().unwrap().keys().map(String::as_str).collect();
    let quantiles = ["q50", "q75", "q95", "q98", "q99", "q999"];
    let of_tapes = ["count", "m1", "m5", "m15", "min", "max", "mean", "stddev"];
    let more = ["mean_rate", "sum", "window_count", "window_max", "window_mean", "window_rate"];
    let mut expected: Vec<_> = [&quantiles[..], &of_tapes, &more, &["window_seconds"]].concat();
    let beside = ["decayed_", "lifetime_"];
    let beside =
        beside.map(|prefix| quantiles.map(|quantile| format!("{prefix}{quantile}"))).concat();
    expected.extend(beside.iter().map(String::as_str));
    expected.sort_unstable();
    assert_eq!(keys, expected);
    assert_eq!((&timer["count"], &timer["sum"]), (&json!(3), &json!(0.000_006)));
    // What this gateway did not see happen is of all times only.
    assert_eq!((&timer["q50"], &timer["decayed_q50"]), (&json!(null), &json!(null)));
    assert!((1e-6..=3e-6).contains(&timer["lifetime_q50"].as_f64().unwrap()), "{timer}");
    for path in ["/stats/ff", "/stats/e601/motor/none", "/stats/e601//motor", "/stats/%zz"] {
        assert_eq!(gateway.get(path).status, 404, "{path}");
    }
}

/// A scanner, a broken proxy or a foreign page must get a plain refusal.
#[test]
fn requests_out_of_line_are_refused() {
    let gateway = gateway();
    let host = gateway.http.to_string();
    let request = |head: &str| gateway.request(head.replace("HOST", &host).as_bytes());
    let long = "x".repeat(9_000);
    for (label, head, status) in [
        ("POST", "POST /metrics HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0\r\n\r\n".into(), 405),
        ("DELETE", "DELETE / HTTP/1.1\r\nHost: HOST\r\n\r\n".into(), 405),
        ("OPTIONS", "OPTIONS * HTTP/1.1\r\nHost: HOST\r\n\r\n".into(), 405),
        ("no such path", "GET /nothing HTTP/1.1\r\nHost: HOST\r\n\r\n".into(), 404),
        ("climbing", "GET /../../etc/passwd HTTP/1.1\r\nHost: HOST\r\n\r\n".into(), 404),
        ("a foreign name", "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n".into(), 421),
        ("through a proxy", "GET http://evil.example/ HTTP/1.1\r\nHost: HOST\r\n\r\n".into(), 421),
        ("localhost", "GET /health HTTP/1.1\r\nHost: localhost:1\r\n\r\n".into(), 200),
        ("no host", "GET / HTTP/1.1\r\n\r\n".into(), 400),
        ("two hosts", "GET / HTTP/1.1\r\nHost: HOST\r\nHost: HOST\r\n\r\n".into(), 400),
        ("old", "GET /health HTTP/1.0\r\n\r\n".into(), 200),
        ("older", "GET /\r\n\r\n".into(), 400),
        ("a long head", format!("GET / HTTP/1.1\r\nHost: HOST\r\nX: {long}\r\n\r\n"), 431),
        ("garbage", "\u{1}\u{2}\u{3}\r\n\r\n".into(), 400),
    ] {
        let reply = request(&head);
        assert_eq!(reply.status, status, "{label}: {reply:?}");
        if status == 405 {
            assert_eq!(reply.header("allow"), Some("get, head"), "{label}");
        }
    }
    assert_eq!(gateway.get("/health").body, r#"{"gateway":{"status":"healthy"}}"#);
}

/// What a browser may do with a page is the page's to say.
#[test]
fn every_answer_says_what_a_browser_may_do() {
    let gateway = gateway();
    for path in ["/", "/metrics", "/stats", "/nothing"] {
        let reply = gateway.get(path);
        let policy = reply.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'"), "{path}: {policy}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(reply.header("access-control-allow-origin"), None, "{path}");
    }
}

/// HEAD is how monitors look whether a page is there.
#[test]
fn head_is_get_without_the_body() {
    let gateway = gateway();
    let host = gateway.http;
    let head = gateway.request(format!("HEAD / HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes());
    let get = gateway.get("/");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(head.header("content-length"), get.header("content-length"));
    assert_eq!(get.header("content-length"), Some(get.body.len().to_string().as_str()));
}

/// Sockets that say nothing must neither stay nor keep others out.
#[test]
fn silent_connections_are_closed_and_keep_nobody_out() {
    let gateway = gateway();
    let connect = |_| {
        let mut stream = TcpStream::connect(gateway.http).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: ").unwrap();
        stream
    };
    let silent: Vec<_> = (0..100).map(connect).collect();
    assert_eq!(gateway.get("/health").status, 200);
    for mut stream in silent {
        // Closed, with or without an answer that says why; a read that times out is an error.
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
        }
    }
}

/// An address that stays taken keeps the next gateway from starting.
#[test]
fn stopping_frees_the_port_and_prints_the_table() {
    let first = gateway();
    let address = first.http.to_string();
    let taken = gateway_support::run(&["gateway", "--stdin", "--http", &address], b"");
    assert_eq!(taken.status.code(), Some(2));
    let message = String::from_utf8(taken.stderr).unwrap();
    assert!(message.contains("cannot listen on") && message.contains("--http"), "{message}");

    kill(Pid::from_raw(first.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
    let (code, table) = first.end();
    assert_eq!(code, Some(0));
    assert!(table.contains("motor.loop_time"), "{table}");
    let again = Gateway::start_at(&address, &["--stdin"]);
    assert_eq!(again.http.to_string(), address);
    assert_eq!(again.finish().0, Some(0));
}
