use tapes_core::metrics;

metrics! {
    static A: AMetrics = "a" {
        calls: Counter [max = 5],
    }
}

fn main() {}
