use tapes_core::Label;

#[derive(Clone, Copy, Label)]
enum Empty {}

#[derive(Clone, Copy, Label)]
struct NoEnum;

#[derive(Clone, Copy, Label)]
enum Fields {
    Plain,
    Tuple(u8),
    Struct { code: u8 },
}

#[derive(Clone, Copy, Label)]
#[repr(u8)]
enum Discriminants {
    Zero = 0,
    One = 2,
    Two = 1 + 1,
}

#[derive(Label)]
enum NotCopy {
    One,
}

fn main() {}
