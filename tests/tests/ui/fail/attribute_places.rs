use tapes_core::counted;

#[counted("a.calls")]
struct NoFunction;

trait Pump {
    #[counted("b.calls")]
    fn no_body(&self);

    fn run(&self);
}

#[counted("c.calls")]
const fn constant() {}

struct Left;

impl Pump for Left {
    fn no_body(&self) {}

    #[counted("d.calls")]
    fn run(&self) {}
}

fn main() {}
