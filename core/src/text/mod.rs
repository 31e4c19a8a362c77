//! Text forms of metrics: Prometheus and OpenMetrics, JSON, StatsD.

mod decimal;
pub mod number;
