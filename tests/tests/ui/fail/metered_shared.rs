use tapes_core::{Metered, filled, templates};

struct NoTemplates;

#[derive(Metered)]
#[metrics(NoTemplates)]
struct NotShared;

templates! {
    struct Shared {
        calls: Counter = "{}.calls",
    }
}

static BAD_NAME: &Shared = filled!(Shared, "a b");

fn main() {}
