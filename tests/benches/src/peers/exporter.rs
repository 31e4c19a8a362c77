//! The Prometheus exporter of `metrics`, which keeps histogram values until somebody looks.

use std::sync::OnceLock;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// Returns the exporter, installed as the recorder of this process.
pub(crate) fn installed() -> &'static PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(|| {
        let bounds: Vec<f64> = super::bounds().collect();
        let builder = PrometheusBuilder::new().set_buckets(&bounds).expect("there are bounds");
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).expect("it is the only one");
        handle
    })
}
