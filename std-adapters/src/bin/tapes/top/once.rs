//! `tapes top --once`: one table for scripts.

use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use super::look::{Look, Metric, read};
use super::source::{Opened, Source, open, unreadable};
use crate::output;
use crate::table::{Row, quantity, rows_text};

/// How long a port or connection may be silent.
const PATIENCE: Duration = Duration::from_secs(10);

/// Between two looks for a report.
const PAUSE: Duration = Duration::from_millis(100);

/// Prints one table. Returns the exit code.
pub(super) fn run(source: Source) -> Result<u8, String> {
    let is_page = matches!(source, Source::Page(_));
    let (tell, told) = channel();
    let mut opened = open(source, tell)?;
    let look = if is_page { look(&mut opened)? } else { first(&mut opened)? };
    // What went wrong with a port, if anything did.
    told.try_iter().for_each(|text| tracing::warn!("{text}"));
    output::print(&text(&look))?;
    Ok(if look.metrics.is_empty() { crate::NOTHING } else { crate::DONE })
}

fn look(opened: &mut Opened) -> Result<Look, String> {
    read(&(opened.ask)()?).ok_or_else(unreadable)
}

/// Returns what there is when all is read, or when a first report has come.
fn first(opened: &mut Opened) -> Result<Look, String> {
    let deadline = Instant::now() + PATIENCE;
    if let Some(ended) = opened.ended.as_ref().filter(|_| opened.is_finite) {
        // A reader that is gone has read all it could.
        if let Ok(Some(trouble)) = ended.recv() {
            tracing::warn!("{}: {trouble}; what came before is used", opened.name);
        }
        return look(opened);
    }
    loop {
        match opened.ended.as_ref().map(|ended| ended.recv_timeout(PAUSE)) {
            Some(Ok(trouble)) => {
                if let Some(trouble) = trouble {
                    tracing::warn!("{}: {trouble}; what came before is used", opened.name);
                }
                return look(opened);
            }
            Some(Err(_)) => {}
            None => std::thread::sleep(PAUSE),
        }
        let look = look(opened)?;
        // All of a report is there once its device has been silent for a moment.
        let is_whole = look.sections.iter().any(|s| s.silence.is_some_and(|s| s > 0.05));
        if (is_whole && !look.metrics.is_empty()) || Instant::now() > deadline {
            return Ok(look);
        }
    }
}

/// Returns the table, and a line for each device.
fn text(look: &Look) -> String {
    let head = ["device", "metric", "kind", "value", "p50", "p99", "max"].map(str::to_owned);
    let devices = look.metrics.iter().filter(|metric| metric.section != "merged");
    let rows: Vec<Row> = std::iter::once(head).chain(devices.map(row)).collect();
    let mut text =
        if rows.len() > 1 { rows_text(&rows) } else { "no metric was heard\n".to_owned() };
    for section in look.sections.iter().filter(|section| section.kind == "device") {
        let state = if section.is_up { "live" } else { "silent" };
        let (frames, lost, boots) = (section.frames, section.lost, section.boots);
        text.push_str(&format!(
            "{}: {state}, {frames} frames, {lost} lost, boots: {boots}\n",
            section.name
        ));
    }
    text
}

fn row(metric: &Metric) -> Row {
    let shown = |value: Option<f64>| match value {
        Some(value) if metric.counts.is_some() && metric.number() != Some(0.0) => {
            quantity(value, &metric.unit)
        }
        _ => String::new(),
    };
    // A recording is read in a moment: what it did lately is not what it says.
    let [p50, p99] = ["q50", "q99"].map(|name| shown(metric.lifetime(name)));
    let max = shown(metric.statistic("max"));
    let (section, name, kind) = (&metric.section, &metric.name, &metric.kind);
    [section.clone(), name.clone(), kind.clone(), value(metric), p50, p99, max]
}

/// Returns the number of a metric with its unit, exactly.
pub(super) fn value(metric: &Metric) -> String {
    let number = metric.stats.get("value").or_else(|| metric.stats.get("count"));
    match number {
        Some(number) if !number.is_null() => {
            let unit = if metric.counts.is_some() { "" } else { metric.unit.as_str() };
            format!("{number} {unit}").trim_end().to_owned()
        }
        _ => "unset".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::text;
    use crate::top::look::tests::look;

    /// Scripts pick columns out of this, and terminals obey what is not escaped.
    #[test]
    fn the_table_has_a_line_for_each_metric() {
        let expected = "\
device  metric                      kind           value      p50      p99     max
e601    motor.heat{axis=x\\u{1b}[2J}  gauge   36.5 celsius
e601    motor.loop_time             timer           3000  25.1 µs  1.3 ms  1.5 ms
e601    motor.loops                 counter         3000
e602    motor.heat                  gauge          unset
e601: live, 12000 frames, 3 lost, boots: 2
e602: silent, 7 frames, 0 lost, boots: 1
";
        let squeezed = |text: &str| -> Vec<String> {
            text.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
        };
        assert_eq!(squeezed(&text(&look(3))), squeezed(expected));
    }
}
