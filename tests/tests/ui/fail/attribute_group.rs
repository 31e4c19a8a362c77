use tapes_core::counted;

struct Pump;

impl Pump {
    #[counted("pump.calls")]
    fn no_mention_of_the_type() {}
}

fn main() {}
