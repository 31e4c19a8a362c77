use tapes_core::metrics;

metrics! {
    static A: AMetrics = "a" {
        temperature: Gauge<f32> [unit = fahrenheit],
    }
}

metrics! {
    static B: BMetrics = "b" {
        sizes: Histogram [buckets = 7],
    }
}

metrics! {
    static C: CMetrics = "c" {
        time: Timer [max = 5 min],
    }
}

fn main() {}
