use tapes_core::metrics;

metrics! {
    static A: AMetrics = "a b" {
        calls: Counter,
    }
}

metrics! {
    static B: BMetrics = "b." {
        calls: Counter,
    }
}

metrics! {
    static C: CMetrics = "c", labels(le = "1") {
        calls: Counter,
    }
}

fn main() {}
