//! Text forms of metrics: Prometheus and OpenMetrics, JSON, StatsD.

mod decimal;
mod family;
pub mod json;
pub mod number;
pub mod prometheus;
pub mod statsd;
