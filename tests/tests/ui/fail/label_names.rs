use tapes_core::Label;

#[derive(Clone, Copy, Label)]
#[label(name = "bad-name")]
enum BadName {
    One,
}

#[derive(Clone, Copy, Label)]
enum Device {
    One,
}

#[derive(Clone, Copy, Label)]
#[label(name = "__side")]
enum Side {
    Left,
}

#[derive(Clone, Copy, Label)]
enum Twice {
    OverTemp,
    #[label(rename = "over_temp")]
    Hot,
    #[label(rename = "")]
    Nothing,
}

#[derive(Clone, Copy, Label)]
#[label(rename = "x")]
enum WrongPlace {
    One,
}

#[derive(Clone, Copy, Label)]
enum WrongValue {
    #[label(rename = 1)]
    One,
    #[label(rename = "a", rename = "b")]
    Two,
}

#[derive(Clone, Copy, Label)]
#[tapes(krate = tapes_core)]
enum WrongCrate {
    One,
}

fn main() {}
