//! Metrics of types: `templates!`, `filled!` and `#[derive(Metered)]`.

use std::ops::ControlFlow;

use tapes_core::clock::ManualClock;
use tapes_core::metric::Metrics;
use tapes_core::{Label, Metered, Registry, Source, filled, templates};

/// Names, helps and labels of a source, one metric a line.
fn described(source: &impl Source) -> Vec<String> {
    let mut lines = Vec::new();
    let _: ControlFlow<()> = source.visit(0, &mut |sample| {
        let metric = sample.descriptor();
        let labels: String =
            metric.labels.iter().map(|(name, value)| format!(" {name}={value}")).collect();
        lines.push(format!("{}{labels}: {}", metric.name, metric.help));
        ControlFlow::Continue(())
    });
    lines
}

#[derive(Metered)]
#[metrics(
    /// Time of one request.
    latency: Timer = "http.endpoints.{}.latency" [unit = micros, max = 60 s],
    /// Requests received.
    requests: Counter = "http.endpoints.{}.requests",
)]
struct UserEndpoint;

templates! {
    /// What every endpoint measures.
    struct EndpointMetrics {
        /// Requests received.
        requests: Meter = "http.{}.requests",
        /// Time of one request.
        latency: Timer = "http.{}.latency" [unit = millis, max = 2 s, scale = 0],
        /// Bytes sent.
        sent: Histogram = "http.{}.sent" [unit = bytes, max = 1500],
        /// Requests under way.
        running: UpDown = "{}.running",
        /// Load.
        load: Gauge<f32> = "load.{}" [unit = ratio],
        /// Requests refused.
        refused: Counter per Refusal = "http.{}.refused",
    }
}

#[derive(Clone, Copy, Label)]
enum Refusal {
    Busy,
    Forbidden,
}

trait Endpoint: Metered<Metrics = EndpointMetrics> {
    fn handle(&self, clock: &ManualClock<1_000>) {
        let _running = Self::METRICS.latency.start(clock);
        Self::METRICS.requests.mark();
        clock.advance(5);
    }
}

#[derive(Metered)]
#[metrics(EndpointMetrics)]
struct Users;

#[derive(Metered)]
#[metrics(EndpointMetrics, name = "static.images", labels(tier = "slow"))]
#[expect(dead_code, reason = "metrics belong to the type, whatever it holds")]
enum Images<'a> {
    Borrowed(&'a [u8]),
    None,
}

impl Endpoint for Users {}
impl Endpoint for Images<'_> {}

/// A type would be measured under the name of another, or without its help.
#[test]
fn templates_are_filled_with_the_name_of_the_type() {
    assert_eq!(
        described(&UserEndpoint::METRICS.group()),
        [
            "http.endpoints.user_endpoint.latency: Time of one request.",
            "http.endpoints.user_endpoint.requests: Requests received.",
        ]
    );
    let images = described(&Images::METRICS.group());
    assert_eq!(images[0], "http.static.images.requests tier=slow: Requests received.");
    assert_eq!(images[3], "static.images.running tier=slow: Requests under way.");
    assert_eq!(images[4], "load.static.images tier=slow: Load.");
}

/// Two types would count into the same words when used through a trait.
#[test]
fn each_type_behind_a_trait_has_its_own_metrics() {
    let clock = ManualClock::new();
    Users.handle(&clock);
    Users.handle(&clock);
    Images::None.handle(&clock);
    assert_eq!(Users::METRICS.requests.count(), 2);
    assert_eq!(Users::METRICS.latency.distribution().sum(), 10);
    assert_eq!(Images::METRICS.requests.count(), 1);
    assert_eq!(<Images<'static> as Metered>::METRICS.latency.distribution().count(), 1);
}

/// Two fields would share words, or a field would lie outside the group.
#[test]
fn fields_have_words_of_their_own() {
    static ALL: &EndpointMetrics = filled!(EndpointMetrics, "words");
    ALL.requests.mark();
    ALL.sent.record(80);
    ALL.running.decrement();
    ALL.load.set(0.5);
    ALL.refused.of(Refusal::Busy).add(3);
    ALL.refused.of(Refusal::Forbidden).add(4);
    assert_eq!(ALL.requests.count(), 1);
    assert_eq!(ALL.latency.distribution().count(), 0);
    assert_eq!(ALL.sent.distribution().sum(), 80);
    assert_eq!(ALL.running.value(), -1);
    assert_eq!(ALL.load.value(), Some(0.5));
    assert_eq!(ALL.refused.of(Refusal::Busy).value(), 3);
    assert_eq!(ALL.refused.of(Refusal::Forbidden).value(), 4);
    assert_eq!(ALL.group().metrics(), 6);
}

/// What is counted would not be read by the registry that the group was attached to.
#[test]
fn groups_of_types_join_a_registry() {
    static REGISTRY: Registry<8, 8> = Registry::new();
    REGISTRY.attach(UserEndpoint::METRICS).unwrap();
    REGISTRY.attach(<Users as Metered>::METRICS).unwrap();
    assert_eq!(Source::metrics(&REGISTRY), 8);
    assert_eq!(described(&REGISTRY)[2], "http.users.requests: Requests received.");
}

/// A use of the inherent constant and of the trait's would reach different metrics.
#[test]
fn both_constants_are_the_same_metrics() {
    let (inherent, of_trait) = (UserEndpoint::METRICS, <UserEndpoint as Metered>::METRICS);
    assert!(std::ptr::eq(inherent, of_trait));
    inherent.requests.increment();
    assert_eq!(of_trait.requests.value(), 1);
}

/// A type in a function would have no metrics, or those of a type of the same name elsewhere.
#[test]
fn types_in_functions_have_metrics() {
    #[derive(Metered)]
    #[metrics(calls: Counter = "{}.calls", name = "local")]
    struct UserEndpoint;

    UserEndpoint::METRICS.calls.add(7);
    assert_eq!(UserEndpoint::METRICS.calls.value(), 7);
    assert_eq!(described(&Metrics::group(UserEndpoint::METRICS)), ["local.calls: "]);
}
