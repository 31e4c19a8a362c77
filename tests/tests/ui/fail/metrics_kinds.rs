use tapes_core::metrics;

metrics! {
    static A: AMetrics = "a" {
        calls: Count,
    }
}

metrics! {
    static B: BMetrics = "b" {
        temperature: Gauge<f64>,
    }
}

fn main() {}
