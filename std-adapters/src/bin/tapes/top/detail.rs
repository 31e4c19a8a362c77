//! The chosen metric, large.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize as _};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Paragraph, Wrap};

use super::app::{App, Detail};
use super::chart::{bars, buckets, heat_map};
use super::look::Metric;
use super::once::value;
use crate::table::quantity;

/// Columns of the statistics.
const STATISTICS_WIDTH: u16 = 30;
/// Columns of the bounds of a bucket.
const BOUNDS_WIDTH: usize = 19;

const STATISTICS: [(&str, &str); 12] = [
    ("min", "smallest"),
    ("q50", "p50"),
    ("q75", "p75"),
    ("q95", "p95"),
    ("q98", "p98"),
    ("q99", "p99"),
    ("q999", "p99.9"),
    ("max", "largest"),
    ("mean", "mean"),
    ("m1", "1 min"),
    ("m5", "5 min"),
    ("m15", "15 min"),
];

/// Draws the chosen metric.
pub(super) fn draw(frame: &mut Frame<'_>, app: &App, metric: &Metric, area: Rect) {
    let title = match app.detail {
        Detail::Buckets if metric.counts.is_some() => "buckets of all time; b: over time",
        _ if metric.counts.is_some() => "over time; b: buckets of all time",
        _ if metric.counts_events() => "events a second",
        _ => "value",
    };
    let block = Block::new().borders(Borders::TOP).title(vec![
        Span::raw(format!(" {} ", metric.name)).bold(),
        Span::raw(format!("{title} ")),
    ]);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let widths = [Constraint::Length(STATISTICS_WIDTH), Constraint::Fill(1)];
    let [left, right] = Layout::horizontal(widths).areas(inner);
    let text = Paragraph::new(statistics(app, metric)).wrap(Wrap { trim: true });
    frame.render_widget(text, left);
    let lines = match (&metric.counts, app.detail) {
        (Some(_), Detail::Buckets) => bucket_lines(metric, right),
        (Some(_), _) => heat_lines(app, metric, right),
        _ => value_lines(app, metric, right),
    };
    frame.render_widget(Paragraph::new(lines), right);
}

fn statistics(app: &App, metric: &Metric) -> Vec<Line<'static>> {
    let rate = app.pasts.rate(metric).map(|rate| format!("{rate:.1}/s"));
    let mut lines = vec![line("now", value(metric))];
    lines.extend(rate.map(|rate| line("5 s", rate)));
    let window = metric.statistic("window_seconds").filter(|_| metric.counts.is_some());
    let of_window = |text: String| format!("{text:<11}");
    lines.extend(window.map(|s| line("", of_window(format!("last {s:.0} s")) + "all time")));
    let shown = |number: Option<f64>| number.map(|number| quantity(number, &metric.unit));
    for (key, name) in STATISTICS {
        let is_rate = key.starts_with('m') && key.ends_with(|c: char| c.is_ascii_digit());
        let text = match (metric.statistic(key), window) {
            (lately, Some(_)) if key.starts_with('q') => {
                let lately = of_window(shown(lately).unwrap_or_else(|| "–".to_owned()));
                shown(metric.lifetime(key)).map(|all| lately + &all)
            }
            (number, _) if is_rate => number.map(|number| format!("{number:.1}/s")),
            (number, _) => shown(number),
        };
        lines.extend(text.map(|text| line(name, text)));
    }
    if !metric.help.is_empty() {
        lines.push(Line::raw(metric.help.clone()));
    }
    lines
}

fn line(name: &str, text: String) -> Line<'static> {
    Line::from(vec![Span::raw(format!("{name:<9}")).dim(), Span::raw(text)])
}

fn heat_lines(app: &App, metric: &Metric, area: Rect) -> Vec<Line<'static>> {
    let moments = app.pasts.of(metric);
    let width = usize::from(area.width).saturating_sub(BOUNDS_WIDTH);
    let map = heat_map(&moments, usize::from(area.height), width);
    if map.rows.is_empty() {
        return vec![Line::raw("nothing was recorded since this view began")];
    }
    let row = |(low, high, cells): &(f64, f64, String)| {
        let heat = Span::styled(cells.clone(), Style::new().fg(Color::Cyan));
        Line::from(vec![Span::raw(bounds(*low, *high, &metric.unit)).dim(), heat])
    };
    map.rows.iter().map(row).collect()
}

fn bucket_lines(metric: &Metric, area: Rect) -> Vec<Line<'static>> {
    let Some(counts) = &metric.counts else { return Vec::new() };
    let height = usize::from(area.height).saturating_sub(2);
    let width = usize::from(area.width).saturating_sub(BOUNDS_WIDTH + 14);
    let row = |(low, high, count, share): &(f64, f64, u64, f64)| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a length on the screen"
        )]
        let length = (share * width as f64).ceil() as usize;
        Line::from(vec![
            Span::raw(bounds(*low, *high, &metric.unit)).dim(),
            Span::raw(format!("{count:>12} ")),
            Span::styled("█".repeat(length.min(width)), Style::new().fg(Color::Cyan)),
        ])
    };
    let mut lines: Vec<_> = buckets(counts, height).iter().map(row).collect();
    for (count, what) in [(counts.overflow, "above"), (counts.zero, "below")] {
        if count > 0 {
            lines.push(Line::raw(format!("{what:>17}  {count:>12}")));
        }
    }
    lines
}

fn bounds(low: f64, high: f64, unit: &str) -> String {
    let text = format!("{}–{}", quantity(low, unit), quantity(high, unit));
    format!("{text:>17}  ")
}

fn value_lines(app: &App, metric: &Metric, area: Rect) -> Vec<Line<'static>> {
    let points = app.pasts.line(metric);
    let width = usize::from(area.width);
    let shown = points.get(points.len().saturating_sub(width)..).unwrap_or(&points);
    let numbers = || shown.iter().copied().flatten();
    let (low, high) = (numbers().fold(f64::MAX, f64::min), numbers().fold(f64::MIN, f64::max));
    if low > high {
        return vec![Line::raw("nothing yet")];
    }
    let unit = if metric.counts_events() { "" } else { metric.unit.as_str() };
    let styled = Span::styled(bars(&points, width), Style::new().fg(Color::Cyan));
    vec![
        Line::raw(format!("largest  {}", quantity(high, unit))),
        Line::from(styled),
        Line::raw(format!("smallest {}", quantity(low, unit))),
    ]
}
