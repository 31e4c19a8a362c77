use tapes_core::Metered;

#[derive(Metered)]
#[metrics(hits: Counter = "cache.{}.hits")]
struct Cache<'a, T> {
    entries: &'a [T],
}

#[derive(Metered)]
#[metrics(hits: Counter = "cache.{}.hits")]
struct Sized<const N: usize>([u8; N]);

fn main() {}
