//! What comes out: rows with limits, and comparisons.

use std::fmt::Write as _;

/// Where the other numbers are.
const ELSEWHERE: &str = "
## Measured elsewhere

How it is measured, and why an aim is missed: [README.md](README.md). A gateway with 1,000 devices over TCP (processor, \
memory, from a frame to a page, wake-ups): `cargo xtask soak`, in [tests/README.md](../README.md). Instructions on a \
host: `cargo xtask instructions`. Cycles and bytes on an RP2040, beside others: `cargo xtask cycles` and `size`, in \
[design.md](../../core/docs/design.md).
";

/// A measured value, and what it must not be above or below.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Limit {
    None,
    Most(f64),
    Least(f64),
    /// As `Most`, but to be missed is no failure: it depends on the machine.
    Aim(f64),
}

#[derive(Debug)]
struct Row {
    what: String,
    value: f64,
    unit: &'static str,
    limit: Limit,
}

/// One way to do the same thing.
#[derive(Debug)]
pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    /// Time of an operation for each of the columns, in nanoseconds; `None` if it cannot.
    pub(crate) ns: Vec<Option<f64>>,
    /// What there is to know about it.
    pub(crate) note: String,
}

/// Ways to do one thing, the first of them ours.
#[derive(Debug)]
pub(crate) struct Comparison {
    pub(crate) title: &'static str,
    pub(crate) columns: Vec<String>,
    pub(crate) contestants: Vec<Contestant>,
}

/// The contestant that does nothing: what the loop around an operation takes.
pub(crate) const LOOP: &str = "empty loop";

impl Comparison {
    /// Returns our time over that of a contestant, in one column.
    pub(crate) fn ratio(&self, name: &str, column: usize) -> Option<f64> {
        let time = |contestant: &Contestant| contestant.ns.get(column).copied().flatten();
        let ours = time(self.contestants.first()?)?;
        Some(ours / time(self.contestants.iter().find(|contestant| contestant.name == name)?)?)
    }
}

/// Rows by group, and comparisons.
#[derive(Debug, Default)]
pub(crate) struct Table {
    groups: Vec<(&'static str, &'static str, Vec<Row>)>,
    comparisons: Vec<Comparison>,
}

impl Table {
    pub(crate) fn begin(&mut self, name: &'static str, about: &'static str) {
        self.groups.push((name, about, Vec::new()));
    }

    pub(crate) fn push(&mut self, what: &str, value: f64, unit: &'static str, limit: Limit) {
        eprintln!("  {what}: {} {unit}", shown(value));
        let Some((.., rows)) = self.groups.last_mut() else { return };
        rows.push(Row { what: what.to_owned(), value, unit, limit });
    }

    /// Adds a comparison; `aims` are most ratios of our time to a contestant's, in a column.
    pub(crate) fn compare(&mut self, comparison: Comparison, aims: &[(&str, usize, f64)]) {
        for (name, column, most) in aims {
            // A contestant that cannot do it sets no aim.
            if let Some(ratio) = comparison.ratio(name, *column) {
                let (title, column) = (comparison.title, &comparison.columns[*column]);
                let what = format!("{title}, beside {name}, {column}");
                self.push(&what, ratio, "×", Limit::Aim(*most));
            }
        }
        self.comparisons.push(comparison);
    }

    pub(crate) fn comparisons(&self) -> &[Comparison] {
        &self.comparisons
    }

    /// Whether any row is beyond its limit.
    pub(crate) fn exceeds(&self) -> bool {
        self.groups.iter().flat_map(|(.., rows)| rows).any(Row::exceeds)
    }

    pub(crate) fn to_markdown(&self, machine: &str) -> String {
        let mut text = format!("# What things cost on a host\n\n{machine}\n## Limits\n\n");
        text += "| group | what | value | limit |\n|---|---|---:|---:|\n";
        for (name, _, rows) in &self.groups {
            for row in rows {
                let limit = match row.limit {
                    Limit::None => String::new(),
                    Limit::Most(limit) => format!("≤ {}", shown(limit)),
                    Limit::Least(limit) => format!("≥ {}", shown(limit)),
                    Limit::Aim(limit) => format!("aim {}", shown(limit)),
                };
                let mark = match row.limit {
                    Limit::Aim(limit) if row.value > limit => ", missed",
                    _ if row.exceeds() => " **exceeded**",
                    _ => "",
                };
                let (what, value, unit) = (&row.what, shown(row.value), row.unit);
                let _ = writeln!(text, "| {name} | {what} | {value} {unit} | {limit}{mark} |");
            }
        }
        for comparison in &self.comparisons {
            comparison.write_markdown(&mut text);
        }
        text += ELSEWHERE;
        text
    }
}

impl Comparison {
    fn write_markdown(&self, text: &mut String) {
        let _ = write!(text, "\n## {}\n\n| |", self.title);
        let floor = |column: usize| {
            let empty = self.contestants.iter().find(|contestant| contestant.name == LOOP)?;
            empty.ns.get(column).copied().flatten()
        };
        let mut line = "|---|".to_owned();
        for (i, column) in self.columns.iter().enumerate() {
            let net = if floor(i).is_some() { " net of the loop |" } else { "" };
            let _ = write!(text, " {column} |{net} ours ÷ it |");
            line += if floor(i).is_some() { "---:|---:|---:|" } else { "---:|---:|" };
        }
        let _ = writeln!(text, " |\n{line}---|");
        for contestant in &self.contestants {
            let _ = write!(text, "| {} |", contestant.name);
            for (column, ns) in contestant.ns.iter().enumerate() {
                let time = ns.map_or_else(|| "–".to_owned(), shown_ns);
                let ratio = self.ratio(contestant.name, column);
                let ratio = ratio.map_or_else(|| "–".to_owned(), shown);
                let _ = write!(text, " {time} |");
                if let Some(floor) = floor(column) {
                    let net =
                        ns.map_or_else(|| "–".to_owned(), |ns| shown_ns((ns - floor).max(0.0)));
                    let _ = write!(text, " {net} |");
                }
                let _ = write!(text, " {ratio} |");
            }
            let _ = writeln!(text, " {} |", contestant.note);
        }
    }
}

impl Row {
    fn exceeds(&self) -> bool {
        match self.limit {
            Limit::None | Limit::Aim(_) => false,
            Limit::Most(limit) => self.value > limit,
            Limit::Least(limit) => self.value < limit,
        }
    }
}

/// Returns a time with its unit.
pub(crate) fn shown_ns(ns: f64) -> String {
    match ns {
        ..1e3 => format!("{} ns", shown(ns)),
        ..1e6 => format!("{} µs", shown(ns / 1e3)),
        _ => format!("{} ms", shown(ns / 1e6)),
    }
}

/// Returns a number with three digits that count, groups of three apart.
fn shown(value: f64) -> String {
    if value < 100.0 {
        let places = if value < 0.1 {
            3
        } else if value < 10.0 {
            2
        } else {
            1
        };
        return format!("{value:.places$}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
