use tapes_core::Metered;

#[derive(Metered)]
struct Nothing;

#[derive(Metered)]
#[metrics(calls: Counter = "calls")]
struct NoPlace;

#[derive(Metered)]
#[metrics(calls: Counter = "{}.{}")]
struct TwoPlaces;

#[derive(Metered)]
#[metrics(calls: Counter = "{}.calls", more: Counter = "{}.calls")]
struct Twice;

#[derive(Metered)]
#[metrics(calls: Counter = "{}.my calls")]
struct BadTemplate;

#[derive(Metered)]
#[metrics(calls: Counter = "{}.calls", name = "a..b")]
struct BadName;

#[derive(Metered)]
#[metrics(calls: Counter = "{}.calls", prefix = "a")]
struct BadKey;

#[derive(Metered)]
#[metrics(Shared, calls: Counter = "{}.calls")]
struct Mixed;

#[derive(Metered)]
#[metrics(calls: Count = "{}.calls")]
struct UnknownKind;

#[derive(Metered)]
#[metrics(calls: Counter)]
struct NoTemplate;

fn main() {}
