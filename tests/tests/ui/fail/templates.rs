use tapes_core::templates;

templates! {
    struct NoPlace {
        calls: Counter = "calls",
    }
}

templates! {
    struct TwoPlaces {
        calls: Counter = "{}.{}",
    }
}

templates! {
    struct Twice {
        calls: Counter = "{}.calls",
        more: Meter = "{}.calls",
    }
}

fn main() {}
